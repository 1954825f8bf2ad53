//! Regular expressions in the dialect of filters.
//!
//! Guarantees: a compiled [`Pattern`] needs at most `limits.query_regex_bytes`; matching ends, for look-around and back
//! references within a number of steps and over texts of a largest size, beyond which it is an error and no answer. The options are `i`, `m`, `s`, `x`
//! and `u` (which changes nothing: texts are Unicode).
//! The dialect is that of PCRE as far as two engines know it: `regex` in linear time where the pattern compiles there,
//! else `fancy-regex`. `\d`, `\w` and `\s` are ASCII, `\b` is Unicode; `$` without `m` matches at the very end only, not
//! before a last line break.
//! Leaves to others: caching patterns.

mod translate;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::Limits;

/// How many steps back the second engine may take for one text.
const STEPS: usize = 50_000;
/// The longest text that the second engine looks at: one of its steps may read all of it.
const TEXT_MAX: usize = 16 << 10;

/// The byte ranges of a match and of its groups; `None` for a group that took no part.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

/// A compiled regular expression.
#[derive(Clone)]
pub struct Pattern {
    engine: Engine,
    source: Arc<str>,
    options: Arc<str>,
}

#[derive(Clone)]
enum Engine {
    Linear(regex::Regex),
    Backtracking(Arc<fancy_regex::Regex>),
}

#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
}

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &str, options: &str, limits: &Limits) -> Result<Self> {
        let flags = Flags::parse(options)?;
        let size = limits.query_regex_bytes as usize;
        if pattern.len() > size {
            return Err(too_large(pattern, limits));
        }
        let (translated, possessive) = translate::translate(pattern, flags.extended);
        let linear = regex::RegexBuilder::new(&translated)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .ignore_whitespace(flags.extended)
            .size_limit(size)
            .build();
        let engine = match linear {
            Ok(regex) if !possessive => Engine::Linear(regex),
            Err(regex::Error::CompiledTooBig(_)) => return Err(too_large(pattern, limits)),
            _ => Engine::Backtracking(Arc::new(backtracking(pattern, &translated, flags, limits)?)),
        };
        Ok(Self { engine, source: pattern.into(), options: options.into() })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The options as they were written.
    pub fn options(&self) -> &str {
        &self.options
    }

    /// Whether it matches anywhere in `text`. Fails where it needs too many steps.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool> {
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Backtracking(_) if text.len() > TEXT_MAX => Err(self.too_long()),
            Engine::Backtracking(regex) => {
                regex.is_match(text).map_err(|error| self.too_slow(&error))
            }
        }
    }

    /// The first match at or after the byte `start`, with its groups; the whole match is the first of them.
    pub(crate) fn captures(&self, text: &str, start: usize) -> Result<Option<Groups>> {
        if !text.is_char_boundary(start) {
            return Ok(None);
        }
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.captures_at(text, start).map(|captures| {
                captures.iter().map(|group| group.map(|at| (at.start(), at.end()))).collect()
            })),
            Engine::Backtracking(_) if text.len() > TEXT_MAX => Err(self.too_long()),
            Engine::Backtracking(regex) => {
                let captures =
                    regex.captures_from_pos(text, start).map_err(|error| self.too_slow(&error))?;
                Ok(captures.map(|captures| {
                    captures.iter().map(|group| group.map(|at| (at.start(), at.end()))).collect()
                }))
            }
        }
    }

    /// What every text that it matches begins with, where the pattern says so: `^` and letters, without `i`, `m` and `x`.
    pub fn prefix(&self) -> Option<String> {
        let plain = !self.options.contains(['i', 'm', 'x']);
        plain.then(|| translate::prefix(&self.source)).flatten()
    }

    fn too_long(&self) -> Error {
        let message = format!(
            "the regular expression `{}` has look-around or back-references, with which a text of more than {TEXT_MAX} \
             bytes would take too long",
            shown(&self.source)
        );
        Error::invalid("regex_too_slow", message).with("operator", "$regex")
    }

    fn too_slow(&self, error: &fancy_regex::Error) -> Error {
        let message = format!(
            "the regular expression `{}` takes more than {STEPS} steps on one text ({error}); write it without nested \
             repetitions, look-around or back-references",
            shown(&self.source)
        );
        Error::invalid("regex_too_slow", message).with("operator", "$regex")
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.source, self.options)
    }
}

impl Flags {
    fn parse(options: &str) -> Result<Self> {
        let mut flags = Self::default();
        for option in options.chars() {
            match option {
                'i' => flags.ignore_case = true,
                'm' => flags.multi_line = true,
                's' => flags.dot_all = true,
                'x' => flags.extended = true,
                'u' => {}
                _ => {
                    let message = format!(
                        "`{option}` is not an option of a regular expression; the options are i, m, s and x"
                    );
                    return Err(
                        Error::invalid("invalid_operand", message).with("operator", "$options")
                    );
                }
            }
        }
        Ok(flags)
    }
}

fn backtracking(
    pattern: &str,
    translated: &str,
    flags: Flags,
    limits: &Limits,
) -> Result<fancy_regex::Regex> {
    use fancy_regex::{CompileError, Error as Failure};
    let size = limits.query_regex_bytes as usize;
    let built = fancy_regex::RegexBuilder::new(translated)
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .ignore_whitespace(flags.extended)
        .backtrack_limit(STEPS)
        .delegate_size_limit(size)
        .max_prog_size(size / 16)
        .build();
    built.map_err(|error| {
        let too_big = match &error {
            Failure::CompileError(error) => match &**error {
                CompileError::PatternTooComplex => true,
                CompileError::InnerError(inner) => inner.size_limit().is_some(),
                _ => false,
            },
            _ => false,
        };
        if too_big {
            return too_large(pattern, limits);
        }
        let message = format!("the regular expression `{}` is malformed: {error}", shown(pattern));
        Error::invalid("invalid_regex", message).with("operator", "$regex")
    })
}

fn too_large(pattern: &str, limits: &Limits) -> Error {
    let max = limits.query_regex_bytes;
    let message = format!(
        "the regular expression `{}` needs more than {max} bytes (limits.query_regex_bytes)",
        shown(pattern)
    );
    Error::limit("limits.query_regex_bytes", u64::from(max), message).with("operator", "$regex")
}

/// The beginning of a pattern, for a message.
fn shown(pattern: &str) -> String {
    const MAX: usize = 80;
    match pattern.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &pattern[..end]),
        None => pattern.to_owned(),
    }
}
