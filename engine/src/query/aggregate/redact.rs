//! `$redact`: cuts subdocuments out of documents, level by level.
//!
//! Guarantees: the expression sees the present level as `$$CURRENT`. `$$KEEP` keeps the level as it is, `$$PRUNE` cuts it,
//! `$$DESCEND` goes on into its documents and into those of its arrays.
//! Leaves to others: the expression.

use bytes::Bytes;

use super::Documents;
use super::operand::invalid;
use super::parse::Parser;
use super::stream::{Env, Variables};
use crate::error::Result;
use crate::query::Item;
use crate::query::expression::{Expression, Scope};
use crate::value::{Raw, encode};

const STAGE: &str = "$redact";
const DECISIONS: [&str; 3] = ["DESCEND", "PRUNE", "KEEP"];

/// A compiled `$redact`.
#[derive(Clone, Debug)]
pub(super) struct Redact {
    expression: Expression,
}

impl Redact {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let mut names = parser.variables.to_vec();
        names.extend(DECISIONS.map(str::to_owned));
        Ok(Self { expression: Expression::parse(raw, parser.context, &names)? })
    }

    pub(super) fn run<'a>(&'a self, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let mut variables = env.variables.to_vec();
        variables.extend(DECISIONS.map(|name| (name.to_owned(), Item::text(name))));
        super::stream::generate(env.budget, move || {
            loop {
                env.budget.check()?;
                let Some(document) = input.next().transpose()? else { return Ok(None) };
                let mut out = Vec::with_capacity(document.len());
                let root = Raw::trusted(&document);
                let level = Level { root, env, variables: &variables };
                if self.write(root, &level, &mut out)? {
                    return Ok(Some(Bytes::from(out)));
                }
            }
        })
    }

    /// Writes what is left of a level; false if nothing is.
    fn write(&self, current: Raw<'_>, level: &Level<'_, '_>, out: &mut Vec<u8>) -> Result<bool> {
        level.env.budget.check()?;
        let scope = Scope {
            root: level.root,
            current,
            now_ms: level.env.now_ms,
            variables: level.variables,
        };
        match self.expression.evaluate(&scope)?.raw_or_null().as_str() {
            Some("KEEP") => out.extend_from_slice(current.as_bytes()),
            Some("PRUNE") => return Ok(false),
            Some("DESCEND") => self.descend(current, level, out)?,
            _ => {
                let message = "must come to $$KEEP, $$PRUNE or $$DESCEND";
                return Err(invalid(STAGE, "", message));
            }
        }
        Ok(true)
    }

    fn descend(&self, object: Raw<'_>, level: &Level<'_, '_>, out: &mut Vec<u8>) -> Result<()> {
        let start = encode::open(out);
        let mut len = 0;
        for (name, value) in object.object_iter() {
            let before = out.len();
            encode::write_str(name, out);
            if self.write_value(value, level, out)? {
                len += 1;
            } else {
                out.truncate(before);
            }
        }
        encode::close_object(start, len, out);
        Ok(())
    }

    fn write_value(
        &self,
        value: Raw<'_>,
        level: &Level<'_, '_>,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        if value.as_object().is_some() {
            return self.write(value, level, out);
        }
        let Some(elements) = value.as_array() else {
            out.extend_from_slice(value.as_bytes());
            return Ok(true);
        };
        let start = encode::open(out);
        let mut len = 0;
        for element in elements {
            len += usize::from(self.write_value(element, level, out)?);
        }
        encode::close_array(start, len, out);
        Ok(true)
    }
}

/// What stays the same within one document.
struct Level<'d, 'e> {
    root: Raw<'d>,
    env: Env<'e>,
    variables: &'d Variables,
}
