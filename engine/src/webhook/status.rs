//! How a delivery stands.

use serde::{Deserialize, Serialize};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Not attempted yet: about to be, or behind another of its document.
    #[serde(rename = "p")]
    Pending,
    /// Delivered; only the latest are remembered, and only until the next start.
    #[serde(rename = "s")]
    Succeeded,
    /// Failed, and to be attempted again.
    #[serde(rename = "f")]
    Failing,
    /// Given up.
    #[serde(rename = "d")]
    Dead,
}

impl Status {
    /// The public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failing => "failing",
            Self::Dead => "dead",
        }
    }

    /// The status of a public name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failing, Self::Dead]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}
