//! Idempotent requests: what a request leaves behind, and the answer to its repetition, read from the log.

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventKind};
use crate::log::LogReader;

use super::command::{Committed, Effect, Outcome};
use super::resolve::Resolved;

/// What a retry has to be answered; empty where each event stands for one operation.
pub(super) fn outcomes(resolved: &Resolved) -> Vec<(u8, u64)> {
    let plain = resolved.outcomes.len() == resolved.drafts.len()
        && resolved
            .outcomes
            .iter()
            .all(|outcome| !matches!(outcome.effect, Effect::Unchanged | Effect::Skipped));
    if plain {
        return Vec::new();
    }
    resolved.outcomes.iter().map(|outcome| (outcome.effect as u8, outcome.position)).collect()
}

/// The same key with another request.
pub(super) fn reused_key() -> Error {
    Error::new(
        ErrorKind::Unprocessable,
        "idempotency_key_reused",
        "this Idempotency-Key was used for another request",
    )
}

/// The answer to a repeated request, read from the log.
pub(crate) fn repeat(reader: &LogReader, first_position: u64) -> Result<Committed> {
    let first = reader.get(first_position)?;
    let Some(record) = first.iter().next() else {
        return Err(Error::internal("the log gave no record for a position"));
    };
    let event = Event::decode(&record)?;
    let recorded =
        event.request.as_ref().map(|request| request.outcomes.clone()).unwrap_or_default();
    let last = batch_end(reader, first_position)?;
    let is_plain = recorded.is_empty() && event.kind != EventKind::RequestRecorded;
    let outcomes = if is_plain {
        (first_position..=last).map(|position| outcome_at(reader, position, None)).collect()
    } else {
        recorded
            .into_iter()
            .map(|(effect, position)| outcome_at(reader, position, Effect::from_number(effect)))
            .collect::<Result<Vec<_>>>()
    };
    Ok(Committed { outcomes: outcomes?, position: last, repeated: true })
}

fn batch_end(reader: &LogReader, first_position: u64) -> Result<u64> {
    let mut after = first_position - 1;
    while let Some(block) = reader.read(after, 1 << 20)? {
        let end = block.iter().find(|r| r.position() >= first_position && r.is_batch_end());
        if let Some(end) = end {
            return Ok(end.position());
        }
        after = block.last_position();
    }
    Err(Error::internal(format!("the batch at {first_position} has no end")))
}

fn outcome_at(reader: &LogReader, position: u64, effect: Option<Effect>) -> Result<Outcome> {
    if effect == Some(Effect::Skipped) {
        let (id, body) = (bytes::Bytes::new(), None);
        return Ok(Outcome { id, version: 0, position, body, effect: Effect::Skipped });
    }
    let block = reader.get(position)?;
    let Some(record) = block.iter().next() else {
        return Err(Error::internal("the log gave no record for a position"));
    };
    let event = Event::decode(&record)?;
    let effect = effect.unwrap_or(match event.kind {
        EventKind::DocumentCreated => Effect::Created,
        EventKind::DocumentDeleted => Effect::Deleted,
        EventKind::DocumentUpdated => Effect::Updated,
        _ => Effect::Published,
    });
    let content = event.content.as_ref();
    Ok(Outcome {
        id: content.map_or(&[][..], |content| content.id).to_vec().into(),
        version: event.version,
        position,
        body: content
            .filter(|content| effect != Effect::Deleted && !content.body.is_empty())
            .map(|content| content.body.to_vec().into()),
        effect,
    })
}
