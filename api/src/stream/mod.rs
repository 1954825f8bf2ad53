//! Streams: events as JSON, pages of them, server-sent events, and the register of who follows.

pub(crate) mod encode;
mod page;
mod registry;
mod sse;
mod start;

pub(crate) use page::{EventPage, PageQuery, page};
pub(crate) use registry::{Follower, Streams};
pub(crate) use sse::{EventStream, StreamQuery};
pub(crate) use start::{Wanted, epoch_text, position_of, start_of};
