//! The fields of a projection as a tree over their paths.
//!
//! Guarantees: no path is there twice and none is a prefix of another; the fields of a level keep the order in which they
//! were given; finding a field does not get slow with their number.
//! Leaves to others: what is done with a field.

use std::collections::HashMap;
use std::sync::Arc;

use super::array::{FirstMatch, Slice};
use crate::query::expression::Expression;

/// Up to this many fields of a level are searched one by one.
const LINEAR_FIELDS_MAX: usize = 8;

/// The fields of one level.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    list: Vec<(Box<str>, Field)>,
    table: Option<HashMap<Box<[u8]>, usize>>,
    /// Whether one of them, at any depth, is computed.
    pub(super) computed: bool,
    /// Whether one of them, at any depth, is positional.
    pub(super) positional: bool,
}

/// What is said about a field.
#[derive(Clone, Debug)]
pub(super) enum Field {
    /// Included in an inclusion, excluded in an exclusion.
    Plain,
    /// Something is said about fields in it.
    Nested(Fields),
    /// `$slice`.
    Slice(Slice),
    /// `$elemMatch`.
    FirstMatch(FirstMatch),
    /// `path.$`.
    Positional,
    /// An expression.
    Computed(Arc<Expression>),
}

/// A path that another one begins with, or that is there already.
pub(super) struct Collision;

impl Fields {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The fields in the order given.
    pub(super) fn list(&self) -> &[(Box<str>, Field)] {
        &self.list
    }

    /// A field and its place.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<(usize, &Field)> {
        let place = match &self.table {
            None => self.list.iter().position(|(field, _)| field.as_bytes() == name)?,
            Some(table) => *table.get(name)?,
        };
        self.list.get(place).map(|(_, field)| (place, field))
    }

    /// Adds a field at a path.
    pub(super) fn insert(&mut self, path: &[&str], field: Field) -> Result<(), Collision> {
        self.computed |= matches!(field, Field::Computed(_));
        self.positional |= matches!(field, Field::Positional);
        let Some((name, rest)) = path.split_first() else { return Err(Collision) };
        let found = self.find(name.as_bytes()).map(|(place, _)| place);
        if let Some(place) = found {
            return match self.list.get_mut(place) {
                Some((_, Field::Nested(nested))) if !rest.is_empty() => nested.insert(rest, field),
                _ => Err(Collision),
            };
        }
        if rest.is_empty() {
            self.push(name, field);
            return Ok(());
        }
        let mut nested = Self::default();
        nested.insert(rest, field)?;
        self.push(name, Field::Nested(nested));
        Ok(())
    }

    fn push(&mut self, name: &str, field: Field) {
        let place = self.list.len();
        self.list.push((name.into(), field));
        if let Some(table) = &mut self.table {
            table.insert(name.as_bytes().into(), place);
        } else if self.list.len() > LINEAR_FIELDS_MAX {
            let places = self.list.iter().enumerate();
            self.table =
                Some(places.map(|(place, (name, _))| (name.as_bytes().into(), place)).collect());
        }
    }
}
