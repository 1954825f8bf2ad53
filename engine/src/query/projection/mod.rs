//! Projections: which fields of a document an answer shows; and the stages that reshape documents.

use super::{Context, Filter};
use crate::error::{Error, Result};
use crate::value::Raw;

/// A compiled projection of a find.
#[derive(Clone, Debug)]
pub struct Projection {}

impl Projection {
    /// Compiles a find's projection; `{}` shows everything.
    pub fn parse(projection: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let _ = (projection, context);
        Err(Error::invalid("unsupported", "projections are not there yet"))
    }

    /// Writes what a document shows. `filter` is the one that found it, for the positional `$`.
    pub fn apply(
        &self,
        document: Raw<'_>,
        filter: Option<&Filter>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let _ = (document, filter, out);
        Err(Error::invalid("unsupported", "projections are not there yet"))
    }
}

/// A stage that makes one document of one: `$project`, `$addFields`/`$set`, `$unset`, `$replaceRoot`/`$replaceWith`.
#[derive(Clone, Debug)]
pub struct Reshape {}

impl Reshape {
    /// Compiles the stage `name` (with its `$`) with its operand. `variables` as for expressions.
    pub fn parse(
        name: &str,
        operand: Raw<'_>,
        context: &Context<'_>,
        variables: &[String],
    ) -> Result<Self> {
        let _ = (name, operand, context, variables);
        Err(Error::invalid("unsupported", "projections are not there yet"))
    }

    /// Writes the new document; `scope.root` is the old one.
    pub fn apply(&self, scope: &super::expression::Scope<'_>, out: &mut Vec<u8>) -> Result<()> {
        let _ = (scope, out);
        Err(Error::invalid("unsupported", "projections are not there yet"))
    }
}
