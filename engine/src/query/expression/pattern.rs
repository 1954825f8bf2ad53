//! Regular expressions as the regex operators use them: those of filters, by byte ranges.
//!
//! Guarantees: compiling is bounded in size, matching in steps.
//! Leaves to others: the dialect (`query::regex`), what to search for and how results are shown (`regex`).

use crate::limits::Limits;
use crate::query::regex;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern(regex::Pattern);

/// A match: where it lies, and its groups.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) groups: Vec<Option<(usize, usize)>>,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s`, `x` (and `u`, which changes nothing).
    pub(super) fn new(pattern: &str, options: &str, bytes_max: usize) -> Result<Self, String> {
        let query_regex_bytes = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        let limits = Limits { query_regex_bytes, ..Limits::default() };
        let compiled = regex::Pattern::new(pattern, options, &limits);
        compiled.map(Self).map_err(|error| error.to_string())
    }

    /// Whether it matches anywhere.
    pub(super) fn is_match(&self, text: &str) -> Result<bool, String> {
        self.0.is_match(text).map_err(|error| error.to_string())
    }

    /// The first match at or after a place.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Found>, String> {
        if from > text.len() {
            return Ok(None);
        }
        let found = self.0.captures(text, from).map_err(|error| error.to_string())?;
        let Some(groups) = found else { return Ok(None) };
        let Some((Some((start, end)), rest)) = groups.split_first() else { return Ok(None) };
        Ok(Some(Found { start: *start, end: *end, groups: rest.to_vec() }))
    }
}
