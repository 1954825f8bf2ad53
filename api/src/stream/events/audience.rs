//! Those who follow events, ask for the same, see the same and are told it in the same words: a group of the fan-out.

use std::sync::Arc;

use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::fanout::{Audience, GroupKey, Interest, Interests};
use headwater_engine::subscribe::{BodyFilter, BodyProjection, EventFilter};
use headwater_engine::{Event, EventKind};

use super::super::group::{KeyMaker, equality};
use super::super::topic::EventTopic;
use super::super::wire::Wire;
use crate::auth::Grant;
use crate::extract::Format;
use crate::session::{Hearing, Sight};

/// The collection of events that belong to none.
const OUTSIDE: &str = "";

/// What is asked for, seen and said.
pub(super) struct EventAudience {
    filter: EventFilter,
    projection: Option<BodyProjection>,
    grant: Arc<Grant>,
    format: Format,
    hearing: Hearing,
    wire: Wire,
}

impl EventAudience {
    pub(super) fn new(topic: &EventTopic, sight: &Sight, wire: &Wire) -> Self {
        Self {
            filter: topic.filter.clone(),
            projection: topic.projection.clone(),
            grant: Arc::clone(sight.shared_grant()),
            format: topic.format,
            hearing: topic.hearing,
            wire: wire.clone(),
        }
    }

    /// Equal for equal audiences.
    pub(super) fn key(&self) -> GroupKey {
        let mut key = KeyMaker::new(b"events", &self.grant, self.format, &self.wire);
        let EventFilter { collections, kinds, channels, body, system } = &self.filter;
        key.flag(*system);
        key.flag(matches!(self.hearing, Hearing::Realtime(_)));
        key.texts(collections.iter().map(String::as_str));
        key.texts(channels.iter().map(String::as_str));
        key.texts(kinds.iter().map(|kind| kind.as_str()));
        key.bytes(body.as_ref().map(BodyFilter::source));
        key.bytes(self.projection.as_ref().map(BodyProjection::source));
        key.finish()
    }
}

impl EventAudience {
    /// Where events have to be looked at that realtime may list.
    fn heard(&self, outside: Interest) -> Interests {
        let listed = self.grant.heard_collections();
        let asked = self.filter.collections.iter().map(String::as_str);
        let collections: Vec<&str> = match listed {
            Some(listed) => listed.into_iter().collect(),
            None if self.filter.collections.is_empty() => return Interests::Everything,
            None => asked.collect(),
        };
        let within = collections.into_iter().map(str::to_owned);
        let within = within.map(|collection| Interest { collection, equality: None });
        Interests::In(within.chain([outside]).collect())
    }
}

impl Audience for EventAudience {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let seen = self.hearing.sees(&self.grant, event, &self.filter);
        if seen == Seen::Nothing {
            return;
        }
        if let Some(encoder) = self.wire.encoder() {
            return self.wire.encode(encoder, event, &seen, out);
        }
        let data = |out: &mut Vec<u8>| match &seen {
            // The frame's event says that it is hidden.
            Seen::Gone => self.format.write_gone(event, out),
            _ => self.format.write_event(event, &seen, self.projection.as_ref(), out),
        };
        self.wire.frame(Some(event.position), seen.kind(event), out, data);
    }

    fn overruns(&self) -> u32 {
        let projection = self.projection.as_ref().map_or(0, BodyProjection::overruns);
        self.filter.body.as_ref().map_or(0, BodyFilter::overruns) + projection
    }

    fn interests(&self) -> Interests {
        let EventFilter { collections, kinds, channels, .. } = &self.filter;
        let outside = Interest { collection: OUTSIDE.to_owned(), equality: None };
        if matches!(self.hearing, Hearing::Realtime(_)) {
            return self.heard(outside);
        }
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
            equality: equality(&self.grant, collection, self.filter.body.as_ref()),
        });
        let with_custom = !channels.is_empty() || kinds.contains(&EventKind::EventPublished);
        Interests::In(within.chain(with_custom.then_some(outside)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::GrantSource;
    use crate::stream::EventEncoder;
    use headwater_engine::limits::Limits;
    use headwater_engine::log::Epoch;
    use headwater_engine::value::{Raw, json};

    struct Words;

    impl EventEncoder for Words {
        fn name(&self) -> &'static str {
            "words"
        }

        fn encode(&self, _event: &Event<'_>, _seen: &Seen, _out: &mut Vec<u8>) -> bool {
            false
        }

        fn sign(&self, _out: &mut Vec<u8>) {}
    }

    fn grant(text: &str) -> Arc<Grant> {
        let limits = Limits::for_stored_queries();
        let bytes = json::parse_value(text.as_bytes(), &limits).unwrap();
        let source = GrantSource::parse(Raw::trusted(&bytes), &limits).unwrap();
        Arc::new(Grant::compile(&source, &[], &Default::default(), &limits).unwrap())
    }

    /// One who follows by words of a face's own.
    fn follower(grant: &Arc<Grant>, hearing: Hearing) -> EventAudience {
        EventAudience {
            filter: EventFilter::default(),
            projection: None,
            grant: Arc::clone(grant),
            format: Format::Plain,
            hearing,
            wire: Wire::encoded_by(Arc::new(Words), Epoch { id: [0; 16], start: 0 }),
        }
    }

    #[test]
    fn whoever_hears_the_same_in_the_same_words_is_of_one_group() {
        let listed = grant(r#"{"admin":true,"realtime":["POST:a"]}"#);
        let (full, other) = (grant(r#"{"admin":true}"#), grant(r#"{"admin":true}"#));
        let key = |grant: &Arc<Grant>, hearing| follower(grant, hearing).key();
        assert_eq!(key(&listed, Hearing::Realtime("/x")), key(&listed, Hearing::Realtime("/x")));
        assert_eq!(key(&full, Hearing::Realtime("/x")), key(&other, Hearing::Realtime("/x")));
        assert_ne!(key(&full, Hearing::Realtime("/x")), key(&listed, Hearing::Realtime("/x")));
        assert_ne!(key(&full, Hearing::Realtime("/x")), key(&full, Hearing::Subscribe));
    }

    #[test]
    fn a_list_of_collections_is_looked_at_there_alone() {
        let places = |list: &str| {
            let grant = grant(&format!(r#"{{"realtime":{list}}}"#));
            match follower(&grant, Hearing::Realtime("/x")).interests() {
                Interests::Everything => None,
                Interests::In(places) => {
                    Some(places.into_iter().map(|one| one.collection).collect::<Vec<_>>())
                }
            }
        };
        let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(places(r#"["POST:a","*:b"]"#), names(&["a", "b", OUTSIDE]));
        assert_eq!(places(r#"["answer"]"#), names(&[OUTSIDE]));
        assert_eq!(places(r#"["POST:a","PUT:*"]"#), None);
    }
}
