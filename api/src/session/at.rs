//! Reading the past: a position or a time that a read looks back to.

use headwater_engine::value::{Raw, date};
use headwater_engine::view::Snapshot;
use headwater_engine::{Engine, Error, ErrorKind, Result};

use crate::error::ApiError;

/// When a read looks at the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Now.
    Now,
    /// Right after a position.
    Position(u64),
    /// After everything up to a time, UTC ms.
    Time(u64),
}

impl At {
    /// Reads a position or a time.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let Some(text) = text else { return Ok(Self::Now) };
        if let Ok(position) = text.parse() {
            return Ok(Self::Position(position));
        }
        parse_time(text).map(Self::Time).ok_or_else(malformed)
    }

    /// Reads a member of a body.
    pub(crate) fn read(value: Option<Raw<'_>>) -> Result<Self, ApiError> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Self::Now) };
        if let Some(number) = value.as_i64() {
            return u64::try_from(number).map(Self::Position).map_err(|_| malformed());
        }
        if let Some(ms) = value.as_date() {
            return Ok(Self::Time(u64::try_from(ms).unwrap_or_default()));
        }
        Self::parse(Some(value.as_str().ok_or_else(malformed)?))
    }

    /// The position it means in a snapshot; `None` for now. Blocking.
    pub(crate) fn resolve(self, engine: &Engine, snapshot: &Snapshot) -> Result<Option<u64>> {
        let newest = snapshot.position();
        let first = engine.log().first_position();
        let position = match self {
            Self::Now => return Ok(None),
            Self::Position(position) if position > newest => {
                return Err(in_future(format!("position {position} is past the end, {newest}")));
            }
            Self::Position(position) if position + 1 < first => return Err(gone(first)),
            Self::Position(position) => position,
            Self::Time(time_ms) if time_ms > engine.clock().now_ms() => {
                return Err(in_future("the time is in the future".to_owned()));
            }
            Self::Time(time_ms) => {
                let after = engine.log().position_at(time_ms.saturating_add(1))?;
                if after <= first && first > 1 {
                    return Err(gone(first));
                }
                after.saturating_sub(1).min(newest)
            }
        };
        Ok(Some(position))
    }
}

/// A time in RFC 3339 as UTC ms; times before 1970 are its beginning.
pub(crate) fn parse_time(text: &str) -> Option<u64> {
    date::parse_ms(text).map(|ms| u64::try_from(ms).unwrap_or_default())
}

fn malformed() -> ApiError {
    crate::extract::invalid("at", "a position or a time in RFC 3339")
}

fn in_future(message: String) -> Error {
    Error::invalid("at_in_future", message)
}

fn gone(first: u64) -> Error {
    let message = format!("that is before retention; the first position kept is {first}");
    Error::new(ErrorKind::Gone, "position_gone", message).with("first", first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_times_are_told_apart() {
        assert_eq!(At::parse(None).unwrap(), At::Now);
        assert_eq!(At::parse(Some("12")).unwrap(), At::Position(12));
        assert_eq!(At::parse(Some("1970-01-01T00:00:01Z")).unwrap(), At::Time(1000));
        assert!(At::parse(Some("yesterday")).is_err());
    }
}
