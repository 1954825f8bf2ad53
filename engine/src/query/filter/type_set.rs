//! Sets of types: the operand of `$type`, and `bsonType` and `type` of schemas.
//!
//! Guarantees: every alias and code of the reference, section 1, is known, also of types that no value has here.
//! Leaves to others: the messages.

use crate::value::{Raw, ValueKind};

/// A set of types of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSet(u32);

const KINDS: [ValueKind; 16] = [
    ValueKind::MinKey,
    ValueKind::Null,
    ValueKind::Int32,
    ValueKind::Int64,
    ValueKind::Double,
    ValueKind::Decimal,
    ValueKind::String,
    ValueKind::Object,
    ValueKind::Array,
    ValueKind::Binary,
    ValueKind::ObjectId,
    ValueKind::Bool,
    ValueKind::Date,
    ValueKind::Timestamp,
    ValueKind::Regex,
    ValueKind::MaxKey,
];

/// Types that exist for MongoDB alone.
const FOREIGN: [(&str, i64); 5] = [
    ("undefined", 6),
    ("dbPointer", 12),
    ("javascript", 13),
    ("symbol", 14),
    ("javascriptWithScope", 15),
];

impl TypeSet {
    /// All four types of numbers.
    pub fn number() -> Self {
        KINDS
            .iter()
            .filter(|kind| kind.is_number())
            .fold(Self::default(), |set, kind| set.with(*kind))
    }

    /// This set and one more type.
    #[must_use]
    pub fn with(self, kind: ValueKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// The types of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a type is in it.
    pub fn contains(self, kind: ValueKind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }

    /// The types, in the order of their ranks.
    pub fn kinds(self) -> impl Iterator<Item = ValueKind> {
        KINDS.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// What an alias means; `number` is four types.
    pub fn from_alias(alias: &str) -> Option<Self> {
        if alias == "number" {
            return Some(Self::number());
        }
        if FOREIGN.iter().any(|(name, _)| *name == alias) {
            return Some(Self::default());
        }
        KINDS.iter().find(|kind| kind.alias() == alias).map(|kind| Self::default().with(*kind))
    }

    /// What a code means.
    pub fn from_code(code: i64) -> Option<Self> {
        if FOREIGN.iter().any(|(_, foreign)| *foreign == code) {
            return Some(Self::default());
        }
        let kind = KINDS.iter().find(|kind| i64::from(kind.code()) == code)?;
        Some(Self::default().with(*kind))
    }

    /// What an alias or a code as a value means.
    pub(in crate::query) fn from_raw(raw: Raw<'_>) -> Option<Self> {
        match raw.as_str() {
            Some(alias) => Self::from_alias(alias),
            None => Self::from_code(super::numeric::integral(raw)?),
        }
    }
}
