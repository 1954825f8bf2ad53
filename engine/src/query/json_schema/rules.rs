//! The compiled form of a schema.
//!
//! Guarantees: every [`Id`] leads to a schema. Leaves to others: checking values.

use super::format::Format;
use crate::query::filter::TypeSet;
use crate::query::regex::Pattern;
use crate::value::Raw;

/// The place of a schema among the compiled ones.
pub(super) type Id = usize;

/// One keyword, or a few that belong together.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// `false` as a schema.
    Never,
    /// `type`, `bsonType`.
    Type { keyword: &'static str, types: TypeSet, whole: bool, label: Box<str> },
    /// `enum`.
    Enum(Vec<Box<[u8]>>),
    /// `const`.
    Const(Box<[u8]>),
    /// `minimum` and `exclusiveMinimum`, or `maximum` and `exclusiveMaximum`.
    Bound { keyword: &'static str, bound: Box<[u8]>, lower: bool, exclusive: bool },
    /// `multipleOf`; its double, and its whole number if it is one.
    MultipleOf(f64, Option<i64>),
    /// `minLength`, `maxItems` and their like.
    Count { keyword: &'static str, of: Counted, least: bool, count: u64 },
    /// `pattern`.
    Pattern(Pattern),
    /// `format`.
    Format(Format),
    /// `properties`, `patternProperties`, `additionalProperties`.
    Properties(Properties),
    /// `propertyNames`.
    PropertyNames(Id),
    /// `required`.
    Required(Vec<Box<str>>),
    /// `dependencies`, `dependentRequired`, `dependentSchemas`.
    Dependency { keyword: &'static str, name: Box<str>, needs: Vec<Box<str>>, schema: Option<Id> },
    /// `items`, `prefixItems`, `additionalItems`.
    Items { first: Vec<Id>, rest: Rest },
    /// `contains`.
    Contains(Id),
    /// `uniqueItems`.
    UniqueItems,
    /// `allOf`, `$ref`.
    AllOf(Vec<Id>),
    /// `anyOf`.
    AnyOf(Vec<Id>),
    /// `oneOf`.
    OneOf(Vec<Id>),
    /// `not`.
    Not(Id),
    /// `if`, `then`, `else`.
    If { condition: Id, then: Option<Id>, otherwise: Option<Id> },
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Characters,
    Elements,
    Members,
}

/// What holds for members or elements that are not named.
#[derive(Clone, Debug)]
pub(super) enum Rest {
    Any,
    None(&'static str),
    Schema(Id),
}

/// The schemas of members.
#[derive(Clone, Debug)]
pub(super) struct Properties {
    /// Sorted by name.
    pub(super) named: Vec<(Box<str>, Id)>,
    pub(super) patterns: Vec<(Pattern, Id)>,
    pub(super) rest: Rest,
}

impl Counted {
    /// The number, if the value is of the right type.
    pub(super) fn count(self, value: Raw<'_>) -> Option<u64> {
        let count = match self {
            Self::Characters => value.as_str()?.chars().count(),
            Self::Elements => value.as_array().map(|_| value.member_count())?,
            Self::Members => value.as_object().map(|_| value.member_count())?,
        };
        u64::try_from(count).ok()
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Elements => "elements",
            Self::Members => "members",
        }
    }
}
