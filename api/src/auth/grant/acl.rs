//! ACLs: which kinds of requests a grant opens, besides what it allows on collections. The words are appbase.io's.

/// One kind of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Acl {
    /// Making and changing documents one by one.
    Index = 1,
    /// Documents by id, and their history.
    Get = 1 << 1,
    /// Lists, queries, pipelines, distinct values, counts.
    Search = 1 << 2,
    /// Definitions, indexes, webhooks.
    Settings = 1 << 3,
    /// Events and live queries.
    Stream = 1 << 4,
    /// Arrays of documents.
    Bulk = 1 << 5,
    /// Removing documents.
    Delete = 1 << 6,
    /// Figures.
    Analytics = 1 << 7,
}

impl Acl {
    /// Every ACL.
    pub(crate) const ALL: [Self; 8] = [
        Self::Index,
        Self::Get,
        Self::Search,
        Self::Settings,
        Self::Stream,
        Self::Bulk,
        Self::Delete,
        Self::Analytics,
    ];

    /// Its name in a grant.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Get => "get",
            Self::Search => "search",
            Self::Settings => "settings",
            Self::Stream => "stream",
            Self::Bulk => "bulk",
            Self::Delete => "delete",
            Self::Analytics => "analytics",
        }
    }
}

/// A set of ACLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acls(u8);

impl Acls {
    /// Adds one.
    pub(super) fn insert(&mut self, acl: Acl) {
        self.0 |= acl as u8;
    }

    /// Whether one is in the set.
    pub(super) fn contains(self, acl: Acl) -> bool {
        self.0 & acl as u8 != 0
    }
}
