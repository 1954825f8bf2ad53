//! What a request or a message asks to follow, and the checks that make a topic of it.
//!
//! Guarantees: every collection and channel that is named is allowed and, where collections must be defined, there; filters
//! and projections are compiled; what is wrong is refused before a stream begins, by name.

use std::collections::BTreeSet;

use headwater_engine::EventKind;
use headwater_engine::query::{Context, Sort, Trust};
use headwater_engine::subscribe::live::check_steady;
use headwater_engine::subscribe::{BodyFilter, BodyProjection, EventFilter};
use headwater_engine::value::Raw;

use super::topic::{EventTopic, LiveTopic};
use crate::auth::Action;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, LIMIT_MAX, invalid};
use crate::session::{Asked, Hearing, Session, ids_read};

/// Longest name of a channel, an event or one who is present, bytes.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Events, as they are asked for; filter and projection are encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventsAsked {
    /// Collections; none: all.
    pub(crate) collections: BTreeSet<String>,
    /// Names of kinds; none: all.
    pub(crate) kinds: Vec<String>,
    /// The channel of custom events.
    pub(crate) channel: Option<String>,
    /// The filter.
    pub(crate) filter: Option<Vec<u8>>,
    /// The projection.
    pub(crate) projection: Option<Vec<u8>>,
    /// `document`, or nothing.
    pub(crate) collapse: Option<String>,
    /// As whom to be on the channel.
    pub(crate) presence: Option<String>,
}

/// A live query, as it is asked for; filter, sort and projection are encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveAsked {
    /// The collection.
    pub(crate) collection: String,
    /// The filter.
    pub(crate) filter: Option<Vec<u8>>,
    /// The sort.
    pub(crate) sort: Option<Vec<u8>>,
    /// The projection.
    pub(crate) projection: Option<Vec<u8>>,
    /// Most documents at once.
    pub(crate) limit: Option<u64>,
}

impl EventsAsked {
    /// The topic, if the caller may follow it.
    pub(crate) fn topic(self, session: &Session, format: Format) -> ApiResult<EventTopic> {
        for collection in &self.collections {
            session.check(collection, Action::Subscribe)?;
            session.check_there(collection)?;
        }
        if let Some(channel) = &self.channel {
            short_name("channel", channel)?;
            session.check_channel(Some(channel), Action::Subscribe)?;
        }
        if let Some(presence) = &self.presence {
            short_name("presence", presence)?;
            if self.channel.is_none() {
                return Err(invalid("presence", "given with a `channel`"));
            }
        }
        let mut kinds = BTreeSet::new();
        for name in &self.kinds {
            let kind = EventKind::parse(name).ok_or_else(|| {
                let message = format!("there is no kind of event `{name}`");
                ApiError::bad_request("unknown_kind", message).with("kind", name.as_str())
            })?;
            kinds.insert(kind);
        }
        let collapse = match self.collapse.as_deref() {
            None => false,
            Some("document") if kinds.is_empty() => true,
            Some("document") => return Err(invalid("collapse", "given without `kinds`")),
            Some(_) => return Err(invalid("collapse", "`document`")),
        };
        let filter = EventFilter {
            collections: self.collections,
            kinds,
            channels: self.channel.into_iter().collect(),
            body: body_filter(session, self.filter.as_deref())?,
            system: session.grant().is_full(),
        };
        let projection = body_projection(session, self.projection.as_deref())?;
        let (presence, hearing) = (self.presence, Hearing::Subscribe);
        Ok(EventTopic { filter, projection, collapse, presence, format, hearing })
    }
}

impl LiveAsked {
    /// The topic, if the caller may follow it.
    pub(crate) fn topic(self, session: &Session, format: Format) -> ApiResult<LiveTopic> {
        session.check(&self.collection, Action::Subscribe)?;
        session.check_there(&self.collection)?;
        let window = match self.limit {
            None => None,
            Some(limit) => match usize::try_from(limit) {
                Ok(limit @ 1..=LIMIT_MAX) => Some(limit),
                _ => return Err(invalid("limit", "between 1 and 1,000")),
            },
        };
        if let Some(filter) = &self.filter {
            check_steady(Raw::trusted(filter))?;
        }
        let filter = body_filter(session, self.filter.as_deref())?;
        let projection = body_projection(session, self.projection.as_deref())?;
        let (given, sort) = (self.filter.as_deref(), self.sort.as_deref());
        let (given, sort) = (given.map(Raw::trusted), sort.map(Raw::trusted));
        let asked = Asked::new(given, sort, None, Format::Plain);
        let sort = sort_of(session, &asked)?;
        let collection = self.collection;
        Ok(LiveTopic { collection, asked, sort, filter, projection, window, format })
    }
}

/// The filter over documents and the content of custom events.
pub(crate) fn body_filter(
    session: &Session,
    filter: Option<&[u8]>,
) -> ApiResult<Option<BodyFilter>> {
    let Some(filter) = filter.map(Raw::trusted).filter(|filter| !filter.is_null()) else {
        return Ok(None);
    };
    let filter = ids_read(filter, Format::Plain);
    Ok(BodyFilter::parse(Raw::trusted(&filter), session.engine().limits())?)
}

fn body_projection(
    session: &Session,
    projection: Option<&[u8]>,
) -> ApiResult<Option<BodyProjection>> {
    let Some(projection) = projection.map(Raw::trusted).filter(|one| !one.is_null()) else {
        return Ok(None);
    };
    let projection = ids_read(projection, Format::Plain);
    Ok(BodyProjection::parse(Raw::trusted(&projection), session.engine().limits())?)
}

/// The order of documents.
fn sort_of(session: &Session, asked: &Asked) -> ApiResult<Option<Sort>> {
    let limits = session.engine().limits();
    let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
    let sort = asked.sort().map(|sort| Sort::parse(Raw::trusted(sort), &context));
    Ok(sort.transpose()?)
}

fn short_name(name: &'static str, text: &str) -> ApiResult<()> {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
    if fits { Ok(()) } else { Err(invalid(name, "a text of 1 to 255 bytes")) }
}
