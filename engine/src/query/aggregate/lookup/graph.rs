//! `$graphLookup`: everything that can be reached through a field of another collection.
//!
//! Guarantees: each document once, whatever cycles there are, with its least depth; the memory is counted.
//! Leaves to others: the order of what is found, which is unspecified (here: by depth).

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;

use super::super::Documents;
use super::super::document::{array_of, set_path};
use super::super::group::FastHash;
use super::super::matching::Match;
use super::super::operand::{count, field_name, options, required};
use super::super::parse::Parser;
use super::super::stream::{Env, Held, OVERHEAD, generate};
use super::super::values;
use super::collection_name;
use super::foreign::{Foreign, Join};
use crate::error::Result;
use crate::query::Item;
use crate::query::expression::Expression;
use crate::value::path::Path;
use crate::value::{Raw, encode, key};

const STAGE: &str = "$graphLookup";

/// A compiled `$graphLookup`.
#[derive(Clone, Debug)]
pub(in super::super) struct GraphLookup {
    from: String,
    start: Expression,
    connect_from: Path,
    join: Join,
    target: String,
    most_depth: u64,
    depth_field: Option<String>,
    restrict: Option<Match>,
}

impl GraphLookup {
    pub(in super::super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let names = [
            "from",
            "startWith",
            "connectFromField",
            "connectToField",
            "as",
            "maxDepth",
            "depthField",
            "restrictSearchWithMatch",
        ];
        let [from, start, connect_from, connect_to, target, most, depth, restrict] =
            options(STAGE, "", raw, names)?;
        let name = |path: &'static str, raw: Option<Raw<'_>>| -> Result<String> {
            Ok(field_name(STAGE, path, required(STAGE, path, raw)?)?.to_owned())
        };
        let start = required(STAGE, "startWith", start)?;
        Ok(Self {
            from: collection_name(STAGE, "from", required(STAGE, "from", from)?)?,
            start: Expression::parse(start, parser.context, parser.variables)?,
            connect_from: Path::new(&name("connectFromField", connect_from)?),
            join: Join::new(Path::new(&name("connectToField", connect_to)?), parser),
            target: name("as", target)?,
            most_depth: most.map_or(Ok(u64::MAX), |raw| count(STAGE, "maxDepth", raw))?,
            depth_field: match depth {
                None => None,
                Some(_) => Some(name("depthField", depth)?),
            },
            restrict: restrict.map(|raw| Match::parse(raw, parser, false)).transpose()?,
        })
    }

    pub(in super::super) fn collections(&self, names: &mut BTreeSet<String>) {
        names.insert(self.from.clone());
    }

    pub(in super::super) fn run<'a>(
        &'a self,
        mut input: Documents<'a>,
        env: Env<'a>,
    ) -> Documents<'a> {
        let mut foreign = Foreign::new(&self.from, &self.join, self.restrict.as_ref(), env);
        generate(env.budget, move || {
            let Some(document) = input.next().transpose()? else { return Ok(None) };
            let root = Raw::trusted(&document);
            let (len, bytes) = self.reach(root, &mut foreign, env)?;
            let mut value = Vec::with_capacity(bytes.len() + 5);
            array_of(len, &bytes, &mut value);
            let mut out = Vec::with_capacity(document.len() + value.len() + 16);
            set_path(root, &self.target, Some(&value), &mut out);
            Ok(Some(Bytes::from(out)))
        })
    }

    /// The documents reached from one, one after another, and their number.
    fn reach(
        &self,
        root: Raw<'_>,
        foreign: &mut Foreign<'_>,
        env: Env<'_>,
    ) -> Result<(usize, Vec<u8>)> {
        let mut held = Held::new(env.budget);
        let mut frontier = Frontier::default();
        let start = self.start.evaluate(&env.scope(root))?;
        if let Some(start) = start.raw() {
            match start.as_array() {
                Some(elements) => {
                    for element in elements {
                        frontier.add(element, &mut held)?;
                    }
                }
                None => frontier.add(start, &mut held)?,
            }
        }
        let mut reached: HashSet<Vec<u8>, FastHash> = HashSet::default();
        let (mut len, mut bytes, mut depth) = (0, Vec::new(), 0_u64);
        while !frontier.next.is_empty() && depth <= self.most_depth {
            let asked = std::mem::take(&mut frontier.next);
            let asked: Vec<Raw<'_>> = asked.iter().map(Item::raw_or_null).collect();
            for document in foreign.matches(&asked)? {
                env.budget.check()?;
                let raw = Raw::trusted(&document);
                let id = key::encode(raw.get("_id").unwrap_or(Raw::NULL));
                held.take(id.len() + OVERHEAD + document.len())?;
                if !reached.insert(id) {
                    continue;
                }
                self.write(raw, depth, &mut bytes);
                len += 1;
                for value in values::present(raw, &self.connect_from) {
                    frontier.add(value, &mut held)?;
                }
            }
            depth += 1;
        }
        Ok((len, bytes))
    }

    fn write(&self, document: Raw<'_>, depth: u64, out: &mut Vec<u8>) {
        let Some(field) = &self.depth_field else {
            out.extend_from_slice(document.as_bytes());
            return;
        };
        let mut value = Vec::new();
        encode::write_int64(i64::try_from(depth).unwrap_or(i64::MAX), &mut value);
        set_path(document, field, Some(&value), out);
    }
}

/// The values to ask for next, and all that were asked for.
#[derive(Default)]
struct Frontier {
    next: Vec<Item<'static>>,
    asked: HashSet<Vec<u8>, FastHash>,
}

impl Frontier {
    fn add(&mut self, value: Raw<'_>, held: &mut Held<'_>) -> Result<()> {
        let key = key::encode(value);
        if self.asked.contains(&key) {
            return Ok(());
        }
        held.take(key.len() + value.as_bytes().len() + 2 * OVERHEAD)?;
        self.asked.insert(key);
        self.next.push(Item::Raw(value).into_owned());
        Ok(())
    }
}
