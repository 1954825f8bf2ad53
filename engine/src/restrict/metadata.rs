//! What the engine knows of a document, shown as members of it: when it was made and changed and by whom, its version, its
//! words.
//!
//! Guarantees: the members stand behind all others; a member of the document with one of their names is never seen, so that
//! nobody can pass off something else as what the engine knows.
//! Leaves to others: which names a caller uses, and how actors are shown (the faces).

use std::fmt;
use std::sync::Arc;

use super::words::words;
use crate::value::{Raw, date, encode};
use crate::view::Row;

/// Something that is known of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// When it was made: RFC 3339 UTC with milliseconds.
    Created,
    /// When it was last changed, in the same form.
    Changed,
    /// Who made it.
    CreatedBy,
    /// Who changed it last.
    ChangedBy,
    /// Its version.
    Version,
    /// The different words of its texts, in small letters and in their order: an array.
    Words,
    /// The same words with blanks between them: one text.
    WordsText,
}

/// How an actor is shown.
pub type ShowActor = dyn Fn(&str) -> String + Send + Sync;

/// Which facts are shown under which names.
#[derive(Clone)]
pub struct Metadata {
    facts: Vec<(&'static str, Fact)>,
    who: Arc<ShowActor>,
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Metadata {
    /// These facts under these names, actors as `who` shows them.
    pub fn new(facts: Vec<(&'static str, Fact)>, who: Arc<ShowActor>) -> Self {
        Self { facts, who }
    }

    /// Whether a path begins with one of the names.
    pub(crate) fn names(&self, path: &str) -> bool {
        let top = path.split('.').next().unwrap_or_default();
        self.facts.iter().any(|(name, _)| *name == top)
    }

    /// A document, or the part of it that may be seen, with what is known of its row.
    pub fn added(&self, row: &Row, shown: Raw<'_>) -> Vec<u8> {
        let own = || shown.object_iter().filter(|(name, _)| !self.names_member(name));
        let mut out = Vec::with_capacity(shown.as_bytes().len() + 64 * self.facts.len());
        encode::write_object_header(own().count() + self.facts.len(), &mut out);
        for (name, value) in own() {
            encode::write_str(name, &mut out);
            out.extend_from_slice(value.as_bytes());
        }
        for (name, fact) in &self.facts {
            encode::write_str(name, &mut out);
            self.write(*fact, row, shown, &mut out);
        }
        out
    }

    fn names_member(&self, member: &str) -> bool {
        self.facts.iter().any(|(name, _)| *name == member)
    }

    fn write(&self, fact: Fact, row: &Row, shown: Raw<'_>, out: &mut Vec<u8>) {
        let time = |ms: u64| date::format_ms(i64::try_from(ms).unwrap_or(i64::MAX));
        match fact {
            Fact::Created => encode::write_str(&time(row.created_ms()), out),
            Fact::Changed => encode::write_str(&time(row.changed_ms()), out),
            Fact::CreatedBy => encode::write_str(&(self.who)(row.created_by()), out),
            Fact::ChangedBy => encode::write_str(&(self.who)(row.changed_by()), out),
            Fact::Version => {
                encode::write_integer(i64::try_from(row.version()).unwrap_or(i64::MAX), out);
            }
            Fact::Words => {
                let words = words(shown);
                encode::write_array_header(words.len(), out);
                words.iter().for_each(|word| encode::write_str(word, out));
            }
            Fact::WordsText => encode::write_str(&words(shown).join(" "), out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::value::json;
    use crate::view::RowParts;

    #[test]
    fn a_member_of_the_same_name_is_not_seen() {
        let body = br#"{"_id":"a","_created":"forged","x":1,"_version":99}"#;
        let body = json::parse_value(body, &Limits::default()).unwrap();
        let parts = RowParts {
            version: 3,
            position: 9,
            created_ms: 0,
            changed_ms: 1500,
            created_by: "k",
            changed_by: "u",
            body: &body,
        };
        let row = Row::decode(parts.encode().into()).unwrap();
        let facts = vec![
            ("_created", Fact::Created),
            ("_changed", Fact::Changed),
            ("_changedby", Fact::ChangedBy),
            ("_version", Fact::Version),
        ];
        let metadata = Metadata::new(facts, Arc::new(|actor| format!("<{actor}>")));
        let mut text = Vec::new();
        json::write(Raw::trusted(&metadata.added(&row, row.body())), &mut text);
        let wanted = r#"{"_id":"a","x":1,"_created":"1970-01-01T00:00:00.000Z","_changed":"1970-01-01T00:00:01.500Z","_changedby":"<u>","_version":3}"#;
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
        assert!(metadata.names("_created.x") && !metadata.names("_createdx"));
    }
}
