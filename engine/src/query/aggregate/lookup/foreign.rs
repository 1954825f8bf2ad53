//! Finding the documents of another collection by the values of one field.
//!
//! Guarantees: the same documents, in the collection's order, however they are found. The first value is asked for with a
//! filter as a hint; if the collection evidently has no index for it (far more documents came than matched), the whole
//! collection goes into a hash table, provided that it fits into half of the memory that is left.
//! Leaves to others: using the hint.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::super::group::FastHash;
use super::super::matching::Match;
use super::super::parse::Parser;
use super::super::stream::{Env, Held, OVERHEAD};
use super::super::values;
use crate::error::Result;
use crate::value::path::Path;
use crate::value::{Raw, ValueKind, encode, key};

/// How many documents too many say that there is no index.
const TOO_MANY: usize = 16;

/// The most memory for answers that are kept, in case that they are asked for again.
const MOST_KEPT: usize = 8 << 20;

/// A field of another collection to be met by values.
#[derive(Clone, Debug)]
pub(super) struct Join {
    path: Path,
    /// The most values in the `$in` of a hint.
    most_values: usize,
}

/// The other collection during a run.
pub(super) struct Foreign<'a> {
    name: &'a str,
    join: &'a Join,
    restrict: Option<&'a Match>,
    env: Env<'a>,
    held: Held<'a>,
    mode: Mode,
    answers: Answers<'a>,
}

/// What was found for the values asked for before.
struct Answers<'a> {
    found: HashMap<Box<[u8]>, Vec<Bytes>, FastHash>,
    held: Held<'a>,
}

enum Mode {
    /// Asks for the documents of each value.
    Ask,
    /// Asks, and reads the whole collection next time.
    AskOnce,
    /// Asks; the collection does not fit.
    TooLarge,
    Hashed(Hashed),
}

struct Hashed {
    documents: Vec<Bytes>,
    places: HashMap<Box<[u8]>, Vec<u32>, FastHash>,
}

type Keys = HashSet<Box<[u8]>, FastHash>;

impl Join {
    pub(super) fn new(path: Path, parser: &Parser<'_>) -> Self {
        Self { path, most_values: parser.context.limits.query_in_values as usize }
    }

    /// A filter that all documents with these values satisfy.
    fn hint(&self, values: &[Raw<'_>], restrict: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut hint = Vec::new();
        if restrict.is_some() {
            encode::write_object_header(1, &mut hint);
            encode::write_str("$and", &mut hint);
            encode::write_array_header(2, &mut hint);
        }
        encode::write_object_header(1, &mut hint);
        encode::write_str(self.path.as_str(), &mut hint);
        encode::write_object_header(1, &mut hint);
        match values {
            [] => return None,
            [one] => {
                encode::write_str("$eq", &mut hint);
                hint.extend_from_slice(one.as_bytes());
            }
            many if many.len() > self.most_values || many.iter().any(|raw| is_special(*raw)) => {
                return None;
            }
            many => {
                encode::write_str("$in", &mut hint);
                encode::write_array_header(many.len(), &mut hint);
                many.iter().for_each(|value| hint.extend_from_slice(value.as_bytes()));
            }
        }
        hint.extend_from_slice(restrict.unwrap_or_default());
        Some(hint)
    }

    fn meets(&self, document: Raw<'_>, keys: &Keys, buffer: &mut Vec<u8>) -> bool {
        let mut met = false;
        values::foreign(document, &self.path, &mut |value| {
            if !met {
                buffer.clear();
                key::write(value, buffer);
                met = keys.contains(buffer.as_slice());
            }
        });
        met
    }
}

/// Whether `$in` would not take the value for what it is.
fn is_special(value: Raw<'_>) -> bool {
    value.kind() == ValueKind::Regex
        || value.object_iter().next().is_some_and(|(name, _)| name.starts_with('$'))
}

impl<'a> Foreign<'a> {
    pub(super) fn new(
        name: &'a str,
        join: &'a Join,
        restrict: Option<&'a Match>,
        env: Env<'a>,
    ) -> Self {
        let answers = Answers { found: HashMap::default(), held: Held::new(env.budget) };
        let held = Held::new(env.budget);
        Self { name, join, restrict, env, held, mode: Mode::Ask, answers }
    }

    /// The documents whose field has one of `values`.
    pub(super) fn matches(&mut self, values: &[Raw<'_>]) -> Result<Vec<Bytes>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        if let Mode::AskOnce = self.mode {
            self.mode = self.read_all()?;
        }
        if let Mode::Hashed(hashed) = &self.mode {
            return hashed.matches(values, self.env);
        }
        let mut asked = Vec::new();
        values.iter().for_each(|value| key::write(*value, &mut asked));
        if let Some(found) = self.answers.found.get(asked.as_slice()) {
            return Ok(found.clone());
        }
        let found = self.ask(values)?;
        if !matches!(self.mode, Mode::AskOnce) {
            self.answers.keep(asked, &found, self.env);
        }
        Ok(found)
    }

    fn restricted(&self, document: Raw<'_>) -> Result<bool> {
        self.restrict.map_or(Ok(true), |restrict| restrict.matches(document, &self.env))
    }

    fn ask(&mut self, values: &[Raw<'_>]) -> Result<Vec<Bytes>> {
        let keys: Keys = values.iter().map(|value| key::encode(*value).into()).collect();
        let hint = self.join.hint(values, self.restrict.and_then(Match::source));
        let hint = hint.as_deref().map(Raw::trusted);
        let (mut looked, mut found, mut buffer) = (0, Vec::new(), Vec::new());
        let mut held = Held::new(self.env.budget);
        for document in self.env.collections.documents(self.name, hint)? {
            self.env.budget.check()?;
            let document = document?;
            looked += 1;
            let raw = Raw::trusted(&document);
            if self.join.meets(raw, &keys, &mut buffer) && self.restricted(raw)? {
                held.take(document.len() + OVERHEAD)?;
                found.push(document);
            }
        }
        if looked > 2 * found.len() + TOO_MANY && matches!(self.mode, Mode::Ask) {
            self.mode = Mode::AskOnce;
        }
        Ok(found)
    }

    fn read_all(&mut self) -> Result<Mode> {
        self.answers.found.clear();
        self.answers.held.give_all();
        let restrict = self.restrict.and_then(Match::source).map(Raw::trusted);
        let mut hashed = Hashed { documents: Vec::new(), places: HashMap::default() };
        let mut buffer = Vec::new();
        for document in self.env.collections.documents(self.name, restrict)? {
            self.env.budget.check()?;
            let document = document?;
            let raw = Raw::trusted(&document);
            if !self.restricted(raw)? {
                continue;
            }
            let Ok(place) = u32::try_from(hashed.documents.len()) else {
                return Ok(Mode::TooLarge);
            };
            let mut size = document.len() + OVERHEAD;
            values::foreign(raw, &self.join.path, &mut |value| {
                buffer.clear();
                key::write(value, &mut buffer);
                match hashed.places.get_mut(buffer.as_slice()) {
                    Some(places) if places.last() == Some(&place) => {}
                    Some(places) => {
                        size += 4;
                        places.push(place);
                    }
                    None => {
                        size += buffer.len() + 2 * OVERHEAD;
                        hashed.places.insert(buffer.as_slice().into(), vec![place]);
                    }
                }
            });
            let fits = self.env.budget.has_memory(self.held.bytes() + 2 * size);
            if !fits || !self.held.try_take(size) {
                self.held.give_all();
                return Ok(Mode::TooLarge);
            }
            hashed.documents.push(document);
        }
        Ok(Mode::Hashed(hashed))
    }
}

impl Answers<'_> {
    /// Keeps an answer where there is room for it.
    fn keep(&mut self, asked: Vec<u8>, found: &[Bytes], env: Env<'_>) {
        let documents: usize = found.iter().map(|document| document.len() + OVERHEAD).sum();
        let size = asked.len() + documents + 2 * OVERHEAD;
        let fits = self.held.bytes() + size <= MOST_KEPT
            && env.budget.has_memory(self.held.bytes() + 2 * size);
        if fits && self.held.try_take(size) {
            self.found.insert(asked.into(), found.to_vec());
        }
    }
}

impl Hashed {
    fn matches(&self, values: &[Raw<'_>], env: Env<'_>) -> Result<Vec<Bytes>> {
        let (mut places, mut buffer) = (Vec::new(), Vec::new());
        for value in values {
            env.budget.check()?;
            buffer.clear();
            key::write(*value, &mut buffer);
            places.extend_from_slice(self.places.get(buffer.as_slice()).map_or(&[], Vec::as_slice));
        }
        if values.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        let document = |place: u32| self.documents.get(place as usize).cloned();
        Ok(places.into_iter().filter_map(document).collect())
    }
}
