//! `$lookup`, `$graphLookup` and `$unionWith`: the stages that read other collections.
//!
//! Guarantees: null and missing local values meet null and missing foreign ones, a local array meets each of its
//! elements, a foreign array is met by its elements (reference, section 8). The budget is looked at for every foreign
//! document.
//! Leaves to others: reading the collections, and indexes, which get a filter as a hint.

mod foreign;
mod graph;
mod union;

use std::collections::BTreeSet;

use bytes::Bytes;

pub(super) use graph::GraphLookup;
pub(super) use union::UnionWith;

use self::foreign::{Foreign, Join};
use super::document::{array_of, set_path};
use super::operand::{field_name, invalid, members, options, required, text};
use super::parse::{Parser, Place};
use super::stage::{self, Stage};
use super::stream::{Env, Held, OVERHEAD, generate};
use super::{Documents, plan, values};
use crate::error::Result;
use crate::query::Item;
use crate::query::expression::Expression;
use crate::value::Raw;
use crate::value::path::Path;

const STAGE: &str = "$lookup";

/// A compiled `$lookup`.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    /// The other collection; none where the pipeline begins with `$documents`.
    from: Option<String>,
    target: String,
    local: Option<String>,
    join: Option<Join>,
    variables: Vec<(String, Expression)>,
    pipeline: Option<Vec<Stage>>,
    /// Whether the pipeline gives the same for every document.
    is_constant: bool,
}

impl Lookup {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let names = ["from", "as", "localField", "foreignField", "let", "pipeline"];
        let [from, target, local, foreign, variables, pipeline] = options(STAGE, "", raw, names)?;
        let from = from.map(|from| collection_name(STAGE, "from", from)).transpose()?;
        let target = field_name(STAGE, "as", required(STAGE, "as", target)?)?.to_owned();
        let (local, join) = match (local, foreign) {
            (Some(local), Some(foreign)) => {
                let local = field_name(STAGE, "localField", local)?.to_owned();
                let foreign = field_name(STAGE, "foreignField", foreign)?;
                (Some(local), Some(Join::new(Path::new(foreign), parser)))
            }
            (None, None) if pipeline.is_some() => (None, None),
            (None, None) => {
                return Err(invalid(
                    STAGE,
                    "",
                    "needs `localField` and `foreignField`, or a `pipeline`",
                ));
            }
            _ => {
                let message = "needs `localField` and `foreignField` together";
                return Err(invalid(STAGE, "", message));
            }
        };
        let variables = parse_variables(variables, parser)?;
        let mut names = parser.variables.to_vec();
        for (name, _) in &variables {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let pipeline = pipeline
            .map(|raw| parser.nested(Place::Nested, &names).pipeline(STAGE, raw))
            .transpose()?
            .map(|parsed| parsed.stages);
        let makes_own = matches!(pipeline.as_deref(), Some([Stage::Documents(_), ..]));
        if from.is_none() && (!makes_own || join.is_some()) {
            return Err(invalid(STAGE, "from", "is missing"));
        }
        let is_constant = names.is_empty();
        Ok(Self { from, target, local, join, variables, pipeline, is_constant })
    }

    pub(super) fn collections(&self, names: &mut BTreeSet<String>) {
        names.extend(self.from.clone());
        for stage in self.pipeline.iter().flatten() {
            stage.collections(names);
        }
    }

    pub(super) fn run<'a>(&'a self, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut source = self.source(env);
        generate(env.budget, move || {
            let Some(document) = input.next().transpose()? else { return Ok(None) };
            let root = Raw::trusted(&document);
            let mut array = Array::new(env);
            self.fill(root, &mut source, env, &mut array)?;
            let mut value = Vec::with_capacity(array.bytes.len() + 5);
            array_of(array.len, &array.bytes, &mut value);
            let mut out = Vec::with_capacity(document.len() + value.len() + self.target.len() + 5);
            set_path(root, &self.target, Some(&value), &mut out);
            Ok(Some(Bytes::from(out)))
        })
    }

    fn source<'a>(&'a self, env: Env<'a>) -> Source<'a> {
        match (&self.join, &self.from) {
            (Some(join), Some(from)) => Source::Joined(Foreign::new(from, join, None, env)),
            _ => Source::All(Kept { held: Held::new(env.budget), state: State::Fresh }),
        }
    }

    /// Puts the foreign documents for one local document into `array`.
    fn fill<'a>(
        &'a self,
        root: Raw<'_>,
        source: &mut Source<'a>,
        env: Env<'a>,
        array: &mut Array<'a>,
    ) -> Result<()> {
        let found = match source {
            Source::Joined(foreign) => {
                let local = self.local.as_deref().unwrap_or_default();
                let found = foreign.matches(&values::local(root, local))?;
                let Some(pipeline) = &self.pipeline else {
                    return found.iter().try_for_each(|document| array.push(document));
                };
                let variables = self.bind(root, env)?;
                let env = Env { variables: &variables, ..env };
                let input = Box::new(found.into_iter().map(Ok));
                return stage::run(pipeline, input, env)?
                    .try_for_each(|document| array.push(&document?));
            }
            Source::All(kept) => kept,
        };
        let pipeline = self.pipeline.as_deref().unwrap_or_default();
        if self.is_constant {
            return found.constant(self, pipeline, env, array);
        }
        let variables = self.bind(root, env)?;
        let input = found.documents(self, pipeline, env)?;
        let env = Env { variables: &variables, ..env };
        stage::run(pipeline, input, env)?.try_for_each(|document| array.push(&document?))
    }

    /// The variables of the pipeline: those from outside, and its own.
    fn bind(&self, root: Raw<'_>, env: Env<'_>) -> Result<Vec<(String, Item<'static>)>> {
        let mut bound: Vec<_> = env.variables.to_vec();
        for (name, expression) in &self.variables {
            let value = expression.evaluate(&env.scope(root))?.into_owned();
            set_variable(&mut bound, name, value);
        }
        Ok(bound)
    }

    /// All documents that the pipeline could need.
    fn read<'a>(&'a self, pipeline: &[Stage], env: Env<'a>) -> Result<Documents<'a>> {
        let Some(from) = &self.from else { return Ok(super::stream::none()) };
        let hint = plan::prefix(pipeline).filter;
        env.collections.documents(from, hint.as_deref().map(Raw::trusted))
    }
}

fn set_variable(bound: &mut Vec<(String, Item<'static>)>, name: &str, value: Item<'static>) {
    match bound.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => bound.push((name.to_owned(), value)),
    }
}

/// Where the foreign documents come from.
enum Source<'a> {
    Joined(Foreign<'a>),
    All(Kept<'a>),
}

/// The foreign documents (or, for a constant pipeline, what it makes of them), kept in memory if they fit.
struct Kept<'a> {
    held: Held<'a>,
    state: State,
}

enum State {
    Fresh,
    Documents(Vec<Bytes>),
    /// They do not fit, and are read again each time.
    TooMany,
}

impl<'a> Kept<'a> {
    fn constant(
        &mut self,
        lookup: &'a Lookup,
        pipeline: &'a [Stage],
        env: Env<'a>,
        array: &mut Array<'a>,
    ) -> Result<()> {
        if let State::Fresh = self.state {
            let results = stage::run(pipeline, lookup.read(pipeline, env)?, env)?;
            self.keep(results, env)?;
        }
        match &self.state {
            State::Documents(documents) => {
                documents.iter().try_for_each(|document| array.push(document))
            }
            _ => stage::run(pipeline, lookup.read(pipeline, env)?, env)?
                .try_for_each(|document| array.push(&document?)),
        }
    }

    fn documents(
        &mut self,
        lookup: &'a Lookup,
        pipeline: &[Stage],
        env: Env<'a>,
    ) -> Result<Documents<'_>> {
        if let State::Fresh = self.state {
            self.keep(lookup.read(pipeline, env)?, env)?;
        }
        match &self.state {
            State::Documents(documents) => Ok(Box::new(documents.iter().cloned().map(Ok))),
            _ => lookup.read(pipeline, env),
        }
    }

    fn keep(&mut self, documents: Documents<'_>, env: Env<'_>) -> Result<()> {
        let mut kept = Vec::new();
        self.state = State::TooMany;
        for document in documents {
            env.budget.check()?;
            let document = document?;
            let size = document.len() + OVERHEAD;
            // Half of the memory is left to the other stages.
            if !env.budget.has_memory(self.held.bytes() + 2 * size) || !self.held.try_take(size) {
                self.held.give_all();
                return Ok(());
            }
            kept.push(document);
        }
        self.state = State::Documents(kept);
        Ok(())
    }
}

/// The array being made.
struct Array<'a> {
    len: usize,
    bytes: Vec<u8>,
    env: Env<'a>,
    held: Held<'a>,
}

impl<'a> Array<'a> {
    fn new(env: Env<'a>) -> Self {
        Self { len: 0, bytes: Vec::new(), env, held: Held::new(env.budget) }
    }

    fn push(&mut self, document: &[u8]) -> Result<()> {
        self.env.budget.check()?;
        self.held.take(document.len())?;
        self.len += 1;
        self.bytes.extend_from_slice(document);
        Ok(())
    }
}

/// The name of a collection.
fn collection_name(stage: &str, path: &str, raw: Raw<'_>) -> Result<String> {
    match text(stage, path, raw)? {
        "" => Err(invalid(stage, path, "must be the name of a collection")),
        name => Ok(name.to_owned()),
    }
}

fn parse_variables(raw: Option<Raw<'_>>, parser: &Parser<'_>) -> Result<Vec<(String, Expression)>> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let mut variables = Vec::new();
    for (name, operand) in members(STAGE, "let", raw)? {
        let starts_well = name.starts_with(|first: char| first.is_lowercase() || !first.is_ascii());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
        if !starts_well || !name.chars().all(is_plain) {
            return Err(invalid(STAGE, name, "is not the name of a variable"));
        }
        let expression = Expression::parse(operand, parser.context, parser.variables)?;
        variables.push((name.to_owned(), expression));
    }
    Ok(variables)
}
