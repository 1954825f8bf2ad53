//! WebSockets: many subscriptions on one connection.
//!
//! `handshake` makes a connection of a request, `connection` runs it to its end: `desk` reads `message`s, `subscription`s each
//! have a task that follows a [`Feed`](super::feed::Feed), `writer` sends what they and the desk say, `pulse` knows whether the
//! peer lives, `ending` says why and how a connection ends.

mod answer;
mod connection;
mod desk;
mod ending;
mod handshake;
mod message;
mod pulse;
mod subscription;
mod writer;

pub(crate) use connection::Entrance;
pub(crate) use handshake::Upgrade;
pub(crate) use pulse::STALLED;
