//! The members of a registration, one by one: what each may be.

use std::collections::BTreeSet;

use super::{Order, Registration, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::limits::Limits;
use crate::subscribe::{BodyFilter, BodyProjection};
use crate::value::Raw;
use crate::webhook::signature::Secret;

/// Longest url, bytes.
const URL_BYTES_MAX: usize = 2048;
/// Most headers of its own.
const HEADERS_MAX: usize = 32;
/// Longest value of such a header, bytes.
const HEADER_BYTES_MAX: usize = 4096;
/// Longest time for an attempt, milliseconds.
const TIMEOUT_MS_MAX: u64 = 60_000;
/// Most attempts at a time.
const CONCURRENCY_MAX: u64 = 256;
/// Highest rate.
const RATE_MAX: u64 = 1_000_000;

const KINDS: [EventKind; 6] = [
    EventKind::DocumentCreated,
    EventKind::DocumentUpdated,
    EventKind::DocumentDeleted,
    EventKind::DocumentErased,
    EventKind::EventPublished,
    EventKind::WebhookDisabled,
];

/// An error that names the member.
pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> Error {
    Error::invalid("invalid_webhook", message).with("field", field)
}

/// Sets a member that a user may set. Null takes an optional one back to its default.
pub(super) fn set(into: &mut Registration, name: &str, value: Raw<'_>) -> Result<()> {
    match name {
        "url" => into.url = url(value)?.into(),
        "collections" => into.scope = scope(value)?,
        "kinds" => into.kinds = kinds(value)?,
        "filter" => into.filter = filter(value)?,
        "projection" => into.projection = projection(value)?,
        "active" => {
            into.active =
                value.as_bool().ok_or_else(|| invalid("active", "`active` must be a boolean"))?;
        }
        "secret" => {
            let text =
                value.as_str().ok_or_else(|| invalid("secret", "`secret` must be a text"))?;
            into.secret = Secret::parse(text)?;
        }
        "headers" => into.headers = headers(value)?,
        "format" => format(value)?,
        "order" => into.order = order(value)?,
        "timeout_ms" => into.timeout_ms = number("timeout_ms", value, 1, TIMEOUT_MS_MAX)?,
        "concurrency" => {
            into.concurrency = number("concurrency", value, 1, CONCURRENCY_MAX)?.map(narrow);
        }
        "rate_per_second" => {
            into.rate_per_second = number("rate_per_second", value, 1, RATE_MAX)?.map(narrow);
        }
        _ => {
            let message = format!("a webhook has no member `{name}`");
            return Err(Error::invalid("invalid_webhook", message).with("field", name));
        }
    }
    Ok(())
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn number(field: &'static str, value: Raw<'_>, min: u64, max: u64) -> Result<Option<u64>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
    match number.filter(|number| (min..=max).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            Err(invalid(field, format!("`{field}` must be a whole number from {min} to {max}")))
        }
    }
}

/// An absolute url of the two schemes, with a host, without credentials and fragment.
fn url(value: Raw<'_>) -> Result<&str> {
    let wrong = |why: &str| invalid("url", format!("`url` {why}"));
    let text = value.as_str().ok_or_else(|| wrong("must be a text"))?;
    if text.len() > URL_BYTES_MAX {
        return Err(wrong(&format!("is longer than {URL_BYTES_MAX} bytes")));
    }
    if text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'\\') {
        return Err(wrong("must be plain ASCII without spaces and backslashes"));
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("must be absolute"))?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(wrong("must begin with http:// or https://"));
    }
    if rest.contains('#') {
        return Err(wrong("must not have a fragment"));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong("must not have credentials"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    if host.is_empty() || (host.contains([':', '[', ']']) && !bracketed) {
        return Err(wrong("has no valid host"));
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(wrong("has no valid port"));
    }
    Ok(text)
}

fn scope(value: Raw<'_>) -> Result<Scope> {
    let wrong = |why: String| invalid("collections", why);
    let list = value.as_array().ok_or_else(|| wrong("`collections` must be a list".to_owned()))?;
    let mut names = BTreeSet::new();
    for name in list {
        let name = name
            .as_str()
            .ok_or_else(|| wrong("`collections` must be a list of texts".to_owned()))?;
        if name.starts_with('_') {
            return Err(wrong(format!("`collections`: `{name}` belongs to the system")));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let valid = (1..=120).contains(&name.len()) && name.bytes().all(plain);
        if name != "*" && (!valid || name == "." || name == "..") {
            return Err(wrong(format!("`collections`: `{name}` is not a collection's name")));
        }
        names.insert(name.to_owned());
    }
    if names.is_empty() {
        return Err(wrong("`collections` is empty; `[\"*\"]` is all of them".to_owned()));
    }
    if names.contains("*") {
        if names.len() > 1 {
            return Err(wrong("`collections`: \"*\" stands alone".to_owned()));
        }
        return Ok(Scope::All);
    }
    Ok(Scope::Named(names))
}

fn kinds(value: Raw<'_>) -> Result<BTreeSet<EventKind>> {
    let list = value.as_array().ok_or_else(|| invalid("kinds", "`kinds` must be a list"))?;
    list.map(|name| {
        let name = name.as_str().unwrap_or_default();
        EventKind::parse(name).filter(|kind| KINDS.contains(kind)).ok_or_else(|| {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
            invalid("kinds", format!("`kinds`: `{name}` is not one of {}", known.join(", ")))
        })
    })
    .collect()
}

fn filter(value: Raw<'_>) -> Result<Option<BodyFilter>> {
    if value.is_null() {
        return Ok(None);
    }
    let limits = Limits::for_stored_queries();
    let filter =
        BodyFilter::parse(value, &limits).map_err(|error| error.with("field", "filter"))?;
    // Deliveries have a task of their own.
    Ok(filter.map(BodyFilter::patient))
}

fn projection(value: Raw<'_>) -> Result<Option<BodyProjection>> {
    if value.is_null() {
        return Ok(None);
    }
    let limits = Limits::for_stored_queries();
    BodyProjection::parse(value, &limits).map_err(|error| error.with("field", "projection"))
}

fn unsupported(field: &'static str, why: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "unsupported",
        format!("`{field}` is not supported yet: it {why}"),
    )
    .with("field", field)
}

fn format(value: Raw<'_>) -> Result<()> {
    match value.as_str() {
        Some("event") => Ok(()),
        Some("restdb") => Err(unsupported("format", "has \"restdb\" only with the RestDB face")),
        _ => Err(invalid("format", "`format` must be \"event\" or \"restdb\"")),
    }
}

fn order(value: Raw<'_>) -> Result<Order> {
    [Order::PerDocument, Order::None]
        .into_iter()
        .find(|order| value.as_str() == Some(order_name(*order)))
        .ok_or_else(|| invalid("order", "`order` must be \"per_document\" or \"none\""))
}

/// The public name of an order.
pub(super) fn order_name(order: Order) -> &'static str {
    match order {
        Order::PerDocument => "per_document",
        Order::None => "none",
    }
}

fn headers(value: Raw<'_>) -> Result<Vec<(String, String)>> {
    let members =
        value.as_object().ok_or_else(|| invalid("headers", "`headers` must be an object"))?;
    let mut headers = Vec::new();
    for (name, text) in members {
        let text = text.as_str().unwrap_or("\n");
        check_header(name, text)?;
        headers.push((name.to_ascii_lowercase(), text.to_owned()));
    }
    if headers.len() > HEADERS_MAX {
        return Err(invalid("headers", format!("`headers` has more than {HEADERS_MAX} members")));
    }
    Ok(headers)
}

/// Headers that the delivery itself or the connection sets.
const RESERVED: [&str; 9] = [
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "te",
    "upgrade",
    "trailer",
    "expect",
];

fn check_header(name: &str, text: &str) -> Result<()> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
        return Err(invalid("headers", format!("`headers`: `{name}` is not a header's name")));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("webhook-") || RESERVED.contains(&&*lower) {
        return Err(invalid(
            "headers",
            format!("`headers`: `{name}` is set by the delivery itself"),
        ));
    }
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\t';
    if text.len() > HEADER_BYTES_MAX || !text.bytes().all(plain) || text.trim() != text {
        return Err(invalid("headers", format!("`headers`: the value of `{name}` is not valid")));
    }
    Ok(())
}
