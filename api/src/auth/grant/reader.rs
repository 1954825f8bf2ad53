//! Reading the members of grants and roles: what is malformed is refused with the member and the entry named.

use std::fmt::Display;

use headwater_engine::value::Raw;
use headwater_engine::{Error, Result};

/// What is read, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    code: &'static str,
    noun: &'static str,
}

impl Reader {
    /// Reads a grant.
    pub(super) const GRANT: Self = Self { code: "invalid_grant", noun: "grant" };
    /// Reads a role.
    pub(super) const ROLE: Self = Self { code: "invalid_role", noun: "role" };

    /// A refusal: `what` goes on after the member's name.
    pub(super) fn refuse(self, member: &str, what: impl Display) -> Error {
        let message = format!("`{}.{member}` {what}", self.noun);
        // What a dotted path leads to belongs to its first part.
        let first = member.split('.').next().unwrap_or(member);
        Error::invalid(self.code, message).with("member", first)
    }

    /// The refusal of the whole.
    pub(super) fn not_an_object(self) -> Error {
        let message = format!("`{}` must be an object", self.noun);
        Error::invalid(self.code, message).with("member", self.noun)
    }

    /// A refusal of the engine, of something that stands in a member.
    pub(super) fn within(self, member: &str, error: &Error) -> Error {
        let mut named = self.refuse(member, format_args!("is malformed: {}", error.message()));
        for (name, detail) in error.details() {
            named = named.with(name, detail.clone());
        }
        named
    }

    /// A refusal of one entry.
    pub(super) fn entry(self, member: &str, entry: &str, what: impl Display) -> Error {
        self.refuse(member, format_args!("has `{entry}`, {what}")).with("entry", entry)
    }

    /// A list of texts, at most `most`.
    pub(super) fn texts<'a>(
        self,
        member: &str,
        value: Raw<'a>,
        most: usize,
    ) -> Result<Vec<&'a str>> {
        let malformed = || self.refuse(member, "must be a list of texts");
        let entries = value.as_array().ok_or_else(malformed)?;
        if value.member_count() > most {
            return Err(self.refuse(member, format_args!("has more than {most} entries")));
        }
        entries.map(|entry| entry.as_str().ok_or_else(malformed)).collect()
    }

    /// True or false.
    pub(super) fn truth(self, member: &str, value: Raw<'_>) -> Result<bool> {
        value.as_bool().ok_or_else(|| self.refuse(member, "must be true or false"))
    }
}
