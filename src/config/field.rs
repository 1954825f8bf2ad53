//! How single settings are read: lists that may be comma-separated text, paths that may be empty, secrets.
//!
//! Guarantees: a secret never shows in `Debug`; an element that can't be read is quoted in the error.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::quantity;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A list as TOML writes it, or as one text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Text(String),
    Seconds(u64),
    Many(Vec<Element>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Text(String),
    Seconds(u64),
}

impl Listed {
    fn elements(self) -> Vec<Element> {
        match self {
            Self::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Element::Text(part.to_owned()))
                .collect(),
            Self::Seconds(seconds) => vec![Element::Seconds(seconds)],
            Self::Many(elements) => elements,
        }
    }
}

/// Networks such as `10.0.0.0/8`; a bare address is a network of one.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |element| match element {
        Element::Text(text) => text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| D::Error::custom(format!("`{text}` is no network such as 10.0.0.0/8"))),
        Element::Seconds(number) => {
            Err(D::Error::custom(format!("`{number}` is no network such as 10.0.0.0/8")))
        }
    };
    Listed::deserialize(from)?.elements().into_iter().map(network).collect()
}

/// Durations such as `5min`; a number is seconds.
pub(super) fn durations<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
    let duration = |element| match element {
        Element::Text(text) => quantity::duration(&text).map_err(D::Error::custom),
        Element::Seconds(seconds) => Ok(Duration::from_secs(seconds)),
    };
    Listed::deserialize(from)?.elements().into_iter().map(duration).collect()
}

/// A path, where empty text means none.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// A secret, where empty text means none.
pub(super) fn optional_secret<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then_some(Secret(text)))
}

/// A number, where 0 means none.
pub(super) fn none_when_zero<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(from)?;
    Ok((number != 0).then_some(number))
}

/// Texts, as a list or divided by commas.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let text = |element| match element {
        Element::Text(text) => text,
        Element::Seconds(number) => number.to_string(),
    };
    Ok(Listed::deserialize(from)?.elements().into_iter().map(text).collect())
}
