//! The store of deliveries at the start: whether it belongs here, and what to do without one.

use std::sync::Arc;

use super::options::MissingStore;
use super::registration::Registration;
use super::registry::Registry;
use super::store::{Op, Selection, State, StoreWriter};
use crate::error::{Error, Result};
use crate::log::Durability;

/// The folder of the store in the data directory.
pub(super) const FOLDER: &str = "deliveries";

/// What a new store begins with. Registered webhooks without a store mean that it was lost.
pub(super) fn begin_store(registry: &Registry, missing: MissingStore, end: u64) -> Result<Vec<Op>> {
    let (webhooks, _) = registry.all();
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    if missing == MissingStore::Refuse {
        return Err(Error::damaged(
            "deliveries_missing",
            format!(
                "{} webhooks are registered, but `{FOLDER}/` in the data directory holds no journal; restore it from \
                 a backup, or set webhooks.missing_store to \"from_start\" (everything since each webhook's start is \
                 delivered again) or \"from_end\" (what was outstanding is not delivered)",
                webhooks.len()
            ),
        ));
    }
    let cursor = |registration: &Registration| match missing {
        MissingStore::FromEnd => end,
        MissingStore::Refuse | MissingStore::FromStart => registration.start,
    };
    let ops = webhooks.iter().map(|(id, registered)| Op::Cursor {
        webhook: Arc::clone(id),
        cursor: cursor(&registered.registration),
        skipped_to: registered.registration.skip_to.unwrap_or(0),
        failing_since_ms: None,
    });
    Ok(ops.collect())
}

/// A store that speaks of events that the log does not have is of another time. But where the log may have lost its
/// newest events with the power, it is the store, which is always synced, that has to go back.
pub(super) fn check_not_ahead(
    store: &mut StoreWriter,
    end: u64,
    durability: Durability,
) -> Result<()> {
    let furthest = store.state().furthest();
    if furthest <= end {
        return Ok(());
    }
    if durability == Durability::Relaxed {
        tracing::warn!(
            furthest,
            end,
            "the log lost events that deliveries speak of (log.durability is relaxed); deliveries go back to its end"
        );
        let ops = going_back(store.state(), end);
        return store.commit(&ops);
    }
    Err(Error::damaged(
        "deliveries_ahead",
        format!(
            "`{FOLDER}/` speaks of position {furthest}, but the log ends at {end}: they are not of the same time; \
             restore both from one backup"
        ),
    ))
}

/// What takes a state back to the end of a log: nothing in it speaks of a later position, which other events will have.
fn going_back(state: &State, end: u64) -> Vec<Op> {
    let mut ops = Vec::new();
    for (webhook, saved) in &state.webhooks {
        let gone = saved.outstanding.range(end + 1..).chain(saved.dead.range(end + 1..));
        ops.extend(gone.map(|(position, _)| Op::Settled {
            webhook: Arc::clone(webhook),
            position: *position,
        }));
        if saved.cursor > end || saved.skipped_to > end {
            ops.push(Op::Cursor {
                webhook: Arc::clone(webhook),
                cursor: saved.cursor.min(end),
                skipped_to: saved.skipped_to.min(end),
                failing_since_ms: saved.failing_since_ms,
            });
        }
    }
    for (id, replay) in &state.replays {
        if replay.to > end {
            let mut state = replay.clone();
            (state.to, state.cursor) = (state.to.min(end), state.cursor.min(end));
            if let Selection::Positions(positions) = &mut state.selection {
                positions.retain(|position| *position <= end);
            }
            ops.push(Op::Replay { id: *id, state });
        }
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::store::Outstanding;

    #[test]
    fn nothing_speaks_of_lost_positions_afterwards() {
        let webhook: Arc<str> = "w".into();
        let delivery = Arc::new(Outstanding {
            key: 1,
            event_ms: 1,
            attempts: 1,
            next_ms: 1,
            replay: None,
            live: true,
            history: Vec::new(),
            alone: false,
            revived: false,
        });
        let mut state = State::default();
        for position in [4, 6] {
            let (webhook, delivery) = (Arc::clone(&webhook), Arc::clone(&delivery));
            state.apply(Op::Outstanding { webhook, position, delivery });
        }
        for position in [5, 7] {
            let (webhook, delivery) = (Arc::clone(&webhook), Arc::clone(&delivery));
            state.apply(Op::Dead { webhook, position, delivery });
        }
        let (cursor, skipped_to, failing_since_ms) = (8, 0, Some(3));
        state.apply(Op::Cursor { webhook, cursor, skipped_to, failing_since_ms });
        going_back(&state, 5).into_iter().for_each(|op| state.apply(op));
        assert_eq!(state.furthest(), 5);
        let saved = &state.webhooks["w"];
        assert_eq!((saved.cursor, saved.failing_since_ms), (5, Some(3)));
        assert_eq!(saved.outstanding.keys().collect::<Vec<_>>(), [&4]);
        assert_eq!(saved.dead.keys().collect::<Vec<_>>(), [&5]);
    }
}
