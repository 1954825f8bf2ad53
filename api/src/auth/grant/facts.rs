//! What rules are asked about: who acts, and what their expansions stand for: the user, named values, the request.

use std::net::IpAddr;
use std::sync::Arc;

use headwater_engine::value::Object;

/// A user, as rules see one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UserFacts {
    /// `%%user.id`: the user's `_id`, encoded.
    pub(crate) id: Vec<u8>,
    /// `%%user.email`, if there is one.
    pub(crate) email: Option<String>,
    /// `%%user.data`: what is kept about the user, with what the token says of it.
    pub(crate) data: Object,
}

/// A request, as rules see one: `%%request.ip`, `%%request.method`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestFacts {
    /// The client's address; an IPv4-mapped one as IPv4.
    pub(crate) address: IpAddr,
    /// The effective method.
    pub(crate) method: String,
}

/// Who acts, and everything that expansions stand for. What is not there allows nothing: see `condition`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Who acts: what documents that it makes are made by. `None` made nothing.
    pub(crate) actor: Option<Arc<str>>,
    /// `%%user`; `None` where nobody is logged in.
    pub(crate) user: Option<UserFacts>,
    /// `%%values`.
    pub(crate) values: Arc<Object>,
    /// `%%request`; `None` where there is none, as for deliveries.
    pub(crate) request: Option<RequestFacts>,
}
