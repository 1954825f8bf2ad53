//! Streams: pages of events, server-sent events, and the register of who follows.

mod audience;
mod frame;
mod page;
mod registry;
mod sse;
mod start;

pub(crate) use page::{EventPage, PageQuery, page};
pub(crate) use registry::{Follower, Streams};
pub(crate) use sse::{EventStream, StreamQuery};
pub(crate) use start::{Wanted, epoch_text, position_of, start_of};
