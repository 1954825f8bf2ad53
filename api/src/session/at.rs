//! Reading the past: a position or a time that a read looks back to.

use headwater_engine::value::{Raw, date};
use headwater_engine::view::Snapshot;
use headwater_engine::{Engine, Result};

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
        let position = match self {
            Self::Now => return Ok(None),
            Self::Position(position) => engine.check_at(position)?,
            Self::Time(time_ms) => engine.position_at_time(time_ms)?,
        };
        // What came after the snapshot is not seen by it.
        Ok(Some(position.min(snapshot.position())))
    }
}

/// A time in RFC 3339 as UTC ms; times before 1970 are its beginning.
pub(crate) fn parse_time(text: &str) -> Option<u64> {
    date::parse_ms(text).map(|ms| u64::try_from(ms).unwrap_or_default())
}

fn malformed() -> ApiError {
    crate::extract::invalid("at", "a position or a time in RFC 3339")
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
