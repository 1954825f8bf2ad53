//! Channels: which custom events may be published or followed, by patterns of their channels' names.
//!
//! Guarantees: a channel that patterns match is ruled by them alone, all of them together.
//! Leaves to others: channels that none matches, and events of none (the `*` entry of `collections`).

use headwater_engine::Result;
use headwater_engine::value::Raw;

use super::glob;
use super::reader::Reader;
use super::source::read_actions;
use crate::auth::action::{Action, Actions};

const CHANNELS_MAX: usize = 100;
const PATTERN_BYTES_MAX: usize = 256;

/// The `channels` of a grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Channels(Vec<(String, Actions)>);

impl Channels {
    /// Reads `channels`: `{"room-*": ["publish", "subscribe"]}`.
    pub(super) fn parse(reader: Reader, value: Raw<'_>) -> Result<Self> {
        let malformed = || reader.refuse("channels", "must map patterns to lists of actions");
        let members = value.as_object().ok_or_else(malformed)?;
        if value.member_count() > CHANNELS_MAX {
            let what = format!("has more than {CHANNELS_MAX} entries");
            return Err(reader.refuse("channels", what));
        }
        let possible = Actions::of(&[Action::Publish, Action::Subscribe]);
        let mut channels = Vec::new();
        for (pattern, list) in members {
            if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
                return Err(reader.entry("channels", pattern, "which is no pattern of channels"));
            }
            let member = format!("channels.{pattern}");
            let actions = read_actions(reader, &member, list)
                .map_err(|error| error.with("entry", pattern))?;
            if actions.both(possible) != actions {
                let what = "may hold `publish` and `subscribe` only";
                return Err(reader.refuse(&member, what).with("entry", pattern));
            }
            channels.push((pattern.to_owned(), actions));
        }
        Ok(Self(channels))
    }

    /// Whether an action is allowed on a channel; `None` where no pattern matches it.
    pub(super) fn allows(&self, channel: &str, action: Action) -> Option<bool> {
        let mut matching = self.0.iter().filter(|(pattern, _)| glob::matches(pattern, channel));
        let (_, first) = matching.next()?;
        Some(first.contains(action) || matching.any(|(_, actions)| actions.contains(action)))
    }

    /// Whether an action is allowed on some channel.
    pub(super) fn allows_somewhere(&self, action: Action) -> bool {
        self.0.iter().any(|(_, actions)| actions.contains(action))
    }
}
