//! The bounded queue in front of the sequencer.
//!
//! Guarantees: whoever waits for an answer gets one: what the sequencer leaves behind when it ends is dropped, and nothing
//! is taken in afterwards. (A bounded channel alone keeps what was sent for as long as somebody could still send: a task that
//! waits for its own command would wait for ever.)

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::RwLock;

use super::sequencer::Request;

/// Pause between two tries of one that may wait for room.
const PAUSE: Duration = Duration::from_millis(1);

/// The side that puts requests in.
pub(crate) struct Queue {
    sender: Sender<Request>,
    closed: Arc<RwLock<bool>>,
}

/// The sequencer's side; closes the queue when it is dropped.
pub(crate) struct Requests {
    pub(crate) receiver: Receiver<Request>,
    closed: Arc<RwLock<bool>>,
}

/// Why a request was not taken in.
pub(crate) enum NotQueued {
    /// There is no room.
    Full,
    /// The sequencer has ended.
    Closed,
}

/// A queue with room for so many requests.
pub(crate) fn queue(room: usize) -> (Queue, Requests) {
    let (sender, receiver) = bounded(room);
    let closed = Arc::new(RwLock::new(false));
    (Queue { sender, closed: Arc::clone(&closed) }, Requests { receiver, closed })
}

impl Queue {
    /// Puts a request in, if there is room.
    pub(crate) fn put(&self, request: Request) -> Result<(), NotQueued> {
        self.try_put(&mut Some(request))
    }

    /// Puts a request in, and waits for room. Blocking.
    pub(crate) fn put_waiting(&self, request: Request) -> Result<(), NotQueued> {
        let mut request = Some(request);
        loop {
            match self.try_put(&mut request) {
                Err(NotQueued::Full) => std::thread::sleep(PAUSE),
                done => return done,
            }
        }
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.sender.len()
    }

    /// Takes the request, but for want of room.
    fn try_put(&self, request: &mut Option<Request>) -> Result<(), NotQueued> {
        // Held while sending, so that nothing comes in after the queue was emptied for the last time.
        let closed = self.closed.read();
        if *closed {
            return Err(NotQueued::Closed);
        }
        let Some(taken) = request.take() else { return Ok(()) };
        self.sender.try_send(taken).map_err(|error| match error {
            TrySendError::Full(back) => {
                *request = Some(back);
                NotQueued::Full
            }
            TrySendError::Disconnected(_) => NotQueued::Closed,
        })
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        *self.closed.write() = true;
        while self.receiver.try_recv().is_ok() {}
    }
}
