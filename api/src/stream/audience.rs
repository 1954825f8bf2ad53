//! Those who follow events, ask for the same, see the same and are told it in the same words: a group of the fan-out.

use std::sync::Arc;

use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::EventFilter;
use headwater_engine::subscribe::fanout::{Audience, Equality, GroupKey, Interest, Interests};
use headwater_engine::{Event, EventKind};

use super::frame;
use crate::auth::{Action, Grant};
use crate::extract::Format;
use crate::session::{Sight, sees};

/// The collection of events that belong to none.
const OUTSIDE: &str = "";

/// What is asked for, seen and said.
pub(super) struct EventAudience {
    filter: EventFilter,
    grant: Arc<Grant>,
    format: Format,
    id_suffix: String,
}

impl EventAudience {
    pub(super) fn new(
        filter: &EventFilter,
        sight: &Sight,
        format: Format,
        id_suffix: &str,
    ) -> Self {
        let (filter, grant) = (filter.clone(), Arc::clone(sight.shared_grant()));
        Self { filter, grant, format, id_suffix: id_suffix.to_owned() }
    }

    /// Equal for equal audiences. Grants are told apart by where they lie in memory: a group keeps its own alive.
    pub(super) fn key(&self) -> GroupKey {
        let mut hasher = blake3::Hasher::new();
        let grant = if self.grant.is_full() { 0 } else { Arc::as_ptr(&self.grant) as usize };
        hasher.update(&grant.to_le_bytes());
        hasher.update(&[u8::from(self.format == Format::Extended), u8::from(self.filter.system)]);
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(&self.id_suffix);
        let EventFilter { collections, kinds, channels, body, .. } = &self.filter;
        for names in [collections, channels] {
            names.iter().for_each(|name| text(name));
            text("");
        }
        kinds.iter().for_each(|kind| text(kind.as_str()));
        text("");
        if let Some(body) = body {
            hasher.update(body.source());
        }
        *hasher.finalize().as_bytes()
    }

    /// What every document of the collection must have that is told of.
    fn equality(&self, collection: &str) -> Option<Equality> {
        let restriction = self.grant.restriction(collection, Action::Subscribe);
        let fields = restriction.as_ref().and_then(|restriction| restriction.fields.as_ref());
        let asked = self.filter.body.as_ref().and_then(|body| Equality::of(body.filter()));
        // What is cut may be equal where the whole is not.
        let asked = asked.filter(|equality| {
            fields.is_none_or(|fields| fields.shows_all_of(equality.path.as_str()))
        });
        let own = restriction.as_ref().and_then(|restriction| restriction.filter.as_ref());
        asked.or_else(|| own.and_then(|filter| Equality::of(filter)))
    }
}

impl Audience for EventAudience {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let seen = sees(&self.grant, event, &self.filter);
        if seen != Seen::Nothing {
            frame::write(event, &seen, (self.format, &self.id_suffix), out);
        }
    }

    fn interests(&self) -> Interests {
        let EventFilter { collections, kinds, channels, .. } = &self.filter;
        let outside = Interest { collection: OUTSIDE.to_owned(), equality: None };
        if collections.is_empty() {
            let only_channels = !channels.is_empty();
            return if only_channels {
                Interests::In(vec![outside])
            } else {
                Interests::Everything
            };
        }
        let within = collections.iter().map(|collection| Interest {
            collection: collection.clone(),
            equality: self.equality(collection),
        });
        let with_custom = !channels.is_empty() || kinds.contains(&EventKind::EventPublished);
        Interests::In(within.chain(with_custom.then_some(outside)).collect())
    }
}
