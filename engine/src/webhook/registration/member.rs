//! The members of a registration, one by one: what each may be.

use std::collections::BTreeSet;

use super::headers::Headers;
use super::{Order, Registration, Scope};
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::limits::Limits;
use crate::subscribe::{BodyFilter, BodyProjection};
use crate::value::Raw;
use crate::webhook::format::{Format, Formats};
use crate::webhook::signature::{Secret, Versions};

/// Most collections by name.
const COLLECTIONS_MAX: usize = 1000;
/// Longest url, bytes.
const URL_BYTES_MAX: usize = 2048;
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
pub(super) fn set(
    into: &mut Registration,
    name: &str,
    value: Raw<'_>,
    formats: &Formats,
) -> Result<()> {
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
        "signatures" => into.signatures = signatures(value)?,
        "headers" => into.headers = Headers::parse(value, &into.headers)?,
        "format" => into.format = format(value, formats)?,
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
    if names.len() > COLLECTIONS_MAX {
        return Err(wrong(format!("`collections` has more than {COLLECTIONS_MAX} names")));
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

fn signatures(value: Raw<'_>) -> Result<Versions> {
    if value.is_null() {
        return Ok(Versions::default());
    }
    let wrong = |why: &str| invalid("signatures", format!("`signatures` {why}"));
    let list = value.as_array().ok_or_else(|| wrong("must be a list of \"v1\" and \"v1a\""))?;
    let mut versions = Versions { symmetric: false, asymmetric: false };
    for name in list {
        match name.as_str() {
            Some(Versions::SYMMETRIC) => versions.symmetric = true,
            Some(Versions::ASYMMETRIC) => versions.asymmetric = true,
            Some(name) => return Err(wrong(&format!("has `{name}`, which is not v1 or v1a"))),
            None => return Err(wrong("must be a list of texts")),
        }
    }
    if versions.names().next().is_none() {
        return Err(wrong("is empty; at least one of \"v1\" and \"v1a\" must sign"));
    }
    Ok(versions)
}

fn format(value: Raw<'_>, formats: &Formats) -> Result<Format> {
    value.as_str().and_then(|name| formats.find(name)).ok_or_else(|| {
        let names: Vec<String> = formats.names().map(|name| format!("\"{name}\"")).collect();
        invalid("format", format!("`format` must be {}", names.join(" or ")))
    })
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
