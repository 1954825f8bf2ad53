//! Text search: words of texts, and the operator `$text`.
//!
//! Guarantees: a word is a run of letters and digits, in lower case and without diacritics ([`words`]); these are also what
//! a text index holds. Terms are alternatives, a phrase in quotes must be there, a word or phrase after `-` must not.
//! Words are not stemmed, and no word is too common to count; `$language` is accepted and changes nothing.
//! Leaves to others: the index; which fields are searched is told by [`TextQuery::bind`].

mod fold;
mod query;

#[cfg(test)]
mod tests;

pub(crate) use query::TextQuery;

/// The words of a text, normalized.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    split(text).map(fold::fold)
}

/// The words of a text as they are written.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !fold::is_word(char)).filter(|word| {
        // A mark without a letter is no word.
        word.chars().any(char::is_alphanumeric)
    })
}
