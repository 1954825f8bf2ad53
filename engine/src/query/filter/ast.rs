//! The compiled form of a filter.
//!
//! The planner reads it to find bounds, an upsert to find the fields of the new document; evaluation walks it.
//! Guarantees: the root is an [`Node::And`] in which no `And` stands (a `$or` of one branch is taken apart as well); every
//! operand is encoded canonically; nothing nests deeper than `limits.query_depth`.

use std::sync::Arc;

use super::super::expression::Expression;
use super::super::geo::{GeoTest, Near};
use super::super::json_schema::Schema;
use super::super::regex::Pattern;
use super::super::text::TextQuery;
use super::numeric::Bits;
use super::type_set::TypeSet;
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
    /// `$jsonSchema`.
    Schema(Arc<Schema>),
    /// `$text`; only at the top.
    Text(Box<TextQuery>),
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
    /// `$in`; `$nin` is `Not` of it. Plain values, encoded, in their order and without doubles. With patterns it is an
    /// [`Test::Any`].
    In {
        /// The values.
        values: Arc<[Box<[u8]>]>,
    },
    /// `$exists`.
    Exists(bool),
    /// The conditions of one field together: `{$gt: 1, $lt: 5}`, `$all`. Different values may satisfy them.
    All(Vec<Test>),
    /// At least one of them: `$in` with patterns. None at all for `$all: []`.
    Any(Vec<Test>),
    /// `$not`, `$ne`, `$nin`: the whole positive condition does not hold.
    Not(Box<Test>),
    /// `$elemMatch`.
    Element(ElementTest),
    /// `$regex`, a regular expression as the operand or within `$in` or `$all`; also matches the same expression as a value.
    Regex(Pattern),
    /// `$type`.
    Type(TypeSet),
    /// `$mod`.
    Modulo {
        /// Never 0.
        divisor: i64,
        /// Takes the sign of the value.
        remainder: i64,
    },
    /// `$size`.
    Size(usize),
    /// `$bitsAllSet` and its like.
    Bits(Bits),
    /// `$geoWithin`, `$geoIntersects`.
    Geo(Arc<GeoTest>),
    /// `$near`, `$nearSphere`: matches within its distances; the order is the executor's. Only at the top.
    Near(Arc<Near>),
}

/// What one element of an array must satisfy.
#[derive(Clone, Debug)]
pub enum ElementTest {
    /// Conditions on the element as a value.
    Value(Vec<Test>),
    /// A filter on the element as a document.
    Document(Box<Node>),
}
