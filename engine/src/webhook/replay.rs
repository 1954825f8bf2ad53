//! Asking for a replay: which events, and how many they are.
//!
//! A replay goes to a webhook that is active; events are those that the webhook wants as it is registered now, with the
//! same `webhook-id` as before. Which they are is said by a range of the log, by how deliveries stand (its own or another
//! webhook's), or one by one. One replay of a webhook runs at a time. It goes on after a restart.

mod counting;

use std::sync::Arc;

use super::identity;
use super::status::Status;
use super::store::{ReplayState, ReplayStatus, Selection};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::limits::Limits;
use crate::subscribe::{BodyFilter, Start};
use crate::value::{Raw, date};

pub(super) use self::counting::{Counted, count, count_known};

/// Most events listed.
const LIST_MAX: usize = 1000;
/// Most deliveries by id.
const DELIVERIES_MAX: usize = 1000;

/// There is no such delivery.
pub(super) fn no_delivery(id: impl std::fmt::Display) -> Error {
    Error::not_found("delivery_not_found", format!("there is no delivery `{id}`"))
}

/// Whether a replay is only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Count, and deliver.
    Deliver,
    /// Count alone.
    DryRun,
}

/// The end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The present end of the log.
    End,
    /// Up to and including a position.
    Position(u64),
    /// Up to and including a time, UTC ms.
    Time(u64),
}

/// A replay that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRequest {
    /// To which webhook.
    pub webhook: String,
    /// Where it begins.
    pub from: Start,
    /// Where it ends.
    pub to: Until,
    /// Only these collections; none: what the webhook follows.
    pub collections: Vec<String>,
    /// What a document, before or after, must be like as the webhook's owner sees it.
    pub filter: Option<BodyFilter>,
    /// Only deliveries that stand so; none: every event that the webhook wants.
    pub statuses: Vec<Status>,
    /// The webhook whose deliveries those are; none: the one that it goes to.
    pub source: Option<String>,
    /// These deliveries alone, by position, in order; none: what the range has.
    pub deliveries: Vec<u64>,
    /// Whether its deliveries go out of their documents' order.
    pub overtake: bool,
    /// How many events to list, the first of those that match.
    pub list_max: usize,
    /// Whether to deliver.
    pub mode: Mode,
    /// Most deliveries in a second.
    pub rate_per_second: Option<u32>,
}

/// What a replay is about to do, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayAnswer {
    /// Its id; none of a dry run.
    pub id: Option<String>,
    /// Events that match.
    pub matched: u64,
    /// The first of them.
    pub first: Option<u64>,
    /// The last of them.
    pub last: Option<u64>,
    /// The first of them, as many as were to be listed.
    pub listed: Vec<Listed>,
}

/// An event that a replay is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its position; in decimal, the delivery's id.
    pub position: u64,
    /// Its time, UTC ms.
    pub time_ms: u64,
    /// Its kind.
    pub kind: EventKind,
    /// Its collection; empty where it has none.
    pub collection: String,
    /// The document's encoded id, where it has one.
    pub id: Option<Vec<u8>>,
}

/// How far a replay has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayView {
    /// Its id.
    pub id: String,
    /// To which webhook.
    pub webhook: Arc<str>,
    /// `running`, `done`, `cancelled` or `failed`.
    pub status: &'static str,
    /// Events that matched when it was asked for.
    pub matched: u64,
    /// Deliveries attempted.
    pub sent: u64,
    /// Deliveries made.
    pub succeeded: u64,
    /// Deliveries that are dead.
    pub failed: u64,
    /// Everything up to here was looked at.
    pub cursor: u64,
    /// Where it ends.
    pub to: u64,
    /// When it was asked for, UTC ms.
    pub started_ms: u64,
}

impl ReplayView {
    pub(super) fn new(id: u64, state: &ReplayState) -> Self {
        let status = match state.status {
            ReplayStatus::Running => "running",
            ReplayStatus::Done => "done",
            ReplayStatus::Cancelled => "cancelled",
            ReplayStatus::Failed => "failed",
        };
        Self {
            id: id.to_string(),
            webhook: Arc::clone(&state.webhook),
            status,
            matched: state.matched,
            sent: state.sent,
            succeeded: state.succeeded,
            failed: state.failed,
            cursor: state.cursor,
            to: state.to,
            // Numbers of replays are times.
            started_ms: id,
        }
    }
}

fn invalid(field: &'static str, message: impl Into<String>) -> Error {
    Error::invalid("invalid_replay", message).with("field", field)
}

impl ReplayRequest {
    /// Reads a request as a user gives it, an encoded object. `webhook` is the one that the caller names already, if it
    /// does.
    pub fn parse(given: Raw<'_>, webhook: Option<&str>) -> Result<Self> {
        let members = given.as_object().ok_or_else(|| invalid("", "a replay must be an object"))?;
        let mut request = Self {
            webhook: webhook.unwrap_or_default().to_owned(),
            from: Start::Latest,
            to: Until::End,
            collections: Vec::new(),
            filter: None,
            statuses: Vec::new(),
            source: None,
            deliveries: Vec::new(),
            overtake: false,
            list_max: 0,
            mode: Mode::Deliver,
            rate_per_second: None,
        };
        for (name, value) in members {
            request.set(name, value)?;
        }
        if request.webhook.is_empty() {
            return Err(invalid("webhook", "`webhook` is missing"));
        }
        if webhook.is_some_and(|named| named != request.webhook) {
            return Err(invalid("webhook", "`webhook` is not the one that the path names"));
        }
        request.check(given)?;
        Ok(request)
    }

    /// What goes together.
    fn check(&mut self, given: Raw<'_>) -> Result<()> {
        if !self.deliveries.is_empty() {
            let beside = ["from", "to", "statuses", "source"];
            return match beside.into_iter().find(|name| given.get(name).is_some()) {
                Some(name) => Err(invalid(name, format!("`{name}` does not go with `deliveries`"))),
                None => Ok(()),
            };
        }
        if self.list_max > 0 && self.mode == Mode::Deliver {
            return Err(invalid("limit", "`limit` goes with `dry_run`"));
        }
        if self.source.is_some() && self.statuses.is_empty() {
            return Err(invalid("source", "`source` goes with `statuses`"));
        }
        if given.get("from").is_none() {
            if self.statuses.is_empty() {
                return Err(invalid("from", "`from` is missing; 0 is everything"));
            }
            self.from = Start::After(0);
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Raw<'_>) -> Result<()> {
        match name {
            "webhook" => {
                let id = value.as_str();
                id.ok_or_else(|| invalid("webhook", "`webhook` must be a text"))?
                    .clone_into(&mut self.webhook);
            }
            "from" => self.from = from(value)?,
            "to" => self.to = until(value)?,
            "collections" => {
                let names = texts("collections", value)?;
                self.collections = if names == ["*"] { Vec::new() } else { names };
            }
            "statuses" => self.statuses = statuses(value)?,
            "filter" => self.filter = filter(value)?,
            "source" => {
                let id = value.as_str();
                let id = id.ok_or_else(|| invalid("source", "`source` must be a webhook's id"))?;
                self.source = Some(id.to_owned());
            }
            "deliveries" => self.deliveries = deliveries(value)?,
            "overtake" => {
                let overtake = value.as_bool();
                let wrong = || invalid("overtake", "`overtake` must be a boolean");
                self.overtake = overtake.ok_or_else(wrong)?;
            }
            "limit" => {
                let limit = value.as_i64().and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.filter(|limit| *limit <= LIST_MAX);
                let wrong = || {
                    invalid("limit", format!("`limit` must be a whole number from 0 to {LIST_MAX}"))
                };
                self.list_max = limit.ok_or_else(wrong)?;
            }
            "dry_run" => {
                let dry = value.as_bool();
                let dry = dry.ok_or_else(|| invalid("dry_run", "`dry_run` must be a boolean"))?;
                self.mode = if dry { Mode::DryRun } else { Mode::Deliver };
            }
            "rate_per_second" if value.is_null() => {}
            "rate_per_second" => {
                let rate = value.as_i64().and_then(|rate| u32::try_from(rate).ok());
                let rate = rate.filter(|rate| (1..=1_000_000).contains(rate));
                let wrong = "`rate_per_second` must be a whole number from 1 to 1000000";
                self.rate_per_second = Some(rate.ok_or_else(|| invalid("rate_per_second", wrong))?);
            }
            _ => {
                let message = format!("a replay has no member `{name}`");
                return Err(Error::invalid("invalid_replay", message).with("field", name));
            }
        }
        Ok(())
    }

    /// What of its range is to be sent.
    pub(super) fn selection(&self) -> Selection {
        if !self.deliveries.is_empty() {
            return Selection::Positions(self.deliveries.clone());
        }
        if self.statuses.is_empty() {
            return Selection::All;
        }
        let source = Arc::from(self.source.as_ref().unwrap_or(&self.webhook).as_str());
        Selection::Standing { source, statuses: self.statuses.clone() }
    }

    /// The range as positions: after the first, up to the second. A start before retention is the first that is kept.
    pub(super) fn range(&self, engine: &Engine) -> Result<(u64, u64)> {
        let end = engine.position();
        if let (Some(low), Some(high)) = (self.deliveries.first(), self.deliveries.last()) {
            if *high > end {
                return Err(no_delivery(high));
            }
            return Ok((low - 1, *high));
        }
        let first = engine.log().first_position();
        let after = match self.from {
            Start::After(position) if position < first => first.saturating_sub(1),
            start => engine.resolve(start)?,
        };
        let to = match self.to {
            Until::End => end,
            Until::Position(position) => position.min(end),
            Until::Time(time_ms) => engine.log().position_at(time_ms.saturating_add(1))? - 1,
        };
        if to < after {
            return Err(invalid("to", "`to` is before `from`"));
        }
        Ok((after, to.min(end).max(after)))
    }
}

fn from(value: Raw<'_>) -> Result<Start> {
    match (value.as_i64().map(u64::try_from), value.as_str()) {
        (Some(Ok(position)), _) => Ok(Start::After(position)),
        (None, Some("earliest")) => Ok(Start::Earliest),
        (None, Some(text)) => time(text)
            .map(Start::Time)
            .ok_or_else(|| invalid("from", "`from` is neither a position nor a time")),
        _ => Err(invalid("from", "`from` must be a position or a time")),
    }
}

fn until(value: Raw<'_>) -> Result<Until> {
    match (value.as_i64().map(u64::try_from), value.as_str()) {
        (Some(Ok(position)), _) => Ok(Until::Position(position)),
        (None, Some("latest")) => Ok(Until::End),
        (None, Some(text)) => time(text)
            .map(Until::Time)
            .ok_or_else(|| invalid("to", "`to` is neither a position nor a time")),
        _ if value.is_null() => Ok(Until::End),
        _ => Err(invalid("to", "`to` must be a position or a time")),
    }
}

fn filter(value: Raw<'_>) -> Result<Option<BodyFilter>> {
    if value.is_null() {
        return Ok(None);
    }
    let limits = Limits::for_stored_queries();
    let filter =
        BodyFilter::parse(value, &limits).map_err(|error| error.with("field", "filter"))?;
    // Nobody else waits for a replay's reads.
    Ok(filter.map(BodyFilter::patient))
}

/// The filter that a replay under way was asked for with.
pub(super) fn filter_of(state: &ReplayState) -> Result<Option<BodyFilter>> {
    match &state.filter {
        Some(encoded) => filter(Raw::trusted(encoded)),
        None => Ok(None),
    }
}

/// The statuses that the store of deliveries knows for sure.
fn statuses(value: Raw<'_>) -> Result<Vec<Status>> {
    let names = texts("statuses", value)?;
    if names.is_empty() && !value.is_null() {
        return Err(invalid("statuses", "`statuses` is empty; leave it out for every event"));
    }
    let status = |name: &String| match Status::parse(name) {
        Some(Status::Succeeded) => {
            let message = "`statuses` cannot have `succeeded`: what succeeded is remembered for a while only; \
                           leave `statuses` out to send every event again";
            Err(Error::invalid("unsupported", message).with("field", "statuses"))
        }
        Some(status) => Ok(status),
        None => {
            let message = format!("`statuses`: `{name}` is not one of pending, failing, dead");
            Err(invalid("statuses", message))
        }
    };
    names.iter().map(status).collect()
}

/// Deliveries by their ids, as positions in order.
fn deliveries(value: Raw<'_>) -> Result<Vec<u64>> {
    let ids = texts("deliveries", value)?;
    if ids.is_empty() || ids.len() > DELIVERIES_MAX {
        let message = format!("`deliveries` must have 1 to {DELIVERIES_MAX} ids of deliveries");
        return Err(invalid("deliveries", message));
    }
    let mut positions =
        ids.iter().map(|id| identity::parse_delivery_id(id)).collect::<Result<Vec<_>>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

fn time(text: &str) -> Option<u64> {
    date::parse_ms(text).and_then(|ms| u64::try_from(ms).ok())
}

fn texts(field: &'static str, value: Raw<'_>) -> Result<Vec<String>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let wrong = || invalid(field, format!("`{field}` must be a list of texts"));
    let list = value.as_array().ok_or_else(wrong)?;
    list.map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}
