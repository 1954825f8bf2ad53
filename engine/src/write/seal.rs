//! Sealing: the erasable part of a create, encoded and hashed on the caller's task.
//!
//! A create's erasable part depends on nothing that only the sequencer knows, and hashing it is the largest single cost
//! of an append (measured), so it is done before the queue, off the one writer's thread.

use bytes::Bytes;

use super::command::{Command, Operation};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::encode_erasable;
use crate::log::digest_of;

/// An erasable part that is ready to be appended.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(super) erasable: Bytes,
    pub(super) digest: [u8; 32],
}

/// The sealed parts of a command's creates, by operation.
pub(crate) fn seal(command: &Command, clock: &dyn Clock) -> Result<Vec<Option<Sealed>>> {
    command
        .operations
        .iter()
        .map(|operation| match operation {
            Operation::Create { id, body, .. } => {
                let mut salt = [0; 16];
                clock.fill_random(&mut salt);
                let mut erasable = Vec::with_capacity(40 + id.raw.len() + body.len());
                encode_erasable(&salt, &id.raw, body, &mut erasable)?;
                let digest = digest_of(&erasable);
                Ok(Some(Sealed { erasable: erasable.into(), digest }))
            }
            _ => Ok(None),
        })
        .collect()
}
