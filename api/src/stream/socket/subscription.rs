//! The subscriptions of one connection: a task for each, and the table of their names.
//!
//! Guarantees: a name is one subscription's from the moment it is taken until its last word is queued, so nothing of it
//! comes after `closed`. All end with the connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::writer::Outgoing;
use crate::error::ApiError;
use crate::session::Sight;
use crate::stream::feed::{Feed, Told};

/// How long a feed may be silent before it is asked again how far it has come; the connection breaks silences by itself.
const PATIENCE: Duration = Duration::from_secs(14);

/// The subscriptions of a connection, by their names.
pub(super) struct Table {
    most: usize,
    open: Mutex<HashMap<String, Held>>,
}

/// A subscription as the connection holds it.
struct Held {
    leave: CancellationToken,
    eyes: watch::Sender<Option<Sight>>,
}

/// A subscription as its task holds it.
pub(super) struct Place {
    table: Arc<Table>,
    reference: String,
    leave: CancellationToken,
    eyes: watch::Receiver<Option<Sight>>,
}

impl Table {
    /// For so many at once.
    pub(super) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most: most as usize, open: Mutex::default() })
    }

    /// Whether there is room for a name.
    pub(super) fn check(&self, reference: &str) -> Result<(), ApiError> {
        let open = self.open.lock();
        if open.contains_key(reference) {
            let why = format!("there is a subscription `{reference}` on this connection");
            return Err(ApiError::new(http::StatusCode::CONFLICT, "ref_taken", why));
        }
        if open.len() >= self.most {
            let most = self.most;
            let why = format!("limits.subscriptions_per_connection ({most}) are open");
            let status = http::StatusCode::TOO_MANY_REQUESTS;
            return Err(ApiError::new(status, "too_many_subscriptions", why)
                .with("limit", "limits.subscriptions_per_connection"));
        }
        Ok(())
    }

    /// Takes a name that was checked.
    pub(super) fn take(self: &Arc<Self>, reference: String) -> Place {
        let (leave, (sender, eyes)) = (CancellationToken::new(), watch::channel(None));
        let held = Held { leave: leave.clone(), eyes: sender };
        self.open.lock().insert(reference.clone(), held);
        Place { table: Arc::clone(self), reference, leave, eyes }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }

    /// Asks a subscription to end; whether there is one.
    pub(super) fn leave(&self, reference: &str) -> bool {
        let open = self.open.lock();
        open.get(reference).inspect(|held| held.leave.cancel()).is_some()
    }

    /// Gives all of them newer eyes.
    pub(super) fn renew(&self, sight: &Sight) {
        for held in self.open.lock().values() {
            held.eyes.send_replace(Some(sight.clone()));
        }
    }
}

/// Follows until the feed ends, it is told to leave, or the connection is gone.
pub(super) async fn follow(
    mut feed: Feed,
    place: Place,
    queue: mpsc::Sender<Outgoing>,
    gone: CancellationToken,
) {
    feed.renewed_by(place.eyes);
    let reason = tokio::select! {
        biased;
        () = gone.cancelled() => return,
        () = place.leave.cancelled() => "unsubscribed",
        reason = relay(&mut feed, &queue) => reason,
    };
    drop(feed);
    let room = tokio::select! {
        biased;
        () = gone.cancelled() => return,
        room = queue.reserve() => room,
    };
    let mut open = place.table.open.lock();
    open.remove(&place.reference);
    if let Ok(room) = room {
        room.send(Outgoing::Message(answer::closed(&place.reference, reason)));
    }
}

/// Hands on what is told; why it ends.
async fn relay(feed: &mut Feed, queue: &mpsc::Sender<Outgoing>) -> &'static str {
    loop {
        match feed.next(PATIENCE).await {
            Told::Silence => {}
            Told::Stopping => return "stopping",
            Told::Closed(reason) => return reason,
            Told::Chunk(chunk) => {
                if queue.send(Outgoing::Chunk(chunk)).await.is_err() {
                    return "gone";
                }
            }
        }
    }
}
