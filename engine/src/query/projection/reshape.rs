//! The stages that make one document of one.
//!
//! Guarantees: what comes out obeys the limits on documents; the input is not changed.
//! Leaves to others: the stream of documents, and `_id` in updates.

use super::Shape;
use super::parse::Dialect;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::query::Context;
use crate::query::expression::{Expression, Scope, Work};
use crate::query::update::check;
use crate::value::{Raw, Value};

/// A stage that makes one document of one: `$project`, `$addFields`/`$set`, `$unset`, `$replaceRoot`/`$replaceWith`.
#[derive(Clone, Debug)]
pub struct Reshape {
    kind: Kind,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Fields shown, left out, computed.
    Shape(Shape),
    /// Another document.
    Root(Box<Expression>),
}

impl Reshape {
    /// Compiles the stage `name` (with its `$`) with its operand. `variables` as for expressions.
    pub fn parse(
        name: &str,
        operand: Raw<'_>,
        context: &Context<'_>,
        variables: &[String],
    ) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid("invalid_stage", format!("{name} {what}")).with("operator", name)
        };
        let shape = |dialect, operand: Raw<'_>| {
            if operand.as_object().is_none() || operand.member_count() == 0 {
                return Err(wrong("needs an object with at least one field"));
            }
            Ok(Kind::Shape(Shape::parse(dialect, operand, context, variables)?))
        };
        let root = |expression: Raw<'_>| {
            Ok(Kind::Root(Box::new(Expression::parse(expression, context, variables)?)))
        };
        let kind = match name {
            "$project" => shape(Dialect::Stage, operand)?,
            "$addFields" | "$set" => shape(Dialect::Add, operand)?,
            "$unset" => {
                let exclusion = unset(operand)
                    .ok_or_else(|| wrong("needs a path, or an array of at least one path"))?;
                shape(Dialect::Stage, Raw::trusted(&exclusion))?
            }
            "$replaceRoot" => match operand.get("newRoot") {
                Some(new) if operand.member_count() == 1 => root(new)?,
                _ => return Err(wrong("needs {newRoot: expression}")),
            },
            "$replaceWith" => root(operand)?,
            _ => {
                let message = format!("{name} is not a stage that reshapes documents");
                return Err(Error::invalid("unknown_operator", message).with("operator", name));
            }
        };
        Ok(Self { kind, limits: context.limits.clone() })
    }

    /// Writes the new document; `scope.root` is the old one.
    pub fn apply(&self, scope: &Scope<'_>, out: &mut Vec<u8>) -> Result<()> {
        let _work = Work::begin();
        match &self.kind {
            Kind::Shape(shape) => shape.write(scope, None, &self.limits, out),
            Kind::Root(expression) => {
                let item = expression.evaluate(scope)?;
                let new = item.raw().filter(|new| new.as_object().is_some()).ok_or_else(|| {
                    let kind = item.raw().map_or("missing", |raw| raw.kind().alias());
                    let message =
                        format!("the new root of a document must be an object, not {kind}");
                    Error::invalid("not_an_object", message).with("operator", "$replaceRoot")
                })?;
                check::document(new.as_bytes(), &self.limits)?;
                out.extend_from_slice(new.as_bytes());
                Ok(())
            }
        }
    }
}

/// The exclusion that an `$unset` means.
fn unset(operand: Raw<'_>) -> Option<Vec<u8>> {
    let paths: Vec<&str> = match operand.as_array() {
        None => vec![operand.as_str()?],
        Some(mut paths) => {
            let mut list = Vec::with_capacity(operand.member_count().min(1024));
            paths.try_for_each(|path| path.as_str().map(|path| list.push(path)))?;
            list
        }
    };
    let members = paths.into_iter().map(|path| (path.to_owned(), Value::Bool(false)));
    Some(members.collect::<crate::value::Object>().to_bytes())
}
