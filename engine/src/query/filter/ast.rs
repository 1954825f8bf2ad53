//! The compiled form of a filter.
//!
//! The planner reads it to find bounds, an upsert to find the fields of the new document; evaluation walks it.

use std::sync::Arc;

use super::super::expression::Expression;
use crate::value::path::Path;

/// A condition on a whole document.
#[derive(Clone, Debug)]
pub enum Node {
    /// All of them; `{}` is an empty list.
    And(Vec<Node>),
    /// At least one of them; never empty.
    Or(Vec<Node>),
    /// None of them; never empty.
    Nor(Vec<Node>),
    /// A condition on the values at a path.
    Field {
        /// Where to look.
        path: Path,
        /// What must hold there.
        test: Test,
    },
    /// `$expr`.
    Expression(Arc<Expression>),
}

/// A condition on the values that a path leads to.
#[derive(Clone, Debug)]
pub enum Test {
    /// `$eq`, a plain value; `$ne` is `Not` of it. Encoded.
    Equal(Box<[u8]>),
    /// `$lt`; encoded, its bracket is the operand's type rank.
    Less(Box<[u8]>),
    /// `$lte`.
    LessOrEqual(Box<[u8]>),
    /// `$gt`.
    Greater(Box<[u8]>),
    /// `$gte`.
    GreaterOrEqual(Box<[u8]>),
    /// `$in`; `$nin` is `Not` of it. Plain values, encoded, sorted and without doubles; patterns apart.
    In {
        /// The values.
        values: Arc<[Box<[u8]>]>,
    },
    /// `$exists`.
    Exists(bool),
    /// The conditions of one field together: `{$gt: 1, $lt: 5}`.
    All(Vec<Test>),
    /// `$not`, `$ne`, `$nin`: the whole positive condition does not hold.
    Not(Box<Test>),
    /// `$elemMatch`.
    Element(ElementTest),
}

/// What one element of an array must satisfy.
#[derive(Clone, Debug)]
pub enum ElementTest {
    /// Conditions on the element as a value.
    Value(Vec<Test>),
    /// A filter on the element as a document.
    Document(Box<Node>),
}
