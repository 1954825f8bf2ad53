//! Reading registrations: from a user, from a user's change, from a stored document.

use std::sync::Arc;

use super::headers::Headers;
use super::member::{self, invalid};
use super::{Registration, RetiringSecret};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::subscribe::Start;
use crate::value::{Raw, date, object_id};
use crate::vault::Vault;
use crate::webhook::format::Formats;
use crate::webhook::signature::Secret;
use crate::webhook::signing_key::SigningKey;

/// Fills in what a user gives for a new webhook.
pub(super) fn create(
    into: &mut Registration,
    given: Raw<'_>,
    engine: &Engine,
    formats: &Formats,
) -> Result<()> {
    let mut start = Start::Latest;
    for (name, value) in members(given)? {
        match name {
            "from" => start = parse_start(value)?,
            _ => member::set(into, name, value, formats)?,
        }
    }
    if into.url.is_empty() {
        return Err(invalid("url", "`url` is missing"));
    }
    if given.get("collections").is_none() {
        return Err(invalid("collections", "`collections` is missing; `[\"*\"]` is all of them"));
    }
    into.start = begin(start, engine)?;
    complete(into, &**engine.clock())
}

/// The position after which it begins.
fn begin(start: Start, engine: &Engine) -> Result<u64> {
    if let Start::Time(time_ms) = start
        && time_ms > engine.clock().now_ms()
    {
        return Err(invalid("from", "`from` is in the future"));
    }
    engine.resolve(start).map_err(|error| match error.kind() {
        ErrorKind::Gone => invalid("from", format!("`from`: {}", error.message())),
        _ => error,
    })
}

/// Makes the signing key, where one is needed first.
fn complete(into: &mut Registration, clock: &dyn Clock) -> Result<()> {
    if into.signatures.asymmetric && into.key.is_none() {
        into.key = Some(SigningKey::generate(clock)?);
    }
    Ok(())
}

/// Applies a user's changes.
pub(super) fn patch(
    into: &mut Registration,
    given: Raw<'_>,
    engine: &Engine,
    formats: &Formats,
) -> Result<()> {
    let (was_active, before) = (into.active, into.clone());
    let mut skip = false;
    for (name, value) in members(given)? {
        match name {
            "from" => return Err(invalid("from", "`from` cannot be changed; use a replay")),
            "backlog" => {
                skip = match value.as_str() {
                    Some("keep") => false,
                    Some("skip") => true,
                    _ => return Err(invalid("backlog", "`backlog` must be \"keep\" or \"skip\"")),
                }
            }
            _ => member::set(into, name, value, formats)?,
        }
    }
    if into.active {
        into.disabled = None;
    }
    // A secret that is given retires the one before, as a rotation does.
    if into.secret != before.secret {
        let now_ms = engine.clock().now_ms();
        into.retiring = before.retired(now_ms);
    }
    if skip {
        if was_active || !into.active {
            let message = "`backlog` goes with `active` becoming true";
            return Err(invalid("backlog", message));
        }
        into.skip_to = Some(engine.position());
    }
    complete(into, &**engine.clock())
}

/// Reads a document of `_webhooks`.
pub(super) fn stored(
    id: Raw<'_>,
    body: Raw<'_>,
    vault: &Vault,
    formats: &Formats,
) -> Result<Registration> {
    let id: Arc<str> = match (id.as_object_id(), id.as_str()) {
        (Some(id), _) => object_id::format(&id).into(),
        (None, Some(text)) => text.into(),
        _ => return Err(invalid("_id", "the `_id` of a webhook must be an ObjectId or a text")),
    };
    let text = |name: &str| body.get(name).and_then(Raw::as_str);
    let number =
        |name: &str| body.get(name).and_then(Raw::as_i64).and_then(|n| u64::try_from(n).ok());
    let key = |name: &str, id: &str| {
        text(name).map(|sealed| SigningKey::unseal(sealed, vault, id)).transpose()
    };
    let secret = Secret::unseal(text("secret").unwrap_or_default(), vault, &id)?;
    let mut registration = Registration::blank(id, secret);
    for (name, value) in body.object_iter() {
        match name {
            "_id"
            | "secret"
            | "signing_key"
            | "retiring"
            | "retiring_secret"
            | "retiring_signing_key"
            | "retiring_until"
            | "sealed_headers"
            | "skip_to"
            | "owner"
            | "from"
            | "disabled" => {}
            // Documents of earlier builds have them in clear.
            "headers" => registration.headers = Headers::plain(value)?,
            _ => member::set(&mut registration, name, value, formats)?,
        }
    }
    registration.start =
        number("from").ok_or_else(|| invalid("from", "`from` is not a position"))?;
    registration.skip_to = number("skip_to");
    registration.owner = text("owner").unwrap_or_default().to_owned();
    registration.disabled = text("disabled").map(str::to_owned);
    // Earlier builds kept one alone.
    if let (Some(old), Some(until_ms)) = (text("retiring_secret"), number("retiring_until")) {
        let secret = Secret::unseal(old, vault, &registration.id)?;
        let key = key("retiring_signing_key", &registration.id)?;
        registration.retiring.push(RetiringSecret { secret, key, until_ms });
    }
    for old in body.get("retiring").and_then(Raw::as_array).into_iter().flatten() {
        registration.retiring.push(retiring(old, vault, &registration.id)?);
    }
    registration.key = key("signing_key", &registration.id)?;
    if let Some(sealed) = text("sealed_headers") {
        registration.headers = Headers::unseal(sealed, vault, &registration.id)?;
    }
    Ok(registration)
}

fn retiring(old: Raw<'_>, vault: &Vault, webhook: &str) -> Result<RetiringSecret> {
    let text = |name: &str| old.get(name).and_then(Raw::as_str);
    let until_ms = old.get("until").and_then(Raw::as_i64).and_then(|ms| u64::try_from(ms).ok());
    let key = text("signing_key").map(|sealed| SigningKey::unseal(sealed, vault, webhook));
    Ok(RetiringSecret {
        secret: Secret::unseal(text("secret").unwrap_or_default(), vault, webhook)?,
        key: key.transpose()?,
        until_ms: until_ms.unwrap_or_default(),
    })
}

fn members<'a>(given: Raw<'a>) -> Result<impl Iterator<Item = (&'a str, Raw<'a>)>> {
    given
        .as_object()
        .ok_or_else(|| Error::invalid("invalid_webhook", "a webhook must be an object"))
}

/// Where to start: a position, a time, `earliest` or `latest`.
pub(crate) fn parse_start(value: Raw<'_>) -> Result<Start> {
    let wrong = || invalid("from", "`from` must be a position, a time, \"earliest\" or \"latest\"");
    if let Some(position) = value.as_i64() {
        return u64::try_from(position).map(Start::After).map_err(|_| wrong());
    }
    match value.as_str() {
        Some("earliest") => Ok(Start::Earliest),
        Some("latest") => Ok(Start::Latest),
        Some(text) => {
            let time = date::parse_ms(text).and_then(|ms| u64::try_from(ms).ok());
            time.map(Start::Time).ok_or_else(wrong)
        }
        None => Err(wrong()),
    }
}
