//! Reading projections.
//!
//! Guarantees: a projection includes or excludes, but for `_id`; paths that collide, empty parts, parts that begin with `$`,
//! and a misplaced positional `$` are refused by path.
//! Leaves to others: expressions and conditions.

use std::sync::Arc;

use super::array::{FirstMatch, Slice};
use super::fields::{Field, Fields};
use super::shape::Mode;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::expression::Expression;
use crate::value::Raw;
use crate::value::check::NESTING_MAX;
use crate::value::document::ID;

/// Who reads a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A find: with `$slice`, `$elemMatch` and the positional `$` of its own.
    Find,
    /// `$project`.
    Stage,
    /// `$addFields`: every value is an expression.
    Add,
}

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) mode: Mode,
    pub(super) fields: Fields,
    /// The paths of a plain inclusion.
    pub(super) paths: Option<Vec<Box<str>>>,
}

/// Reading one projection.
pub(super) struct Parser<'c> {
    context: &'c Context<'c>,
    variables: &'c [String],
    dialect: Dialect,
    fields: Fields,
    mode: Option<Mode>,
    /// What is said about the whole `_id`.
    id: Option<bool>,
    /// Whether something is shown in a way of its own, which makes an inclusion where nothing else is said.
    shows: bool,
    /// The paths so far, as long as all are plain.
    paths: Option<Vec<Box<str>>>,
}

/// What a number or boolean says about a field.
fn flag(raw: Raw<'_>) -> Option<bool> {
    if raw.kind().is_number() {
        return Some(!crate::value::compare::equal(raw, Raw::trusted(&[0])));
    }
    raw.as_bool()
}

impl<'c> Parser<'c> {
    /// Reads a projection.
    pub(super) fn parse(
        dialect: Dialect,
        projection: Raw<'_>,
        context: &'c Context<'c>,
        variables: &'c [String],
    ) -> Result<Parsed> {
        if projection.as_object().is_none() {
            return Err(invalid("a projection must be an object", ""));
        }
        let mut parser = Self {
            context,
            variables,
            dialect,
            fields: Fields::default(),
            mode: None,
            id: None,
            shows: false,
            paths: Some(Vec::new()),
        };
        parser.object("", projection, 0)?;
        parser.finish()
    }

    fn finish(mut self) -> Result<Parsed> {
        let mode = self.mode.unwrap_or(match self.id {
            Some(true) => Mode::Include,
            _ if self.shows => Mode::Include,
            _ => Mode::Exclude,
        });
        let named = self.fields.find(ID.as_bytes()).is_some();
        match (mode, self.id) {
            (_, Some(_)) if named => return Err(collision(ID)),
            (Mode::Include, None) if named || self.dialect == Dialect::Add => {}
            (Mode::Include, None | Some(true)) | (Mode::Exclude, Some(false)) => {
                self.insert(ID, Field::Plain)?;
            }
            _ => {}
        }
        let paths = if mode == Mode::Include { self.paths } else { None };
        Ok(Parsed { mode, fields: self.fields, paths })
    }

    fn object(&mut self, prefix: &str, object: Raw<'_>, depth: u32) -> Result<()> {
        if depth > self.context.limits.query_depth {
            let max = u64::from(self.context.limits.query_depth);
            let message =
                format!("a projection is nested more than {max} deep (limits.query_depth)");
            return Err(Error::limit("limits.query_depth", max, message));
        }
        for (name, value) in object.object_iter() {
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            self.field(&path, value, depth)?;
        }
        Ok(())
    }

    fn field(&mut self, path: &str, value: Raw<'_>, depth: u32) -> Result<()> {
        let positional = path.strip_suffix(".$").filter(|_| self.dialect == Dialect::Find);
        self.check_path(positional.unwrap_or(path), path)?;
        if self.dialect != Dialect::Add
            && let Some(shown) = flag(value)
        {
            return self.flagged(path, positional, shown);
        }
        if positional.is_some() {
            return Err(invalid("takes only 1 with the positional `$`", path));
        }
        let first = value.object_iter().next().map(|(name, _)| name);
        match first {
            None if value.as_object().is_some() => {
                Err(invalid("has an empty object, which says nothing", path))
            }
            Some(name) if !name.starts_with('$') => self.object(path, value, depth + 1),
            Some(name) if self.dialect == Dialect::Find => self.shown(path, name, value),
            _ => self.computed(path, value),
        }
    }

    /// `path: 1` or `path: 0`.
    fn flagged(&mut self, path: &str, positional: Option<&str>, shown: bool) -> Result<()> {
        if path == ID {
            self.id = Some(shown);
            return Ok(());
        }
        self.set_mode(if shown { Mode::Include } else { Mode::Exclude }, path)?;
        let Some(path) = positional else {
            return self.insert(path, Field::Plain);
        };
        if !shown {
            return Err(invalid("cannot be left out with the positional `$`", path));
        }
        if self.fields.positional {
            return Err(invalid("is the second path with the positional `$`", path));
        }
        self.paths = None;
        self.insert(path, Field::Positional)
    }

    /// An object whose first name is an operator, in a find.
    fn shown(&mut self, path: &str, operator: &str, value: Raw<'_>) -> Result<()> {
        let operand = value.get(operator).unwrap_or(Raw::NULL);
        // A `$slice` of an array of anything but numbers is the expression.
        let is_slice = operator == "$slice"
            && operand.array_iter().next().is_none_or(|first| first.kind().is_number());
        if !is_slice && operator != "$elemMatch" {
            return self.computed(path, value);
        }
        if value.member_count() != 1 {
            return Err(invalid("has another operator next to $slice or $elemMatch", path));
        }
        self.paths = None;
        if is_slice {
            let slice = Slice::parse(operand).map_err(|what| invalid(what, path))?;
            return self.insert(path, Field::Slice(slice));
        }
        if operand.as_object().is_none() {
            return Err(invalid("needs an object as $elemMatch", path));
        }
        if path.contains('.') {
            return Err(invalid("must have no dots for $elemMatch", path));
        }
        self.shows = true;
        self.insert(path, Field::FirstMatch(FirstMatch::parse(value, self.context)?))
    }

    fn computed(&mut self, path: &str, value: Raw<'_>) -> Result<()> {
        self.set_mode(Mode::Include, path)?;
        self.paths = None;
        let expression = Expression::parse(value, self.context, self.variables)?;
        self.insert(path, Field::Computed(Arc::new(expression)))
    }

    fn set_mode(&mut self, mode: Mode, path: &str) -> Result<()> {
        match self.mode {
            Some(before) if before != mode => {
                Err(invalid("cannot be shown beside paths that are left out, or the reverse", path))
            }
            _ => {
                self.mode = Some(mode);
                Ok(())
            }
        }
    }

    fn insert(&mut self, path: &str, field: Field) -> Result<()> {
        if let Some(paths) = &mut self.paths {
            paths.push(path.into());
        }
        let parts: Vec<_> = path.split('.').collect();
        self.fields.insert(&parts, field).map_err(|_| collision(path))
    }

    fn check_path(&self, path: &str, whole: &str) -> Result<()> {
        let depth_max = self.context.limits.nesting.min(NESTING_MAX);
        let mut depth = 0_u32;
        for part in path.split('.') {
            if part.is_empty() {
                return Err(invalid("has an empty part", whole));
            }
            if part.starts_with('$') {
                return Err(invalid("has a part that begins with `$`", whole));
            }
            depth = depth.saturating_add(1);
        }
        if depth > depth_max {
            let max = u64::from(depth_max);
            let message = format!("a projection has a path more than {max} deep (limits.nesting)");
            return Err(Error::limit("limits.nesting", max, message));
        }
        Ok(())
    }
}

fn invalid(what: &str, path: &str) -> Error {
    if path.is_empty() {
        return Error::invalid("invalid_projection", what);
    }
    Error::invalid("invalid_projection", format!("path `{path}` of the projection {what}"))
        .with("path", path)
}

fn collision(path: &str) -> Error {
    Error::invalid(
        "conflicting_paths",
        format!("path `{path}` of the projection collides with another path of it"),
    )
    .with("path", path)
}
