//! Answers held back until the group that they depend on is durable and visible.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::command::Committed;
use crate::error::{Error, Result};

/// What the sequencer tells a caller.
pub(crate) enum Answered {
    /// The command is committed.
    Committed(Committed),
    /// The request was made before; its batch begins at this position.
    Repeat(u64),
}

/// Where a caller waits.
pub(crate) type Reply = oneshot::Sender<Result<Answered>>;

/// What a command will be answered once the group is durable.
pub(super) enum Pending {
    Commit(Committed),
    Repeat(u64),
}

/// The answers of one group.
#[derive(Default)]
pub(super) struct Replies {
    waiting: Vec<(Reply, Result<Pending>)>,
    requests: HashMap<String, (u64, [u8; 32])>,
}

impl Replies {
    pub(super) fn add(&mut self, reply: Reply, pending: Result<Pending>) {
        self.waiting.push((reply, pending));
    }

    /// Remembers a request of this group.
    pub(super) fn remember(&mut self, key: String, position: u64, digest: [u8; 32]) {
        self.requests.insert(key, (position, digest));
    }

    /// A request of this group by its key.
    pub(super) fn request(&self, key: &str) -> Option<(u64, [u8; 32])> {
        self.requests.get(key).copied()
    }

    /// Tells every caller what became of its command. A caller that went away does not matter.
    pub(super) fn answer(self) {
        for (reply, pending) in self.waiting {
            let answer = pending.map(|pending| match pending {
                Pending::Commit(committed) => Answered::Committed(committed),
                Pending::Repeat(position) => Answered::Repeat(position),
            });
            drop(reply.send(answer));
        }
    }

    /// Tells every caller that the group failed; refusals may rest on what was not committed, so they fail too.
    pub(super) fn refuse(self, error: &Error) {
        for (reply, _) in self.waiting {
            drop(reply.send(Err(error.clone())));
        }
    }
}
