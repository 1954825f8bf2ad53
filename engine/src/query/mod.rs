//! The query language: filters, updates, projections, sorts and aggregation, all over encoded documents.
//!
//! Guarantees: what MongoDB documents is what happens (the facts are in `docs/query-language.md`); everything is compiled
//! once and then evaluated as often as wanted; unknown operators and malformed operands are refused when compiled, by name
//! and path. The same result whatever index is used.
//! Leaves to others: permission (the access layer), wire formats and other dialects (the faces translate), durability.

pub mod aggregate;
mod arithmetic;
mod budget;
pub mod expression;
pub mod filter;
pub mod find;
pub(crate) mod geo;
mod item;
pub mod json_schema;
pub mod over;
pub mod plain;
pub mod projection;
pub(crate) mod regex;
pub mod sort;
pub(crate) mod text;
pub mod update;

pub use budget::{Budget, NOT_SMALL};
pub use filter::Filter;
pub use item::{Encoded, Item};
pub use projection::Projection;
pub use sort::Sort;
pub use update::Update;

use crate::limits::Limits;

/// What compiling needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The limits on depth, clauses, values and regular expressions.
    pub limits: &'a Limits,
    /// The time of the request, UTC ms: `$$NOW` and `$currentDate`.
    pub now_ms: i64,
    /// Where names of other collections and heavy operators stand.
    pub trust: Trust,
}

/// Which operators are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// `$where`, `$function`, `$accumulator`, `$out` and `$merge` are refused.
    #[default]
    Ordinary,
    /// An administrator: `$out` and `$merge` are allowed.
    Admin,
}
