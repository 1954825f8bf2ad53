//! Where a stream or page begins: the words for positions, and the rules of epochs.
//!
//! Guarantees: a position of another history is refused, never taken for one of this.

use headwater_engine::log::Epoch;
use headwater_engine::subscribe::Start;
use headwater_engine::{Engine, Error, ErrorKind, Result};

use crate::error::ApiError;
use crate::session::{At, blocking};

/// What a request says about its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The last event that the caller had: `P` or `P@epoch`.
    pub(crate) last_id: Option<String>,
    /// `earliest`, `latest`, a position or a time.
    pub(crate) from: Option<String>,
    /// The history that the caller knows.
    pub(crate) epoch: Option<String>,
}

/// The identity of a history as text.
pub(crate) fn epoch_text(epoch: Epoch) -> String {
    epoch.id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The start that a request means, or `otherwise`.
pub(crate) fn start_of(
    wanted: &Wanted,
    present: Epoch,
    first: u64,
    otherwise: Start,
) -> Result<Start, ApiError> {
    let text = epoch_text(present);
    let known = wanted.epoch.as_deref();
    if known.is_some_and(|known| !known.eq_ignore_ascii_case(&text)) {
        return Err(other_epoch(first).into());
    }
    let (given, is_id) = match (&wanted.last_id, &wanted.from) {
        (Some(id), _) => (id.as_str(), true),
        (None, Some(from)) => (from.as_str(), false),
        (None, None) => return Ok(otherwise),
    };
    let (given, epoch) = match given.split_once('@') {
        Some((position, epoch)) => (position, Some(epoch)),
        None => (given, None),
    };
    if epoch.is_some_and(|epoch| !epoch.eq_ignore_ascii_case(&text)) {
        return Err(other_epoch(first).into());
    }
    let start = parse(given, is_id || epoch.is_some())?;
    match start {
        Start::After(position)
            if is_id
                && epoch.is_none()
                && known.is_none()
                && present.start > 0
                && position > present.start =>
        {
            Err(other_epoch(first).into())
        }
        start => Ok(start),
    }
}

fn parse(text: &str, position_alone: bool) -> Result<Start, ApiError> {
    if let Ok(position) = text.parse() {
        return Ok(Start::After(position));
    }
    match text {
        "earliest" if !position_alone => Ok(Start::Earliest),
        "latest" if !position_alone => Ok(Start::Latest),
        _ => match At::parse(Some(text)) {
            Ok(At::Time(time_ms)) if !position_alone => Ok(Start::Time(time_ms)),
            _ => Err(ApiError::bad_request(
                "invalid_position",
                "a start is `earliest`, `latest`, a position or a time in RFC 3339; \
                 an event id is a position",
            )),
        },
    }
}

/// The position after which a start begins.
pub(crate) async fn position_of(engine: &Engine, start: Start) -> Result<u64> {
    match start {
        // Finding a time reads from disk.
        Start::Time(_) => {
            let held = engine.clone();
            blocking(engine, move || held.resolve(start)).await
        }
        // Read from the views a moment before it was published.
        Start::After(position)
            if position > engine.position() && position <= engine.snapshot().position() =>
        {
            engine.wait_for(position).await?;
            engine.resolve(start)
        }
        _ => engine.resolve(start),
    }
}

fn other_epoch(first: u64) -> Error {
    let message = "the position belongs to another history of this log; start over";
    Error::new(ErrorKind::Gone, "epoch_changed", message).with("first", first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: Epoch = Epoch { id: [0xab; 16], start: 100 };

    fn start(last_id: Option<&str>, from: Option<&str>, epoch: Option<&str>) -> Result<Start, u16> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let wanted = Wanted { last_id: text(last_id), from: text(from), epoch: text(epoch) };
        start_of(&wanted, PRESENT, 1, Start::Latest).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn ids_come_before_from() {
        assert_eq!(start(Some("7"), Some("9"), None), Ok(Start::After(7)));
        assert_eq!(start(None, Some("9"), None), Ok(Start::After(9)));
        assert_eq!(start(None, Some("earliest"), None), Ok(Start::Earliest));
        assert_eq!(start(None, Some("1970-01-01T00:00:01Z"), None), Ok(Start::Time(1000)));
        assert_eq!(start(None, None, None), Ok(Start::Latest));
        assert_eq!(start(Some("x"), None, None), Err(400));
        assert_eq!(start(Some("earliest"), None, None), Err(400));
    }

    #[test]
    fn positions_of_another_history_are_gone() {
        let present = epoch_text(PRESENT);
        let id = format!("150@{present}");
        assert_eq!(start(Some(&id), None, None), Ok(Start::After(150)));
        assert_eq!(start(Some("150@cd"), None, None), Err(410));
        assert_eq!(start(Some("150"), None, None), Err(410));
        assert_eq!(start(Some("100"), None, None), Ok(Start::After(100)));
        assert_eq!(start(Some("150"), None, Some(&present)), Ok(Start::After(150)));
        assert_eq!(start(Some("50"), None, Some("cd")), Err(410));
    }
}
