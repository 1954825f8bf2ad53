//! The words of a document: of all its texts at any depth, but for members of its own whose names begin with `_`, which are
//! the system's or a face's: an id is no word.
//!
//! Guarantees: small letters, each once, in the order in which they come; whatever is no letter or digit divides them.

use std::collections::HashSet;

use crate::value::Raw;

/// The different words of a document.
pub(super) fn words(document: Raw<'_>) -> Vec<String> {
    let mut found = Found::default();
    for (_, value) in document.object_iter().filter(|(name, _)| !name.starts_with('_')) {
        found.value(value);
    }
    found.list
}

#[derive(Default)]
struct Found {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Found {
    fn value(&mut self, value: Raw<'_>) {
        if let Some(text) = value.as_str() {
            return self.text(text);
        }
        if let Some(elements) = value.as_array() {
            return elements.for_each(|element| self.value(element));
        }
        value.object_iter().for_each(|(_, member)| self.value(member));
    }

    fn text(&mut self, text: &str) {
        let pieces = text.split(|char: char| !char.is_alphanumeric());
        for word in pieces.filter(|piece| !piece.is_empty()).map(str::to_lowercase) {
            if self.known.insert(word.clone()) {
                self.list.push(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::value::json;

    #[test]
    fn each_word_comes_once_in_small_letters() {
        let body =
            br#"{"_id":"id","a":"Red, red-HOT","_parent":"no","b":[{"_c":"Caf\u00e9 2"}],"n":5}"#;
        let body = json::parse_value(body, &Limits::default()).unwrap();
        assert_eq!(words(Raw::trusted(&body)), ["red", "hot", "café", "2"]);
    }
}
