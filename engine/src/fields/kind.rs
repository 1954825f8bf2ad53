//! The types of fields, and their public names.
//!
//! Leaves to others: what each of them takes (`convert`, `check`).

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A day, stored as the date of its midnight in UTC, or as the moment that was given.
    Date,
    /// A moment, stored as a date.
    DateTime,
    /// True or false.
    Boolean,
    /// An object or an array.
    Json,
    /// A text with the form of an email address.
    Email,
    /// A text with the form of an absolute URL.
    Url,
    /// A text that may be a telephone number.
    Phone,
    /// A list of ids of documents of another collection.
    Lookup,
    /// Documents of another collection that name this one as their parent; nothing is stored here.
    Child,
    /// A list of ids of the media archive.
    Image,
    /// A list of ids of the media archive.
    File,
}

const NAMES: [(&str, FieldType); 13] = [
    ("text", FieldType::Text),
    ("number", FieldType::Number),
    ("date", FieldType::Date),
    ("datetime", FieldType::DateTime),
    ("boolean", FieldType::Boolean),
    ("json", FieldType::Json),
    ("email", FieldType::Email),
    ("url", FieldType::Url),
    ("phone", FieldType::Phone),
    ("lookup", FieldType::Lookup),
    ("child", FieldType::Child),
    ("image", FieldType::Image),
    ("file", FieldType::File),
];

impl FieldType {
    /// The type of a name.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| *name)
    }

    /// The names of all types, for messages.
    pub(super) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// Whether its values are texts.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Email | Self::Url | Self::Phone)
    }

    /// Whether its values are dates.
    pub fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateTime)
    }

    /// Whether its values are lists of ids.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Lookup | Self::Image | Self::File)
    }

    /// Whether it refers to a collection.
    pub fn refers(self) -> bool {
        matches!(self, Self::Lookup | Self::Child)
    }

    /// Whether there can be a unique index over it: its values are single.
    pub(super) fn may_be_unique(self) -> bool {
        self.is_text() || self.is_date() || self == Self::Number
    }

    /// What a value should be, for messages.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Date => "a date such as \"2026-03-10\"",
            Self::DateTime => "a time such as \"2026-03-10T10:00:00Z\"",
            Self::Boolean => "true or false",
            Self::Json => "an object or an array",
            Self::Email => "an email address",
            Self::Url => "an absolute URL",
            Self::Phone => "a telephone number",
            Self::Lookup => "an id, or a list of ids",
            Self::Child => "nothing",
            Self::Image | Self::File => "the id of a file, or a list of them",
        }
    }
}
