//! `$regexMatch`, `$regexFind`, `$regexFindAll`.
//!
//! Guarantees: a pattern that is the same for every document is compiled once. Places are counted in code points.
//! Leaves to others: the dialect (`pattern`).

use smallvec::SmallVec;

use super::failure::{failed, wrong};
use super::node::Node;
use super::parse::{Parser, text_of};
use super::pattern::{Found, Pattern};
use super::scope::Env;
use crate::error::Result;
use crate::query::Item;
use crate::value::{Raw, encode};

/// What compiling a pattern costs in steps.
const COMPILE_STEPS: usize = 1000;

/// One of the three operators.
#[derive(Clone, Debug)]
pub(super) struct Search {
    name: &'static str,
    input: Node,
    regex: Node,
    options: Option<Node>,
    ready: Option<Pattern>,
    bytes_max: usize,
}

impl Search {
    pub(super) fn parse(
        parser: &mut Parser<'_>,
        name: &'static str,
        argument: Raw<'_>,
    ) -> Result<Self> {
        let parts = parser.named(name, argument, &["input", "regex", "options"], 2)?;
        let [Some(input), Some(regex), options] = parts.as_slice() else {
            return Err(parser.refuse(name, "needs input and regex"));
        };
        let mut search = Self {
            name,
            input: parser.at("input", *input)?,
            regex: parser.at("regex", *regex)?,
            options: options.map(|options| parser.at("options", options)).transpose()?,
            ready: None,
            bytes_max: parser.context.limits.query_regex_bytes as usize,
        };
        let options = search.options.as_ref().map(Node::constant);
        if let (Some(regex), None | Some(Some(_))) = (search.regex.constant(), options) {
            let options = options.flatten().map_or(Item::Missing, Item::Raw);
            let compiled = search.compile(&Item::Raw(regex), &options);
            search.ready = match compiled {
                Ok(pattern) => pattern,
                Err(error) => {
                    return Err(parser.refuse(name, error.message().trim_start_matches(name)));
                }
            };
        }
        Ok(search)
    }

    /// The pattern, if it is not null.
    fn compile(&self, regex: &Item<'_>, options: &Item<'_>) -> Result<Option<Pattern>> {
        let Some(raw) = regex.raw().filter(|raw| !raw.is_null()) else { return Ok(None) };
        let given = match options.is_nullish() {
            true => None,
            false => Some(text_of(self.name, "options", options)?),
        };
        let (pattern, own) = match (raw.as_regex(), raw.as_str()) {
            (Some((pattern, own)), _) => (pattern, own),
            (_, Some(pattern)) => (pattern, ""),
            _ => return Err(wrong(self.name, "a string or regular expression as regex", regex)),
        };
        if !own.is_empty() && given.is_some() {
            return Err(failed(self.name, "the options are given twice"));
        }
        Pattern::new(pattern, given.unwrap_or(own), self.bytes_max)
            .map(Some)
            .map_err(|error| failed(self.name, error))
    }

    pub(super) fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        let input = self.input.eval(env)?;
        let made;
        let pattern = match &self.ready {
            Some(pattern) => Some(pattern),
            None => {
                env.shared.spend(COMPILE_STEPS)?;
                let regex = self.regex.eval(env)?;
                let options = match &self.options {
                    Some(options) => options.eval(env)?,
                    None => Item::Missing,
                };
                made = self.compile(&regex, &options)?;
                made.as_ref()
            }
        };
        let text =
            if input.is_nullish() { None } else { Some(text_of(self.name, "input", &input)?) };
        let (Some(pattern), Some(text)) = (pattern, text) else {
            return Ok(match self.name {
                "$regexMatch" => Item::boolean(false),
                "$regexFind" => Item::NULL,
                _ => Item::made(|out| encode::write_array_header(0, out)),
            });
        };
        env.shared.spend(1 + (text.len() >> 6))?;
        let result = self.run(pattern, text, env);
        result.map_err(|error| failed(self.name, error))?
    }

    fn run(
        &self,
        pattern: &Pattern,
        text: &str,
        env: &Env<'_, '_>,
    ) -> Result<Result<Item<'static>>, String> {
        if self.name == "$regexMatch" {
            return Ok(Ok(Item::boolean(pattern.is_match(text)?)));
        }
        let mut points = Points { text, at: 0, count: 0 };
        if self.name == "$regexFind" {
            let found = pattern.find(text, 0)?;
            return Ok(Ok(found.map_or(Item::NULL, |found| {
                Item::made(|out| write(&found, text, points.at(found.start), out))
            })));
        }
        let mut out = Vec::new();
        let (start, mut len, mut from) = (encode::open(&mut out), 0, 0);
        while let Some(found) = pattern.find(text, from)? {
            write(&found, text, points.at(found.start), &mut out);
            len += 1;
            let spent = env
                .shared
                .check_size(self.name, out.len())
                .and(env.shared.spend(1 + (text.len().saturating_sub(from) >> 14)));
            if let Err(error) = spent {
                return Ok(Err(error));
            }
            // After an empty match the search goes on behind the next character.
            let next = text.get(found.end..).and_then(|rest| rest.chars().next());
            let step = if found.end > found.start { 0 } else { next.map_or(1, char::len_utf8) };
            from = found.end + step;
        }
        encode::close_array(start, len, &mut out);
        Ok(Ok(Item::Made(SmallVec::from_vec(out))))
    }
}

/// Counts code points, going on where it stopped before.
struct Points<'t> {
    text: &'t str,
    at: usize,
    count: i64,
}

impl Points<'_> {
    fn at(&mut self, place: usize) -> i64 {
        let passed = self.text.get(self.at..place).unwrap_or_default();
        self.count += passed.chars().count() as i64;
        self.at = place;
        self.count
    }
}

fn write(found: &Found, text: &str, point: i64, out: &mut Vec<u8>) {
    let part = |(start, end): (usize, usize)| text.get(start..end).unwrap_or_default();
    encode::write_object_header(3, out);
    encode::write_str("match", out);
    encode::write_str(part((found.start, found.end)), out);
    encode::write_str("idx", out);
    encode::write_integer(point, out);
    encode::write_str("captures", out);
    encode::write_array_header(found.groups.len(), out);
    for group in &found.groups {
        match group {
            Some(group) => encode::write_str(part(*group), out),
            None => encode::write_null(out),
        }
    }
}
