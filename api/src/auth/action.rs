//! Actions: what a grant may allow on a collection.

/// One thing that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Action {
    /// Get, list, query, count, history.
    Read = 1,
    /// New documents.
    Create = 1 << 1,
    /// Replacing and changing documents.
    Update = 1 << 2,
    /// Removing documents.
    Delete = 1 << 3,
    /// Events and streams.
    Subscribe = 1 << 4,
    /// Custom events.
    Publish = 1 << 5,
    /// Definition, indexes, drop, webhooks.
    Settings = 1 << 6,
    /// Everything that `*` leaves out.
    Admin = 1 << 7,
    /// Text search.
    Search = 1 << 8,
    /// Bulk routes of faces that have them.
    Bulk = 1 << 9,
}

impl Action {
    /// Every action.
    pub(crate) const ALL: [Self; 10] = [
        Self::Read,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Subscribe,
        Self::Publish,
        Self::Settings,
        Self::Admin,
        Self::Search,
        Self::Bulk,
    ];

    /// Its name in a grant.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Settings => "settings",
            Self::Admin => "admin",
            Self::Search => "search",
            Self::Bulk => "bulk",
        }
    }
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actions(u16);

impl Actions {
    /// Every action.
    pub(crate) const EVERY: Self = Self(0x3ff);
    /// What `*` stands for: every action but `admin`.
    pub(crate) const STAR: Self = Self(0x3ff & !(Action::Admin as u16));

    /// A set of some actions.
    pub(crate) fn of(actions: &[Action]) -> Self {
        Self(actions.iter().fold(0, |set, action| set | *action as u16))
    }

    /// Whether an action is in the set.
    pub(crate) fn contains(self, action: Action) -> bool {
        self.0 & action as u16 != 0
    }

    /// What is in both sets.
    pub(crate) fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in at least one of them.
    pub(crate) fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Takes an action out.
    pub(crate) fn remove(&mut self, action: Action) {
        self.0 &= !(action as u16);
    }

    /// Adds what a name in a grant stands for; false if it stands for nothing.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let added = match name {
            "*" => Self::STAR.0,
            "write" => Self::of(&[Action::Create, Action::Update, Action::Delete]).0,
            _ => Action::ALL
                .iter()
                .find(|action| action.as_str() == name)
                .map_or(0, |action| *action as u16),
        };
        self.0 |= added;
        added != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_means_all_but_admin() {
        let mut actions = Actions::default();
        assert!(actions.add("*"));
        assert!(actions.contains(Action::Read) && actions.contains(Action::Bulk));
        assert!(!actions.contains(Action::Admin));
        assert_eq!(Actions::of(&Action::ALL), Actions::EVERY);
        assert_eq!(actions, Actions::STAR);
    }

    #[test]
    fn write_means_three() {
        let mut actions = Actions::default();
        assert!(actions.add("write"));
        assert!(actions.contains(Action::Create) && actions.contains(Action::Delete));
        assert!(!actions.contains(Action::Read));
        assert!(!actions.add("fly"));
    }
}
