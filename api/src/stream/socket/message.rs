//! What a client may say: one JSON object per message.
//!
//! Guarantees: members that nobody knows are refused by name, and numbers keep their types.
//! Leaves to others: whether it may be asked for.

use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, ejson, json};

use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, invalid};
use crate::stream::asked::{EventsAsked, LiveAsked, NAME_BYTES_MAX};
use crate::stream::start::Wanted;

const SUBSCRIBE: [&str; 8] =
    ["op", "ref", "type", "from", "epoch", "format", "filter", "projection"];
const EVENTS: [&str; 5] = ["collections", "kinds", "channel", "presence", "collapse"];
const LIVE: [&str; 3] = ["collection", "sort", "limit"];

/// A message, understood.
#[derive(Debug)]
pub(super) enum Op {
    /// Here is a key or token.
    Auth(String),
    /// Begin subscriptions: one, or those that are resumed.
    Subscribe(Vec<Result<Asking, Refused>>),
    /// End a subscription.
    Unsubscribe(String),
    /// Say something.
    Ping,
}

/// A subscription as it is asked for.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) reference: String,
    pub(super) about: About,
    pub(super) wanted: Wanted,
    pub(super) format: Format,
}

/// What it is about.
#[derive(Debug)]
pub(super) enum About {
    Events(EventsAsked),
    Live(LiveAsked),
}

/// A refusal, and of which subscription where that is known.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reference: Option<String>,
    pub(super) error: Box<ApiError>,
}

impl Refused {
    /// The refusal of a subscription.
    pub(super) fn of(reference: String, error: ApiError) -> Self {
        Self { reference: Some(reference), error: Box::new(error) }
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { reference: None, error: Box::new(error) }
    }
}

/// Understands a message.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Op, Refused> {
    let value = ejson::parse_value(text.as_bytes(), limits, ejson::Mode::Filter);
    let value = value.map_err(|error| match error.code() {
        "malformed_json" => {
            ApiError::bad_request("malformed_json", error.message().to_owned()).into()
        }
        // Something in it is wrong, but it is JSON.
        _ => Refused { reference: reference_in(text, limits), error: Box::new(error.into()) },
    })?;
    let message = Raw::trusted(&value);
    let given = message.get("ref").and_then(Raw::as_str).map(str::to_owned);
    understand(message)
        .map_err(|refused| Refused { reference: refused.reference.or(given), error: refused.error })
}

fn understand(message: Raw<'_>) -> Result<Op, Refused> {
    if message.as_object().is_none() {
        let why = "a message is an object with the member `op`";
        return Err(ApiError::bad_request("invalid_message", why).into());
    }
    match text(message, "op")?.as_deref() {
        Some("ping") => {
            only(message, &["op"], &[])?;
            Ok(Op::Ping)
        }
        Some("auth") => {
            only(message, &["op", "token"], &[])?;
            let token = text(message, "token")?.ok_or_else(|| invalid("token", "given"))?;
            Ok(Op::Auth(token))
        }
        Some("unsubscribe") => {
            only(message, &["op", "ref"], &[])?;
            Ok(Op::Unsubscribe(reference(message)?))
        }
        Some("subscribe") => Ok(Op::Subscribe(vec![Ok(asking(message, false)?)])),
        Some("resume") => {
            only(message, &["op", "subscriptions"], &[])?;
            let list = message.get("subscriptions").filter(|list| list.as_array().is_some());
            let list = list.ok_or_else(|| invalid("subscriptions", "a list"))?;
            Ok(Op::Subscribe(list.array_iter().map(|one| asking(one, true)).collect()))
        }
        Some(other) => {
            let other: String = other.chars().take(100).collect();
            let why = format!("there is no op `{other}`");
            Err(ApiError::bad_request("unknown_op", why).with("op", other).into())
        }
        None => Err(invalid("op", "given").into()),
    }
}

/// A subscription that is asked for.
fn asking(message: Raw<'_>, is_resumed: bool) -> Result<Asking, Refused> {
    if message.as_object().is_none() {
        return Err(invalid("subscriptions", "a list of objects").into());
    }
    let reference = reference(message)?;
    let refused = |error| Refused::of(reference.clone(), error);
    let about = about(message).map_err(refused)?;
    let wanted = wanted(message, is_resumed).map_err(refused)?;
    let format = format(message).map_err(refused)?;
    Ok(Asking { about, wanted, format, reference })
}

fn about(message: Raw<'_>) -> ApiResult<About> {
    match text(message, "type")?.as_deref() {
        Some("events") => {
            only(message, &SUBSCRIBE, &EVENTS)?;
            Ok(About::Events(EventsAsked {
                collections: texts(message, "collections")?.into_iter().collect(),
                kinds: texts(message, "kinds")?,
                channel: text(message, "channel")?,
                filter: value(message, "filter"),
                projection: value(message, "projection"),
                collapse: text(message, "collapse")?,
                presence: text(message, "presence")?,
            }))
        }
        Some("live") => {
            only(message, &SUBSCRIBE, &LIVE)?;
            let collection = text(message, "collection")?;
            Ok(About::Live(LiveAsked {
                collection: collection.ok_or_else(|| invalid("collection", "given"))?,
                filter: value(message, "filter"),
                sort: value(message, "sort"),
                projection: value(message, "projection"),
                limit: number(message, "limit")?,
            }))
        }
        _ => Err(invalid("type", "`events` or `live`")),
    }
}

/// Where it begins. What is resumed is known by an id, which belongs to one history.
fn wanted(message: Raw<'_>, is_resumed: bool) -> ApiResult<Wanted> {
    let from = match message.get("from").filter(|from| !from.is_null()) {
        None if is_resumed => return Err(invalid("from", "given where a subscription is resumed")),
        None => None,
        Some(from) => match (from.as_str(), from.as_i64()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(number)) if number >= 0 => Some(number.to_string()),
            _ => return Err(invalid("from", "a position, an id, a time, `earliest` or `latest`")),
        },
    };
    let epoch = text(message, "epoch")?;
    let is_id = |from: &String| from.starts_with(|first: char| first.is_ascii_digit());
    let is_position = |from: &String| is_id(from) && !from.contains(['-', ':']);
    let (last_id, from) = match from {
        Some(id) if is_resumed && is_position(&id) => (Some(id), None),
        from => (None, from),
    };
    Ok(Wanted { last_id, from, epoch })
}

fn format(message: Raw<'_>) -> ApiResult<Format> {
    match text(message, "format")?.as_deref() {
        None | Some("json") => Ok(Format::Plain),
        Some("ejson") => Ok(Format::Extended),
        Some(_) => Err(invalid("format", "`json` or `ejson`")),
    }
}

fn reference(message: Raw<'_>) -> ApiResult<String> {
    match message.get("ref").and_then(Raw::as_str) {
        Some(text) if (1..=NAME_BYTES_MAX).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(invalid("ref", "a text of 1 to 255 bytes")),
    }
}

/// The `ref` of a text that is JSON, whatever else it is.
fn reference_in(text: &str, limits: &Limits) -> Option<String> {
    let value = json::parse_value(text.as_bytes(), limits).ok()?;
    Raw::trusted(&value).get("ref")?.as_str().map(str::to_owned)
}

/// Refuses members that nobody knows.
fn only(message: Raw<'_>, known: &[&str], more: &[&str]) -> ApiResult<()> {
    for (name, _) in message.object_iter() {
        if !known.contains(&name) && !more.contains(&name) {
            let name: String = name.chars().take(100).collect();
            let why = format!("there is no member `{name}` here");
            return Err(ApiError::bad_request("unknown_member", why).with("member", name));
        }
    }
    Ok(())
}

/// A member that is there and not null.
fn member<'a>(message: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    message.get(name).filter(|value| !value.is_null())
}

fn value(message: Raw<'_>, name: &str) -> Option<Vec<u8>> {
    member(message, name).map(|value| value.as_bytes().to_vec())
}

fn text(message: Raw<'_>, name: &'static str) -> ApiResult<Option<String>> {
    let Some(value) = member(message, name) else { return Ok(None) };
    value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| invalid(name, "a text"))
}

fn texts(message: Raw<'_>, name: &'static str) -> ApiResult<Vec<String>> {
    let Some(list) = member(message, name) else { return Ok(Vec::new()) };
    let wrong = || invalid(name, "a list of texts");
    let list = list.as_array().ok_or_else(wrong)?;
    list.map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn number(message: Raw<'_>, name: &'static str) -> ApiResult<Option<u64>> {
    let Some(value) = member(message, name) else { return Ok(None) };
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
    number.map(Some).ok_or_else(|| invalid(name, "a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Op, (Option<String>, &'static str)> {
        let op = parse(text, &Limits::default());
        op.map_err(|refused| (refused.reference, refused.error.code()))
    }

    fn start(op: &str, from: &str) -> Wanted {
        let entry = format!(r#"{{"ref":"a","type":"events","from":{from}}}"#);
        let text = match op {
            "resume" => format!(r#"{{"op":"resume","subscriptions":[{entry}]}}"#),
            _ => entry.replacen('{', r#"{"op":"subscribe","#, 1),
        };
        match read(&text) {
            Ok(Op::Subscribe(mut list)) => list.remove(0).unwrap().wanted,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_resumed_is_an_id_and_what_is_begun_a_start() {
        let id = |id: &str| Wanted { last_id: Some(id.to_owned()), ..Wanted::default() };
        let from = |from: &str| Wanted { from: Some(from.to_owned()), ..Wanted::default() };
        assert_eq!(start("resume", "7"), id("7"));
        assert_eq!(start("resume", r#""7@ab""#), id("7@ab"));
        assert_eq!(start("resume", r#""earliest""#), from("earliest"));
        assert_eq!(start("resume", r#""2026-01-01T00:00:00Z""#), from("2026-01-01T00:00:00Z"));
        assert_eq!(start("subscribe", "7"), from("7"));
        assert_eq!(start("subscribe", r#""7@ab""#), from("7@ab"));
    }

    #[test]
    fn a_refusal_names_its_subscription_where_that_is_known() {
        let wrong = r#"{"op":"subscribe","ref":"a","type":"live","collection":"c","filter":{"x":{"$oid":"y"}}}"#;
        assert_eq!(read(wrong).unwrap_err(), (Some("a".to_owned()), "malformed_ejson"));
        let wrong = r#"{"op":"sing","ref":"a"}"#;
        assert_eq!(read(wrong).unwrap_err(), (Some("a".to_owned()), "unknown_op"));
        assert_eq!(read("{").unwrap_err(), (None, "malformed_json"));
    }

    #[test]
    fn values_keep_their_types() {
        let text = r#"{"op":"subscribe","ref":"a","type":"events","filter":{"n":1.0,"m":1}}"#;
        let Ok(Op::Subscribe(list)) = read(text) else { panic!("refused") };
        let Ok(Asking { about: About::Events(asked), .. }) = &list[0] else { panic!("{list:?}") };
        let filter = Raw::trusted(asked.filter.as_deref().unwrap());
        assert_eq!(filter.get("n").unwrap().as_double(), Some(1.0));
        assert_eq!(filter.get("m").unwrap().as_i64(), Some(1));
    }
}
