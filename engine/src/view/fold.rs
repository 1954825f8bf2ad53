//! The fold of the log: building views from the base and the events after it.
//!
//! Guarantees: the same log gives the same views, byte for byte. A base holds what the views held at its position, so
//! that the events before it may be dropped.
//! Base entries: tag byte, then `D` key, row of a live document; `X` key, version and position of a deleted one; `M` key,
//! value of a counter or remembered request; `C` the definition of a collection; `H` the highest collection number.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::apply::{Applier, ApplierState, Counters};
use super::generation::{Generation, Views};
use super::keys;
use super::row::Row;
use super::snapshot::Snapshot;
use super::store::{Store, Tree};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::log::{BaseWriter, LogReader};

const READ_BYTES: usize = 4 << 20;
/// Memtables are sealed at this size while folding.
const FOLD_MEMTABLE_BYTES: u64 = 32 << 20;

/// How far a fold has come; shared with who watches it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Progress {
    /// A progress whose work gives up once `stop` is cancelled.
    pub fn until(stop: CancellationToken) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Fails once the work should give up.
    pub fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() {
            return Err(Error::unavailable("stopping", "the server is stopping"));
        }
        Ok(())
    }

    /// Sets how many positions there are to go through.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Says how many are done.
    pub fn reached(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// From 0 to 1.
    pub fn fraction(&self) -> f64 {
        let total = self.total.load(Ordering::Relaxed);
        if total == 0 { 0.0 } else { self.done.load(Ordering::Relaxed) as f64 / total as f64 }
    }
}

/// Folds the log up to `to` into a new generation beside the current views.
pub fn fold(views: &Views, to: u64, progress: &Progress) -> Result<(Generation, Applier)> {
    let generation = views.beside()?;
    let store = Arc::clone(&generation.store);
    let mut applier = Applier::new(store, ApplierState::default(), Vec::new());
    catch_up(views.log(), &mut applier, to, progress)?;
    applier.build_indexes()?;
    Ok((generation, applier))
}

/// Applies what a fold still lacks.
pub(crate) fn finish_fold(log: &LogReader, applier: &mut Applier, to: u64) -> Result<()> {
    catch_up(log, applier, to, &Progress::default())?;
    applier.build_indexes()
}

/// Applies the log's events up to `to`, flushing as it goes.
pub(crate) fn catch_up(
    log: &LogReader,
    applier: &mut Applier,
    to: u64,
    progress: &Progress,
) -> Result<()> {
    if applier.position() == 0 && log.first_position() > 1 {
        let state = load_base(log, applier.store())?;
        applier.restart(state);
    }
    progress.expect(to);
    while applier.position() < to {
        progress.check()?;
        let Some(block) = log.read(applier.position(), READ_BYTES)? else {
            return Err(Error::internal(format!(
                "the log ends at {} where {to} was expected",
                applier.position()
            )));
        };
        applier.apply(&block, to)?;
        progress.reached(applier.position());
        if applier.store().active_bytes() > FOLD_MEMTABLE_BYTES {
            applier.store().rotate();
            applier.store().flush()?;
            applier.store().compact()?;
        }
    }
    Ok(())
}

/// The base that history begins with: the oldest one that the log still continues without a gap. Newer ones are what an
/// interrupted retention left; the next run goes on with them.
pub(crate) fn base_position(log: &LogReader) -> Result<Option<u64>> {
    let before = log.first_position() - 1;
    if before == 0 {
        return Ok(None);
    }
    Ok(log.bases()?.into_iter().find(|position| *position >= before))
}

/// Fills empty trees from the log's base, if it has one.
fn load_base(log: &LogReader, store: &Store) -> Result<ApplierState> {
    let mut state = ApplierState::default();
    let Some(base) = base_position(log)?.map(|position| log.open_base(position)).transpose()?
    else {
        return Ok(state);
    };
    state.position = base.header().position;
    state.base = state.position;
    state.time_ms = base.header().time_ms;
    let sequence = store.next_sequence();
    base.for_each(|entry| {
        load_entry(entry, store, sequence, &mut state)?;
        if store.active_bytes() > FOLD_MEMTABLE_BYTES {
            store.rotate();
            store.flush()?;
        }
        Ok(())
    })?;
    Ok(state)
}

fn load_entry(entry: &[u8], store: &Store, sequence: u64, state: &mut ApplierState) -> Result<()> {
    let damaged = || Error::damaged("base_damaged", "an entry of the base cannot be decoded");
    let (tag, rest) = entry.split_first().ok_or_else(damaged)?;
    match tag {
        b'C' => state.collections.define(Bytes::copy_from_slice(rest))?,
        b'H' => {
            let number = rest.try_into().map_err(|_| damaged())?;
            state.collections.raise_highest(u32::from_le_bytes(number));
        }
        b'D' => {
            let (key, value) = split_key(rest).ok_or_else(damaged)?;
            let row = Row::decode(Bytes::copy_from_slice(value))?;
            store.insert(Tree::Documents, key, value, sequence);
            let mut history = key.to_vec();
            history.extend_from_slice(&row.position().to_be_bytes());
            let mut state_then = vec![EventKind::DocumentUpdated as u8];
            state_then.extend_from_slice(value);
            store.insert(Tree::History, &history, &state_then, sequence);
        }
        b'X' => {
            let (key, value) = split_key(rest).ok_or_else(damaged)?;
            let position = value.get(8..16).ok_or_else(damaged)?;
            store.insert(Tree::Deleted, key, value, sequence);
            let mut history = key.to_vec();
            history.extend(position.iter().rev());
            store.insert(Tree::History, &history, &[EventKind::DocumentDeleted as u8], sequence);
        }
        b'M' => {
            let (key, value) = split_key(rest).ok_or_else(damaged)?;
            if let (Some((b'c', number)), true) = (key.split_first(), key.len() == 5) {
                let number = number.try_into().map_err(|_| damaged())?;
                state.counters.insert(u32::from_be_bytes(number), Counters::decode(value));
            }
            store.insert(Tree::Meta, key, value, sequence);
        }
        _ => return Err(damaged()),
    }
    Ok(())
}

fn split_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?));
    let key = bytes.get(2..2 + len)?;
    Some((key, bytes.get(2 + len..)?))
}

/// Writes everything that `snapshot` holds into a base; remembered requests from before `requests_since_ms` are left
/// out.
pub fn dump_base(snapshot: &Snapshot, base: &mut BaseWriter, requests_since_ms: u64) -> Result<()> {
    base.push(&[&b"H"[..], &snapshot.collections().highest().to_le_bytes()].concat())?;
    for collection in snapshot.collections().iter() {
        base.push(&[b"C", &collection.definition[..]].concat())?;
    }
    for (tree, tag) in [(Tree::Documents, b'D'), (Tree::Deleted, b'X'), (Tree::Meta, b'M')] {
        for entry in snapshot.store().range(tree, Bound::Unbounded, Bound::Unbounded) {
            let (key, value) = entry?;
            let left_out = match tree {
                Tree::Meta => {
                    keys::swept(&key).is_some()
                        || keys::swept_index(&key).is_some()
                        || forgotten(&key, &value, requests_since_ms)
                }
                _ => !is_kept(snapshot, &key),
            };
            if left_out {
                continue;
            }
            base.push(&keyed(tag, &key, &value))?;
        }
    }
    Ok(())
}

/// Whether a key belongs to a collection that is not dropped.
fn is_kept(snapshot: &Snapshot, key: &[u8]) -> bool {
    let number = key.first_chunk::<4>().map_or(0, |number| u32::from_be_bytes(*number));
    number < keys::FIRST_USER || snapshot.collections().iter().any(|c| c.number == number)
}

/// Whether an entry of the meta tree is a remembered request from before `since_ms`.
pub(crate) fn forgotten(key: &[u8], value: &[u8], since_ms: u64) -> bool {
    let time_ms = match key.first() {
        Some(b'r') => super::decode_request(value).map(|(_, time_ms)| time_ms),
        Some(b't') => key.get(1..9).and_then(|time| time.try_into().ok()).map(u64::from_be_bytes),
        _ => None,
    };
    time_ms.is_some_and(|time_ms| time_ms < since_ms)
}

/// Takes the entries of an erased document out of the log's bases that hold them.
pub(crate) fn erase_from_bases(log: &LogReader, key: &[u8]) -> Result<()> {
    // Older bases are leftovers of an interrupted retention, which removes them.
    let before = log.first_position() - 1;
    let reachable = log.bases()?.into_iter().filter(|position| *position >= before);
    reachable.into_iter().try_for_each(|position| erase_from_base(log, position, key))
}

fn erase_from_base(log: &LogReader, position: u64, key: &[u8]) -> Result<()> {
    let base = log.open_base(position)?;
    let holds = |entry: &[u8]| {
        matches!(entry.first(), Some(b'D' | b'X'))
            && split_key(&entry[1..]).is_some_and(|(found, _)| found == key)
    };
    let mut found = false;
    base.for_each(|entry| {
        found |= holds(entry);
        Ok(())
    })?;
    if !found {
        return Ok(());
    }
    let mut without = log.write_base(base.header().position)?;
    base.for_each(|entry| if holds(entry) { Ok(()) } else { without.push(entry) })?;
    without.finish()
}

fn keyed(tag: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(3 + key.len() + value.len());
    entry.push(tag);
    entry.extend_from_slice(&(key.len() as u16).to_le_bytes());
    entry.extend_from_slice(key);
    entry.extend_from_slice(value);
    entry
}
