//! Channels: who is present on them, and events that pass through without being logged.
//!
//! Guarantees: whoever listens to a channel is told every join, leave and passing event in order, as long as it keeps up; one
//! that falls more than [`PASSING_MAX`] behind misses the oldest, and nobody waits for it. Somebody is present while at least
//! one of its subscriptions is there.
//! Leaves to others: custom events that are logged, and who may listen or publish.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::value::{Raw, date};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::wire::Wire;
use crate::extract::Format;
use crate::reply::write_text;

/// What a channel holds for those who are slow.
const PASSING_MAX: usize = 64;

/// All channels that somebody listens to.
#[derive(Default)]
pub(crate) struct Channels {
    open: Mutex<HashMap<String, Channel>>,
}

struct Channel {
    sender: broadcast::Sender<Arc<Passing>>,
    listeners: usize,
    members: BTreeMap<String, Member>,
}

struct Member {
    since_ms: u64,
    subscriptions: usize,
}

/// What passes through a channel.
#[derive(Debug)]
pub(crate) struct Passing {
    /// When, UTC ms.
    pub(crate) time_ms: u64,
    /// The channel.
    pub(crate) channel: String,
    /// What.
    pub(crate) what: What,
}

/// What passes through.
#[derive(Debug)]
pub(crate) enum What {
    /// A custom event: its content, and who published it.
    Event(Bytes, Arc<str>),
    /// Somebody came.
    Join(String),
    /// Somebody went.
    Leave(String),
}

/// Somebody who is present.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// Its name.
    pub(crate) who: String,
    /// Since when, UTC ms.
    pub(crate) since_ms: u64,
}

/// A place on a channel; leaves it when dropped.
pub(super) struct Seat {
    channels: Arc<Channels>,
    clock: headwater_engine::clock::SharedClock,
    channel: String,
    presence: Option<String>,
    receiver: broadcast::Receiver<Arc<Passing>>,
}

impl Channels {
    /// Hands something to those who listen to its channel.
    pub(crate) fn pass(&self, passing: Passing) {
        let open = self.open.lock();
        if let Some(channel) = open.get(&passing.channel) {
            // Nobody may be listening any more.
            drop(channel.sender.send(Arc::new(passing)));
        }
    }

    /// Up to `limit` of those who are present, after a name, and whether there are more.
    pub(crate) fn members(
        &self,
        channel: &str,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<Present>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let open = self.open.lock();
        let Some(channel) = open.get(channel) else { return (Vec::new(), false) };
        let from = after.map_or(Unbounded, Excluded);
        let mut rest = channel.members.range::<str, _>((from, Unbounded));
        let present = |(who, member): (&String, &Member)| Present {
            who: who.clone(),
            since_ms: member.since_ms,
        };
        let page = rest.by_ref().take(limit).map(present).collect();
        (page, rest.next().is_some())
    }

    /// Takes a place on a channel, as somebody who is present if that is named.
    pub(super) fn sit(
        self: &Arc<Self>,
        clock: &headwater_engine::clock::SharedClock,
        name: &str,
        presence: Option<&str>,
    ) -> Seat {
        let mut open = self.open.lock();
        let channel = open.entry(name.to_owned()).or_insert_with(|| Channel {
            sender: broadcast::channel(PASSING_MAX).0,
            listeners: 0,
            members: BTreeMap::new(),
        });
        channel.listeners += 1;
        let receiver = channel.sender.subscribe();
        if let Some(who) = presence {
            channel.join(name, who, clock.now_ms());
        }
        Seat {
            channels: Arc::clone(self),
            clock: Arc::clone(clock),
            channel: name.to_owned(),
            presence: presence.map(str::to_owned),
            receiver,
        }
    }

    fn leave(&self, name: &str, presence: Option<&str>, now_ms: u64) {
        let mut open = self.open.lock();
        let Some(channel) = open.get_mut(name) else { return };
        if let Some(who) = presence {
            channel.leave(name, who, now_ms);
        }
        channel.listeners -= 1;
        if channel.listeners == 0 {
            open.remove(name);
        }
    }
}

impl Channel {
    fn join(&mut self, name: &str, who: &str, now_ms: u64) {
        let member = self
            .members
            .entry(who.to_owned())
            .or_insert(Member { since_ms: now_ms, subscriptions: 0 });
        member.subscriptions += 1;
        if member.subscriptions == 1 {
            self.tell(name, now_ms, What::Join(who.to_owned()));
        }
    }

    fn leave(&mut self, name: &str, who: &str, now_ms: u64) {
        let Some(member) = self.members.get_mut(who) else { return };
        member.subscriptions -= 1;
        if member.subscriptions == 0 {
            self.members.remove(who);
            self.tell(name, now_ms, What::Leave(who.to_owned()));
        }
    }

    fn tell(&self, channel: &str, time_ms: u64, what: What) {
        // Whoever came last hears of itself; after whoever went last there is nobody.
        drop(self.sender.send(Arc::new(Passing { time_ms, channel: channel.to_owned(), what })));
    }
}

impl Seat {
    /// What passes next, and whatever else is there already. Safe to cancel.
    pub(super) async fn next(&mut self) -> Vec<Arc<Passing>> {
        let mut passing = Vec::new();
        match self.receiver.recv().await {
            Ok(one) => passing.push(one),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            // The channel is open while somebody sits here.
            Err(broadcast::error::RecvError::Closed) => std::future::pending::<()>().await,
        }
        while passing.len() < PASSING_MAX {
            match self.receiver.try_recv() {
                Ok(one) => passing.push(one),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        passing
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.channels.leave(&self.channel, self.presence.as_deref(), self.clock.now_ms());
    }
}

impl Passing {
    /// The content of a custom event.
    pub(super) fn content(&self) -> Option<Raw<'_>> {
        match &self.what {
            What::Event(body, _) => Some(Raw::trusted(body)),
            What::Join(_) | What::Leave(_) => None,
        }
    }

    /// Appends it as a frame, which has no id.
    pub(super) fn write(&self, wire: &Wire, format: Format, out: &mut Vec<u8>) {
        let kind = self.kind();
        wire.frame(None, kind, out, |out| {
            out.extend_from_slice(b"{\"position\":null,\"time\":\"");
            date::write_ms(i64::try_from(self.time_ms).unwrap_or(i64::MAX), out);
            out.extend_from_slice(b"\",\"kind\":\"");
            out.extend_from_slice(kind.as_bytes());
            out.push(b'"');
            self.write_what(format, out);
            out.push(b'}');
        });
    }

    fn kind(&self) -> &'static str {
        match self.what {
            What::Event(..) => "event.published",
            What::Join(_) => "presence.join",
            What::Leave(_) => "presence.leave",
        }
    }

    fn write_what(&self, format: Format, out: &mut Vec<u8>) {
        let text = |name: &str, text: &str, out: &mut Vec<u8>| {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            write_text(text, out);
        };
        match &self.what {
            What::Join(who) | What::Leave(who) => {
                text("channel", &self.channel, out);
                text("who", who, out);
            }
            What::Event(body, actor) => {
                let body = Raw::trusted(body);
                text("event", body.get("event").and_then(Raw::as_str).unwrap_or_default(), out);
                text("channel", &self.channel, out);
                text("actor", actor, out);
                out.extend_from_slice(b",\"data\":");
                format.write(body.get("data").unwrap_or(Raw::NULL), out);
                out.extend_from_slice(b",\"ephemeral\":true");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::clock::{ManualClock, SharedClock};

    fn who(channels: &Channels) -> Vec<String> {
        channels.members("room", None, 10).0.into_iter().map(|one| one.who).collect()
    }

    #[tokio::test]
    async fn somebody_is_present_while_one_of_its_seats_is() {
        let clock: SharedClock = ManualClock::new(1000, 1);
        let channels = Arc::new(Channels::default());
        let mut listener = channels.sit(&clock, "room", None);
        let first = channels.sit(&clock, "room", Some("ann"));
        let second = channels.sit(&clock, "room", Some("ann"));
        let other = channels.sit(&clock, "room", Some("bob"));
        assert_eq!(who(&channels), ["ann", "bob"]);
        assert_eq!(channels.members("room", Some("ann"), 1).0[0].who, "bob");
        assert!(channels.members("room", None, 1).1);
        drop(first);
        assert_eq!(who(&channels), ["ann", "bob"]);
        drop(second);
        drop(other);
        assert!(who(&channels).is_empty());
        let told: Vec<&str> = listener.next().await.iter().map(|one| one.kind()).collect();
        assert_eq!(told, ["presence.join", "presence.join", "presence.leave", "presence.leave"]);
        drop(listener);
        assert!(channels.open.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_is_slow_misses_the_oldest_and_nobody_waits() {
        let clock: SharedClock = ManualClock::new(1000, 1);
        let channels = Arc::new(Channels::default());
        let mut seat = channels.sit(&clock, "room", None);
        for n in 0..PASSING_MAX as u64 + 10 {
            let what = What::Leave(n.to_string());
            channels.pass(Passing { time_ms: n, channel: "room".to_owned(), what });
        }
        let mut times = Vec::new();
        while times.len() < PASSING_MAX {
            times.extend(seat.next().await.iter().map(|one| one.time_ms));
        }
        assert_eq!(times, (10..PASSING_MAX as u64 + 10).collect::<Vec<_>>());
    }
}
