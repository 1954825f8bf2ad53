//! Streams: subscriptions and what carries them, pages of events, and the register of who follows.
//!
//! A request or a message is checked and becomes a [`Topic`] (`asked`). A [`Feed`] follows it for one subscriber: events
//! (`events`) or a live query (`live`). Both follow an audience (`follow`): its frames come from the fan-out, or from the log
//! where the subscriber is behind. What the frames look like is the [`Wire`]'s; what carries them is `sse` or `socket`.

mod asked;
mod channels;
mod event_encoder;
mod events;
mod feed;
mod follow;
mod group;
mod live;
mod page;
mod registry;
mod socket;
mod sse;
mod start;
mod topic;
mod wire;

pub(crate) use asked::{EventsAsked, LiveAsked, NAME_BYTES_MAX, body_filter};
pub(crate) use channels::{Channels, Passing, What};
pub(crate) use event_encoder::EventEncoder;
pub(crate) use feed::Feed;
pub(crate) use live::Windows;
pub(crate) use page::{EventPage, PageQuery, page};
pub(crate) use registry::Streams;
pub(crate) use socket::{Entrance, STALLED, Upgrade};
pub(crate) use sse::{EPOCH, EventStream};
pub(crate) use start::{Wanted, epoch_text, position_of, start_of};
pub(crate) use topic::{EventTopic, Topic};
pub(crate) use wire::Wire;
