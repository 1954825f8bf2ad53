//! The types a value can have, with the place of each in the total order.
//!
//! Guarantees: [`ValueKind::rank`] is the sort rank of the query language's reference, section 1; the four numeric types
//! share one rank. [`ValueKind::alias`] and [`ValueKind::code`] are the names and numbers that `$type` takes.
//! Leaves to others: comparison within a rank (`compare`).

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// Sorts before everything.
    MinKey,
    /// The null value.
    Null,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A double.
    Double,
    /// A decimal128.
    Decimal,
    /// A UTF-8 text.
    String,
    /// An ordered object.
    Object,
    /// An array.
    Array,
    /// Bytes with a subtype.
    Binary,
    /// A 12-byte id.
    ObjectId,
    /// A boolean.
    Bool,
    /// Milliseconds since the Unix epoch.
    Date,
    /// Seconds and a counter.
    Timestamp,
    /// A regular expression.
    Regex,
    /// Sorts after everything.
    MaxKey,
}

impl ValueKind {
    /// The rank in the total order; values of different rank are never equal.
    pub fn rank(self) -> u8 {
        match self {
            Self::MinKey => 1,
            Self::Null => 2,
            Self::Int32 | Self::Int64 | Self::Double | Self::Decimal => 3,
            Self::String => 4,
            Self::Object => 5,
            Self::Array => 6,
            Self::Binary => 7,
            Self::ObjectId => 8,
            Self::Bool => 9,
            Self::Date => 10,
            Self::Timestamp => 11,
            Self::Regex => 12,
            Self::MaxKey => 15,
        }
    }

    /// Whether this is one of the four numeric types.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Double | Self::Decimal)
    }

    /// The name that `$type` knows.
    pub fn alias(self) -> &'static str {
        match self {
            Self::MinKey => "minKey",
            Self::Null => "null",
            Self::Int32 => "int",
            Self::Int64 => "long",
            Self::Double => "double",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
            Self::Binary => "binData",
            Self::ObjectId => "objectId",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Regex => "regex",
            Self::MaxKey => "maxKey",
        }
    }

    /// The number that `$type` knows.
    pub fn code(self) -> i32 {
        match self {
            Self::MinKey => -1,
            Self::Double => 1,
            Self::String => 2,
            Self::Object => 3,
            Self::Array => 4,
            Self::Binary => 5,
            Self::ObjectId => 7,
            Self::Bool => 8,
            Self::Date => 9,
            Self::Null => 10,
            Self::Regex => 11,
            Self::Int32 => 16,
            Self::Timestamp => 17,
            Self::Int64 => 18,
            Self::Decimal => 19,
            Self::MaxKey => 127,
        }
    }
}
