//! What makes subscribers one group of the fan-out, and where the events of a group lie.

use std::sync::Arc;

use headwater_engine::subscribe::BodyFilter;
use headwater_engine::subscribe::fanout::{Equality, GroupKey};

use super::wire::Wire;
use crate::auth::{Action, Grant};
use crate::extract::Format;

/// Makes a key that is equal for equal audiences.
pub(super) struct KeyMaker(blake3::Hasher);

impl KeyMaker {
    /// For those of a kind who see by a grant and are told on a wire. Grants are told apart by where they lie in memory: a
    /// group keeps its own alive.
    pub(super) fn new(kind: &[u8], grant: &Arc<Grant>, format: Format, wire: &Wire) -> Self {
        let mut key = Self(blake3::Hasher::new());
        key.bytes(Some(kind));
        let is_everything = grant.is_full() && !grant.is_listed();
        let grant = if is_everything { 0 } else { Arc::as_ptr(grant) as usize };
        key.0.update(&grant.to_le_bytes());
        key.flag(format == Format::Extended);
        wire.hash(&mut key.0);
        key
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.update(&[u8::from(flag)]);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: Option<&[u8]>) {
        self.flag(bytes.is_some());
        let bytes = bytes.unwrap_or_default();
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(super) fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        texts.for_each(|text| self.bytes(Some(text.as_bytes())));
        self.bytes(None);
    }

    pub(super) fn finish(&self) -> GroupKey {
        *self.0.finalize().as_bytes()
    }
}

/// What every document of a collection must have, before an event or after it, that is told of.
pub(super) fn equality(
    grant: &Grant,
    collection: &str,
    filter: Option<&BodyFilter>,
) -> Option<Equality> {
    let restriction = grant.restriction(collection, Action::Subscribe);
    let fields = restriction.as_ref().and_then(|restriction| restriction.fields.as_ref());
    let asked = filter.and_then(|filter| Equality::of(filter.filter()));
    // What is cut may be equal where the whole is not.
    let asked = asked
        .filter(|equality| fields.is_none_or(|fields| fields.shows_all_of(equality.path.as_str())));
    let own = restriction.as_ref().and_then(|restriction| restriction.filter.as_ref());
    asked.or_else(|| own.and_then(|filter| Equality::of(filter)))
}
