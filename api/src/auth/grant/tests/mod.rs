//! Proofs of grants: what is parsed and refused, what conditions mean, what is seen and written.

mod conditions;
mod grants;
mod monotone;
mod parsing;
mod realtime;
mod surfaces;
mod writes;

use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, Value, ejson};

use super::{Facts, Grant, GrantSource, RequestFacts, Role, UserFacts};

/// A value of Extended JSON.
pub(super) fn value(text: &str) -> Value {
    let bytes =
        ejson::parse_value(text.as_bytes(), &Limits::default(), ejson::Mode::Filter).unwrap();
    Raw::trusted(&bytes).to_value()
}

/// The same, encoded.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    value(text).to_bytes()
}

/// A grant, parsed.
pub(super) fn source(text: &str) -> headwater_engine::Result<GrantSource> {
    GrantSource::parse(Raw::trusted(&value(text).to_bytes()), &Limits::default())
}

/// A role, parsed.
pub(super) fn role(text: &str) -> headwater_engine::Result<Role> {
    Role::parse("r", Raw::trusted(&value(text).to_bytes()), &Limits::default())
}

/// A grant with roles, compiled.
pub(super) fn grant(text: &str, roles: &[&str], facts: &Facts) -> Grant {
    let roles: Vec<Arc<Role>> = roles.iter().map(|text| Arc::new(role(text).unwrap())).collect();
    Grant::compile(&source(text).unwrap(), &roles, facts, &Limits::for_stored_queries()).unwrap()
}

/// A user with an id and data.
pub(super) fn user(id: &str, data: &str) -> Facts {
    let Value::Object(data) = value(data) else { panic!("data is an object") };
    let user = UserFacts { id: encoded(id), email: Some("a@b.example".to_owned()), data };
    Facts { user: Some(user), ..Facts::default() }
}

/// Facts of a request alone.
pub(super) fn request(address: &str, method: &str) -> Facts {
    let address = address.parse().unwrap();
    let request = RequestFacts { address, method: method.to_owned() };
    Facts { request: Some(request), ..Facts::default() }
}
