//! The one who keeps a window up to date for all its members.
//!
//! Guarantees: every change of the result after the window's position is taken in, once, in order; a window that cannot go on
//! by changes alone is filled again at a later position, and changes up to that are passed over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::error::Detail;
use headwater_engine::subscribe::window::{WINDOW_BYTES, WindowRow};
use headwater_engine::view::Snapshot;
use headwater_engine::{Error, ErrorKind, Result};

use super::super::audience::LiveReader;
use super::audience::{ChangeAudience, read};
use super::group::Group;
use crate::session::blocking;
use crate::stream::follow::{Follow, Found};
use crate::stream::wire::Wire;

/// Between two sweeps; members find frames for one to two of them.
const KEPT: Duration = Duration::from_secs(1);

/// Keeps a window; ends with what keeps it from going on.
pub(super) async fn keep(group: &Arc<Group>) -> Error {
    let mut keeper = match Keeper::new(group) {
        Ok(keeper) => keeper,
        Err(error) => return error,
    };
    loop {
        if let Err(error) = keeper.step().await {
            return as_end(error);
        }
    }
}

struct Keeper {
    group: Arc<Group>,
    follow: Follow,
    /// When the ring is swept next, while it holds frames.
    sweep: Option<tokio::time::Instant>,
}

impl Keeper {
    fn new(group: &Arc<Group>) -> Result<Self> {
        let (_, position) = group.content()?;
        Ok(Self { group: Arc::clone(group), follow: follow(group, position), sweep: None })
    }

    async fn step(&mut self) -> Result<()> {
        match self.follow.next().await? {
            Found::Frames(chunk, _) => {
                self.take(chunk).await?;
                self.group.flush(self.follow.cursor());
                self.sweep.get_or_insert_with(|| tokio::time::Instant::now() + KEPT);
                tokio::task::consume_budget().await;
            }
            Found::Interrupted(_) => {
                let snapshot = Arc::new(self.group.definition.engine.snapshot());
                let window = self.group.definition.filled(&snapshot).await?;
                self.group.restart(window, snapshot.position());
                self.follow = follow(&self.group, snapshot.position());
            }
            Found::Nothing => {
                self.group.flush(self.follow.cursor());
                self.wait().await;
            }
        }
        Ok(())
    }

    async fn take(&self, chunk: Bytes) -> Result<()> {
        for (position, happened) in read(chunk) {
            if !self.group.take(position, happened)? {
                self.fill().await?;
            }
        }
        Ok(())
    }

    /// Fills the window at the newest position.
    async fn fill(&self) -> Result<()> {
        let definition = &self.group.definition;
        let snapshot = Arc::new(definition.engine.snapshot());
        let window = definition.filled(&snapshot).await?;
        let (before, _) = self.group.content()?;
        let steps = steps(&self.group, before, window.told().to_vec(), &snapshot).await?;
        self.group.replace(window, snapshot.position(), &steps);
        Ok(())
    }

    async fn wait(&mut self) {
        let sweep = async {
            match self.sweep {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.follow.changed() => {}
            () = self.group.asked.notified() => {}
            () = sweep => {
                let more = self.group.sweep();
                self.sweep = more.then(|| tokio::time::Instant::now() + KEPT);
            }
        }
    }
}

/// The steps between two contents, found off the async threads.
pub(super) async fn steps(
    group: &Arc<Group>,
    before: Vec<WindowRow>,
    after: Vec<WindowRow>,
    snapshot: &Arc<Snapshot>,
) -> Result<Vec<headwater_engine::subscribe::window::Step>> {
    let (of, snapshot) = (Arc::clone(group), Arc::clone(snapshot));
    let look = move || of.definition.difference(&before, &after, &snapshot);
    blocking(&group.definition.engine, look).await
}

fn follow(group: &Group, position: u64) -> Follow {
    let definition = &group.definition;
    let (query, grant) = (definition.query.clone(), Arc::clone(&definition.grant));
    let reader = LiveReader::of_erasures(query.clone());
    let audience = ChangeAudience { query, grant };
    let key = audience.key(&Wire::events(definition.engine.epoch()));
    Follow::new(&definition.engine, key, position, audience, Some(Arc::new(reader)))
}

/// An error as those are told who were told of the window before.
fn as_end(error: Error) -> Error {
    let is_size =
        matches!(error.detail("limit"), Some(Detail::Text(limit)) if limit == WINDOW_BYTES);
    if is_size {
        return Error::new(ErrorKind::LimitExceeded, "window_too_large", error.message());
    }
    error
}
