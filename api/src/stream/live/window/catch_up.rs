//! How one who has the window of an earlier position comes to the present one.
//!
//! Nothing is kept for subscribers, so the earlier window is computed: the documents that the log says were touched since are
//! put back as they were, among the first documents of today, of which so many are read that enough untouched ones are among
//! them. What differs is told at the present position.
//!
//! Guarantees: the earlier window is exactly what was to be seen then by the rights of today; where rights changed, events
//! were erased or the collection was dropped in between, or more was touched than is worth it, the picture is void.
//! Leaves to others: beginning again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::subscribe::live::Change;
use headwater_engine::subscribe::window::{Step, WINDOW_BYTES_MAX, WindowRow};
use headwater_engine::subscribe::{Batch, Start, Subscription};
use headwater_engine::value::key;
use headwater_engine::view::Snapshot;
use headwater_engine::{Event, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::super::audience::LiveReader;
use super::group::Group;
use super::keeper::steps;
use crate::stream::follow::Reader;

/// Most documents that may have been touched.
const TOUCHED_MAX: usize = 10_000;
/// How long to wait for a place at a time.
const TURN: Duration = Duration::from_millis(100);

/// One who catches up.
pub(super) struct CatchUp {
    group: Arc<Group>,
    reader: Arc<LiveReader>,
    subscription: Subscription,
    /// Documents by their ids, as they were before they were first touched; `None`: not in the result.
    touched: HashMap<Vec<u8>, Option<Bytes>>,
    bytes: usize,
    /// Its place among those who may.
    permit: Option<OwnedSemaphorePermit>,
}

/// How far one has come.
pub(super) enum Caught {
    /// There is more to read.
    NotYet,
    /// These frames, so many, lead to the window of a position.
    Up(Bytes, u32, u64),
    /// What was told is void, and why.
    Void(&'static str),
}

impl CatchUp {
    /// From a position that the window is known of.
    pub(super) fn new(group: &Arc<Group>, reader: &Arc<LiveReader>, cursor: u64) -> Result<Self> {
        let subscription = group.definition.engine.subscribe(Start::After(cursor))?;
        let (group, reader) = (Arc::clone(group), Arc::clone(reader));
        Ok(Self { group, reader, subscription, touched: HashMap::new(), bytes: 0, permit: None })
    }

    /// Reads on, and computes the difference where there is nothing more to read.
    pub(super) async fn step(&mut self) -> Result<Caught> {
        if self.permit.is_none() {
            let permits = Arc::clone(&self.group.definition.catching_up);
            // Not for ever at a time: whoever waits has silences to break, and may have to go.
            let Ok(permit) = tokio::time::timeout(TURN, permits.acquire_owned()).await else {
                return Ok(Caught::NotYet);
            };
            // Never closed.
            self.permit = permit.ok();
        }
        if let Some(batch) = self.subscription.try_next().await? {
            let void = self.look_at(&batch, u64::MAX)?;
            return Ok(void.map_or(Caught::NotYet, Caught::Void));
        }
        let snapshot = Arc::new(self.group.definition.engine.snapshot());
        let position = snapshot.position();
        while self.subscription.cursor() < position {
            // The views may be ahead of what is published.
            let batch = self.subscription.next().await?;
            if let Some(reason) = self.look_at(&batch, position)? {
                return Ok(Caught::Void(reason));
            }
        }
        self.difference(&snapshot).await
    }

    /// Notes what events touch, up to a position; why the picture is void, if it is.
    fn look_at(&mut self, batch: &Batch, to: u64) -> Result<Option<&'static str>> {
        let query = &self.group.definition.query;
        for event in batch.events() {
            let event: Event<'_> = event?;
            if event.position > to {
                break;
            }
            if let Some(reason) = self.reader.interruption(&event) {
                return Ok(Some(reason));
            }
            if !query.concerns(&event) {
                continue;
            }
            let before = match query.change(&event) {
                Change::Nothing => continue,
                Change::Dropped => return Ok(Some("dropped")),
                Change::Erased => return Ok(Some("erased")),
                Change::Enter(_) => None,
                Change::Update(_) | Change::Leave(_) => query.before(&event).map(Bytes::from),
            };
            let Some(id) = event.id() else { continue };
            if let Entry::Vacant(place) = self.touched.entry(key::encode(id)) {
                self.bytes += place.key().len() + before.as_ref().map_or(0, Bytes::len);
                place.insert(before);
            }
            if self.touched.len() > TOUCHED_MAX || self.bytes > WINDOW_BYTES_MAX {
                return Ok(Some("behind"));
            }
        }
        Ok(None)
    }

    async fn difference(&self, snapshot: &Arc<Snapshot>) -> Result<Caught> {
        let position = snapshot.position();
        if self.touched.is_empty() {
            return Ok(Caught::Up(Bytes::new(), 0, position));
        }
        let definition = &self.group.definition;
        let most = definition.limit + self.touched.len();
        let today = match definition.first(snapshot).documents(most).await {
            Ok((today, _)) => definition.order.rows(today)?,
            Err(error) if error.code() == "limit_exceeded" => return Ok(Caught::Void("behind")),
            Err(error) => return Err(error),
        };
        let before = self.window_before(&today)?;
        let after = today.into_iter().take(definition.limit).collect();
        let steps: Vec<Step> = steps(&self.group, before, after, snapshot).await?;
        let mut frames = Vec::new();
        definition.write(position, &steps, &mut frames);
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        Ok(Caught::Up(frames.into(), count, position))
    }

    /// The window as it was, from the first documents of today.
    fn window_before(&self, today: &[WindowRow]) -> Result<Vec<WindowRow>> {
        let definition = &self.group.definition;
        let untouched = today.iter().filter(|row| !self.touched.contains_key(&row.place.id_key));
        let mut rows: Vec<_> = untouched.take(definition.limit).cloned().collect();
        rows.extend(definition.order.rows(self.touched.values().flatten().cloned())?);
        rows.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        rows.truncate(definition.limit);
        Ok(rows)
    }
}
