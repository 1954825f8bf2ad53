//! An identity: what a presented credential turned out to be, before roles are looked up and a grant is compiled.

use std::sync::Arc;

use super::grant::{GrantSource, UserFacts};
use super::principal::Kind;

/// Something that an identity rests on; when it changes, principals made of the identity are retired.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dependency {
    /// A credential, by its id as shown.
    Credential(Arc<str>),
    /// A user, by the id as shown.
    User(Arc<str>),
    /// A session, by the id as shown.
    Session(Arc<str>),
    /// Any provider of tokens.
    Providers,
}

/// What a credential turned out to be.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The actor of what it does: the credential's id, or the user's.
    pub(crate) actor: Arc<str>,
    /// What was presented.
    pub(crate) kind: Kind,
    /// The session.
    pub(crate) session: Option<Arc<str>>,
    /// The user: the id as shown.
    pub(crate) user: Option<Arc<str>>,
    /// The user, as rules see one.
    pub(crate) facts: Option<UserFacts>,
    /// What it may do; its roles are still names.
    pub(crate) source: GrantSource,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// What it rests on.
    pub(crate) rests_on: Vec<Dependency>,
    /// The position of the snapshot it was read from: nothing newer was seen.
    pub(crate) position: u64,
}
