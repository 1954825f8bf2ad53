//! Regular expressions as the regex operators use them.
//!
//! Guarantees: compiling is bounded in size, matching is linear in the text.
//! Leaves to others: what to search for and how results are shown (`regex`).

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern(::regex::Regex);

/// A match: where it lies, and its groups.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) groups: Vec<Option<(usize, usize)>>,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s`, `x` (and `u`, which changes nothing).
    pub(super) fn new(pattern: &str, options: &str, bytes_max: usize) -> Result<Self, String> {
        let mut builder = ::regex::RegexBuilder::new(pattern);
        builder.size_limit(bytes_max.max(1 << 10));
        for option in options.chars() {
            match option {
                'i' => builder.case_insensitive(true),
                'm' => builder.multi_line(true),
                's' => builder.dot_matches_new_line(true),
                'x' => builder.ignore_whitespace(true),
                'u' => &mut builder,
                _ => return Err(format!("`{option}` is no option of a regular expression")),
            };
        }
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// Whether it matches anywhere.
    pub(super) fn is_match(&self, text: &str) -> Result<bool, String> {
        Ok(self.0.is_match(text))
    }

    /// The first match at or after a place.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Found>, String> {
        if from > text.len() {
            return Ok(None);
        }
        let Some(captures) = self.0.captures_at(text, from) else { return Ok(None) };
        let Some(whole) = captures.get(0) else { return Ok(None) };
        let groups = captures.iter().skip(1);
        Ok(Some(Found {
            start: whole.start(),
            end: whole.end(),
            groups: groups.map(|group| group.map(|group| (group.start(), group.end()))).collect(),
        }))
    }
}
