//! The tree of a compiled expression, and its evaluation.
//!
//! Guarantees: recursion is as deep as the expression was when it was compiled, no deeper. What an operator makes is
//! judged for its size here, once for all of them.
//! Leaves to others: what each operator does.

use smallvec::SmallVec;

use super::forms::Form;
use super::operators::Operator;
use super::path;
use super::scope::{Env, Shared};
use crate::error::Result;
use crate::query::Item;
use crate::query::item::Encoded;
use crate::value::path::Path;
use crate::value::{Raw, encode};

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Always the same value.
    Constant(Encoded),
    /// A field of `$$CURRENT`.
    Field(Path),
    /// A variable, and a path inside it.
    Variable(Variable, Option<Path>),
    /// An array of values; missing ones are null.
    Array(Vec<Node>),
    /// A document; missing values are left out.
    Object(Vec<(String, Node)>),
    /// An operator whose arguments are evaluated before it.
    Call(Box<Call>),
    /// An operator that evaluates its arguments itself.
    Form(Box<Form>),
}

/// Where a variable's value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Variable {
    Root,
    Current,
    Now,
    /// `$$REMOVE`: never there.
    Remove,
    /// Set from outside.
    Outer(usize),
    /// Set by an operator `up` levels out.
    Local {
        up: usize,
        place: usize,
    },
}

/// A call of an operator; arguments that were not given are `None`.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) operator: &'static Operator,
    pub(super) arguments: Vec<Option<Node>>,
}

/// What an operator knows besides its arguments.
#[derive(Clone, Copy)]
pub(super) struct Ctx<'c> {
    /// Its name.
    pub(super) name: &'static str,
    /// Which arguments were given, a bit for each of the first 32.
    pub(super) given: u32,
    pub(super) shared: &'c Shared,
}

impl Ctx<'_> {
    /// Whether an argument was given, whatever its value.
    pub(super) fn has(&self, place: u32) -> bool {
        self.given.checked_shr(place).is_some_and(|bits| bits & 1 == 1)
    }
}

impl Node {
    /// A constant of an encoding.
    pub(super) fn of(raw: Raw<'_>) -> Self {
        Self::Constant(SmallVec::from_slice(raw.as_bytes()))
    }

    /// The value, if it is always the same.
    pub(super) fn constant(&self) -> Option<Raw<'_>> {
        match self {
            Self::Constant(bytes) => Some(Raw::trusted(bytes)),
            _ => None,
        }
    }

    pub(super) fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        match self {
            Self::Constant(bytes) => Ok(Item::Raw(Raw::trusted(bytes))),
            Self::Field(path) => {
                let document = env.scope.current;
                env.shared.spend(1 + (document.as_bytes().len() >> 8))?;
                Ok(path::field(document, path.parts()))
            }
            Self::Variable(variable, path) => variable_value(*variable, path.as_ref(), env),
            Self::Array(nodes) => array(nodes, env),
            Self::Object(members) => object(members, env),
            Self::Call(call) => call.eval(env),
            Self::Form(form) => form.eval(env),
        }
    }
}

fn variable_value<'e>(
    variable: Variable,
    path: Option<&'e Path>,
    env: &Env<'_, 'e>,
) -> Result<Item<'e>> {
    let value = match variable {
        Variable::Root => Item::Raw(env.scope.root),
        Variable::Current => Item::Raw(env.scope.current),
        Variable::Now => return Ok(Item::date(env.scope.now_ms)),
        Variable::Remove => Item::Missing,
        Variable::Outer(place) => env.outer(place),
        Variable::Local { up, place } => env.local(up, place),
    };
    match (value, path) {
        (Item::Raw(raw), Some(path)) => {
            env.shared.spend(1 + (raw.as_bytes().len() >> 8))?;
            Ok(path::field_of(raw, path.parts()))
        }
        (value, _) => Ok(value),
    }
}

fn array<'e>(nodes: &'e [Node], env: &Env<'_, 'e>) -> Result<Item<'e>> {
    let mut out = Vec::with_capacity(8 * nodes.len() + 1);
    encode::write_array_header(nodes.len(), &mut out);
    for node in nodes {
        let item = node.eval(env)?;
        out.extend_from_slice(item.raw_or_null().as_bytes());
        env.shared.check_size("an array", out.len())?;
    }
    Ok(Item::Made(SmallVec::from_vec(out)))
}

fn object<'e>(members: &'e [(String, Node)], env: &Env<'_, 'e>) -> Result<Item<'e>> {
    let mut out = Vec::with_capacity(16 * members.len() + 1);
    let (start, mut len) = (encode::open(&mut out), 0);
    for (name, node) in members {
        let item = node.eval(env)?;
        let Some(value) = item.raw() else { continue };
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
        env.shared.check_size("a document", out.len())?;
        len += 1;
    }
    encode::close_object(start, len, &mut out);
    Ok(Item::Made(SmallVec::from_vec(out)))
}

impl Call {
    fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        let mut arguments: SmallVec<[Item<'e>; 3]> = SmallVec::new();
        let (mut given, mut bytes) = (0, 0);
        for (place, argument) in self.arguments.iter().enumerate() {
            let Some(node) = argument else {
                arguments.push(Item::Missing);
                continue;
            };
            if place < 32 {
                given |= 1 << place;
            }
            let item = node.eval(env)?;
            bytes += item.raw().map_or(0, |raw| raw.as_bytes().len());
            arguments.push(item);
        }
        env.shared.spend(1 + (bytes >> 4))?;
        let ctx = Ctx { name: self.operator.name, given, shared: env.shared };
        let result = (self.operator.run)(&ctx, &mut arguments)?;
        if let Item::Made(bytes) = &result {
            env.shared.check_size(ctx.name, bytes.len())?;
            env.shared.spend(bytes.len() >> 4)?;
        }
        Ok(result)
    }
}
