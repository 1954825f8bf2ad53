//! Reading an update of operators.
//!
//! Guarantees: unknown operators, malformed paths and operands, and conflicts are refused by name.
//! Leaves to others: replacements and pipelines.

use std::collections::HashMap;

use super::action::{self, Action, Leaf, refused};
use super::filters::{self, ArrayFilter};
use super::path::{self, Part, PathRules};
use super::plan::Branch;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::value::Raw;

/// An update of operators.
#[derive(Clone, Debug)]
pub(super) struct Operators {
    /// What to do, by path.
    pub(super) plan: Branch,
    /// The old places of all `$rename`s, and how many there are.
    pub(super) renames: (Branch, usize),
    /// The array filters by number.
    pub(super) filters: Vec<ArrayFilter>,
    /// Whether a path has the positional `$`.
    pub(super) positional: bool,
}

/// Most paths of one update: a document of so many members is better replaced as a whole.
const PATHS_MAX: usize = 10_000;

/// The operators that there are.
const OPERATORS: [&str; 15] = [
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$rename",
    "$currentDate",
    "$setOnInsert",
    "$bit",
    "$push",
    "$addToSet",
    "$pop",
    "$pull",
    "$pullAll",
];

impl Operators {
    /// Reads them.
    pub(super) fn parse(
        update: Raw<'_>,
        array_filters: Option<Raw<'_>>,
        context: &Context<'_>,
    ) -> Result<Self> {
        let (filters, numbers) = filters::parse(array_filters, context)?;
        let mut operators = Self {
            plan: Branch::default(),
            renames: Default::default(),
            filters,
            positional: false,
        };
        let mut paths = 0;
        for (name, operands) in update.object_iter() {
            paths += operands.member_count();
            if paths > PATHS_MAX {
                let message = format!("an update of more than {PATHS_MAX} paths");
                return Err(Error::limit("update_paths", PATHS_MAX as u64, message));
            }
            let Some(operator) = OPERATORS.into_iter().find(|operator| *operator == name) else {
                return Err(unknown(name));
            };
            let members = operands.as_object().ok_or_else(|| {
                Error::invalid(
                    "invalid_operand",
                    format!("{operator} needs an object of paths as its operand"),
                )
                .with("operator", operator)
            })?;
            for (path, operand) in members {
                if operator == "$rename" {
                    operators.add_rename(path, operand, context, &numbers)?;
                    continue;
                }
                let action = action::parse(operator, path, operand, context)?;
                operators.add(operator, path, action, context, &numbers)?;
            }
        }
        filters::check_used(&operators.filters, &operators.plan)?;
        Ok(operators)
    }

    fn add(
        &mut self,
        operator: &'static str,
        path: &str,
        action: Action,
        context: &Context<'_>,
        filters: &HashMap<String, usize>,
    ) -> Result<()> {
        let rules = PathRules { limits: context.limits, filters };
        let parts = path::parse(path, operator, &rules)?;
        self.positional |= parts.contains(&Part::Position);
        let insert_only = operator == "$setOnInsert";
        self.plan.insert(parts, Leaf { operator, path: path.into(), action, insert_only })
    }

    fn add_rename(
        &mut self,
        from: &str,
        to: Raw<'_>,
        context: &Context<'_>,
        filters: &HashMap<String, usize>,
    ) -> Result<()> {
        const OPERATOR: &str = "$rename";
        let to = to.as_str().ok_or_else(|| {
            refused("invalid_operand", OPERATOR, from, "needs a text as its new name")
        })?;
        for path in [from, to] {
            if path.split('.').any(|part| part.starts_with('$')) {
                let what = "must have no positional operator and no name that begins with `$`";
                return Err(refused("invalid_path", OPERATOR, path, what));
            }
        }
        let number = self.renames.1;
        self.renames.1 += 1;
        self.add(OPERATOR, from, Action::RenameFrom(number), context, filters)?;
        let rules = PathRules { limits: context.limits, filters };
        let action = Action::RenameFrom(number);
        let leaf = Leaf { operator: OPERATOR, path: from.into(), action, insert_only: false };
        self.renames.0.insert(path::parse(from, OPERATOR, &rules)?, leaf)?;
        self.add(OPERATOR, to, Action::RenameTo(number), context, filters)
    }
}

fn unknown(name: &str) -> Error {
    let message = if name.starts_with('$') {
        format!("unknown update operator {name}")
    } else {
        format!("an update of operators cannot have the plain field `{name}` beside them")
    };
    let code = if name.starts_with('$') { "unknown_operator" } else { "mixed_update" };
    Error::invalid(code, message).with("operator", name)
}
