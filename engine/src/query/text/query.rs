//! The operator `$text`.
//!
//! Guarantees: without fields it is an error and no answer.
//! Leaves to others: finding candidates: every match has one of [`TextQuery::terms`].

use super::{fold, split};
use crate::error::{Error, Result};
use crate::query::filter::walk;
use crate::value::Raw;
use crate::value::path::Path;

/// A compiled `$text`.
#[derive(Clone, Debug)]
pub struct TextQuery {
    /// Words of which one must be there; those of phrases are among them.
    terms: Vec<String>,
    /// Words one after another, all of which must be there.
    phrases: Vec<Vec<String>>,
    /// Words one after another, none of which may be there.
    excluded: Vec<Vec<String>>,
    form: Form,
    /// The terms as the index has them.
    entries: Vec<String>,
    fields: Option<Vec<Path>>,
}

/// How words are written when they are compared.
#[derive(Clone, Copy, Debug)]
struct Form {
    case: bool,
    diacritics: bool,
}

impl Form {
    fn of(self, word: &str) -> String {
        match (self.case, self.diacritics) {
            (false, false) => fold::fold(word),
            (false, true) => fold::lower(word),
            (true, false) => fold::plain(word),
            (true, true) => word.to_owned(),
        }
    }

    fn words(self, text: &str) -> Vec<String> {
        split(text).map(|word| self.of(word)).collect()
    }
}

/// Longest text to search for.
const SEARCH_BYTES_MAX: usize = 4096;

impl TextQuery {
    /// Compiles the operand; what is wrong is the rest of a sentence.
    pub(crate) fn parse(operand: Raw<'_>) -> Result<Self, String> {
        let members = operand.as_object().ok_or("takes an object with `$search`")?;
        let (mut search, mut form) = (None, Form { case: false, diacritics: false });
        for (name, value) in members {
            let flag = || value.as_bool().ok_or_else(|| format!("takes true or false as `{name}`"));
            match name {
                "$search" => search = Some(value.as_str().ok_or("takes a text as `$search`")?),
                "$caseSensitive" => form.case = flag()?,
                "$diacriticSensitive" => form.diacritics = flag()?,
                "$language" if value.as_str().is_some() => {}
                "$language" => return Err("takes a text as `$language`".to_owned()),
                _ => return Err(format!("does not know `{name}`")),
            }
        }
        let search = search.ok_or("takes an object with `$search`")?;
        if search.len() > SEARCH_BYTES_MAX {
            return Err(format!("takes a `$search` of at most {SEARCH_BYTES_MAX} bytes"));
        }
        Ok(Self::compile(search, form))
    }

    fn compile(search: &str, form: Form) -> Self {
        let mut query = Self {
            terms: Vec::new(),
            phrases: Vec::new(),
            excluded: Vec::new(),
            form,
            entries: Vec::new(),
            fields: None,
        };
        let mut entries = Vec::new();
        // The parts between quotes are phrases: every other one.
        let mut negated = false;
        for (at, part) in search.split('"').enumerate() {
            let words = form.words(part);
            if at % 2 == 1 {
                match (words.is_empty(), negated) {
                    (true, _) => {}
                    (false, true) => query.excluded.push(words),
                    (false, false) => {
                        entries.extend(super::words(part));
                        query.terms.extend(words.iter().cloned());
                        query.phrases.push(words);
                    }
                }
                negated = false;
                continue;
            }
            negated = part.ends_with('-')
                && part.trim_end_matches('-').ends_with([' ', '\t', '\n'])
                || part.trim() == "-";
            for token in part.split_whitespace() {
                match token.strip_prefix('-') {
                    Some(rest) => {
                        let words = form.words(rest);
                        if !words.is_empty() {
                            query.excluded.push(words);
                        }
                    }
                    None => {
                        query.terms.extend(form.words(token));
                        entries.extend(super::words(token));
                    }
                }
            }
        }
        for list in [&mut query.terms, &mut entries] {
            list.sort_unstable();
            list.dedup();
        }
        query.entries = entries;
        query
    }

    /// Tells the fields of the text index; `$**` is every field.
    pub(crate) fn bind(&mut self, fields: &[Path]) {
        self.fields = Some(fields.to_vec());
    }

    /// The words as a text index holds them; every match has at least one of them in its fields.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }

    /// Whether a document matches. Fails where no fields were told.
    pub(crate) fn matches(&self, document: Raw<'_>) -> Result<bool> {
        let Some(fields) = &self.fields else {
            let message = "`$text` needs a text index on the collection; create one first";
            return Err(Error::invalid("text_index_needed", message).with("operator", "$text"));
        };
        if self.terms.is_empty() {
            return Ok(false);
        }
        let mut found = Found {
            query: self,
            term: false,
            phrases: vec![false; self.phrases.len()],
            excluded: false,
        };
        each_text(document, fields, &mut |text| found.look(text));
        Ok(found.term && !found.excluded && found.phrases.iter().all(|there| *there))
    }

    /// How well a document fits, for `{$meta: "textScore"}`: more for terms that are frequent in a field, and for short fields.
    /// 0 without fields.
    pub fn score(&self, document: Raw<'_>) -> f64 {
        let mut score = 0.0;
        each_text(document, self.fields.as_deref().unwrap_or_default(), &mut |text| {
            let words = self.form.words(text);
            for term in &self.terms {
                let count = words.iter().filter(|word| *word == term).count();
                if count == 0 {
                    continue;
                }
                // The first occurrence counts 1, each further one half of the one before.
                let frequency = 2.0 - 0.5_f64.powi(count.min(64) as i32 - 1);
                let share = 0.5 + 0.5 * count as f64 / words.len() as f64;
                let whole = if words.len() == 1 { 1.1 } else { 1.0 };
                score += frequency * share * whole;
            }
        });
        score
    }
}

/// What a search has found so far.
struct Found<'q> {
    query: &'q TextQuery,
    term: bool,
    phrases: Vec<bool>,
    excluded: bool,
}

impl Found<'_> {
    fn look(&mut self, text: &str) {
        let words = self.query.form.words(text);
        self.term =
            self.term || words.iter().any(|word| self.query.terms.binary_search(word).is_ok());
        let has = |phrase: &[String]| words.windows(phrase.len()).any(|part| part == phrase);
        for (there, phrase) in self.phrases.iter_mut().zip(&self.query.phrases) {
            *there = *there || has(phrase);
        }
        self.excluded = self.excluded || self.query.excluded.iter().any(|phrase| has(phrase));
    }
}

/// Calls with every text under the fields of an index.
pub(super) fn each_text(document: Raw<'_>, fields: &[Path], each: &mut dyn FnMut(&str)) {
    if fields.iter().any(|field| field.as_str() == "$**") {
        return every_text(document, each);
    }
    for field in fields {
        walk(document, field.parts(), true, &mut None, &mut |value| {
            if let Some(text) = value.and_then(Raw::as_str) {
                each(text);
            }
            false
        });
    }
}

/// Calls with every text of a document, at any depth.
fn every_text(document: Raw<'_>, each: &mut dyn FnMut(&str)) {
    let mut left = vec![document];
    while let Some(value) = left.pop() {
        if let Some(text) = value.as_str() {
            each(text);
        }
        let start = left.len();
        left.extend(value.array_iter());
        left.extend(value.object_iter().map(|(_, member)| member));
        left[start..].reverse();
    }
}
