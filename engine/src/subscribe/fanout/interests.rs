//! Where the events lie that an audience may want: collections, and values that a document must have there.

use crate::query::Filter;
use crate::query::filter::{Node, Test};
use crate::value::path::Path;
use crate::value::{Raw, ValueKind, key};

/// Where an audience's events lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interests {
    /// Anywhere.
    Everything,
    /// In these collections; events that belong to none have the name "".
    In(Vec<Interest>),
}

/// Where in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The collection.
    pub collection: String,
    /// What a document must have, before the event or after it; `None`: anything.
    pub equality: Option<Equality>,
}

/// A path at which one of some values must stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equality {
    /// Where.
    pub path: Path,
    /// The keys of the values.
    pub(super) keys: Vec<Vec<u8>>,
}

impl Equality {
    /// The equality that a filter demands, if it demands one: every document that matches the filter satisfies it. The one
    /// with the fewest values is chosen, the first of them.
    pub fn of(filter: &Filter) -> Option<Self> {
        let Node::And(nodes) = filter.root() else { return None };
        let found = nodes.iter().filter_map(|node| match node {
            Node::Field { path, test } => Some(Self { path: path.clone(), keys: keys_of(test)? }),
            _ => None,
        });
        found.min_by_key(|equality| equality.keys.len())
    }
}

/// The keys of the values of which one must stand there.
fn keys_of(test: &Test) -> Option<Vec<Vec<u8>>> {
    match test {
        Test::Equal(value) => Some(vec![key_of(value)?]),
        Test::In { values } => values.iter().map(|value| key_of(value)).collect(),
        Test::All(tests) => tests.iter().filter_map(keys_of).min_by_key(Vec::len),
        _ => None,
    }
}

/// The key of a value that can be looked up: null stands for what is missing, too, and an array for its elements.
fn key_of(value: &[u8]) -> Option<Vec<u8>> {
    let value = Raw::trusted(value);
    let can = !matches!(value.kind(), ValueKind::Null | ValueKind::Array);
    can.then(|| key::encode(value))
}
