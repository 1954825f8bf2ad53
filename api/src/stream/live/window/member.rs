//! One subscriber of a window: its place among those who look at the same one.
//!
//! Guarantees: a snapshot is the group's own content at the group's position, and what follows it are the group's frames; one
//! that is behind them, or comes with a position of its own, is told what differs ([`CatchUp`]). Holds no frames; the
//! documents of a snapshot that is being told, it shares.
//! Leaves to others: who may look.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::subscribe::window::WindowRow;
use tokio::sync::watch;

use super::super::audience::LiveReader;
use super::Seat;
use super::catch_up::{CatchUp, Caught};
use super::ring::Held;
use crate::stream::follow::Found;

/// A part of a snapshot is given once it has this many bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// A subscriber of a window.
pub(in crate::stream::live) struct Member {
    seat: Seat,
    reader: Arc<LiveReader>,
    newest: watch::Receiver<u64>,
    cursor: u64,
    stage: Stage,
}

enum Stage {
    /// The content is told.
    Telling(Box<Content>),
    /// The group's frames are told.
    Following,
    /// The difference to an earlier position is looked for.
    CatchingUp(Box<CatchUp>),
}

/// A snapshot being told.
struct Content {
    reset: Option<&'static str>,
    rows: Vec<WindowRow>,
    told: usize,
}

impl Member {
    /// One that is told the content first; `reset` says why what it was told before is void.
    pub(super) fn begin(
        seat: Seat,
        reader: LiveReader,
        reset: Option<&'static str>,
    ) -> Result<Self> {
        let newest = seat.group().subscribe();
        let (rows, cursor) = seat.group().content()?;
        let stage = Stage::Telling(Box::new(Content { reset, rows, told: 0 }));
        Ok(Self { seat, reader: Arc::new(reader), newest, cursor, stage })
    }

    /// One that has the window of a position.
    pub(super) fn resume(seat: Seat, reader: LiveReader, cursor: u64) -> Result<Self> {
        let (newest, reader) = (seat.group().subscribe(), Arc::new(reader));
        let stage = Stage::CatchingUp(Box::new(CatchUp::new(seat.group(), &reader, cursor)?));
        Ok(Self { seat, reader, newest, cursor, stage })
    }

    /// The position that everything told so far is of.
    pub(in crate::stream::live) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Whether all changes up to the cursor were told.
    pub(in crate::stream::live) fn is_following(&self) -> bool {
        matches!(self.stage, Stage::Following)
    }

    /// Takes what there is.
    pub(in crate::stream::live) async fn next(&mut self) -> Result<Found> {
        match &mut self.stage {
            Stage::Telling(content) => {
                let (chunk, is_last) = content.next(&self.seat, self.cursor);
                if is_last {
                    self.stage = Stage::Following;
                }
                Ok(Found::Frames(chunk, 0))
            }
            Stage::Following => self.follow(),
            Stage::CatchingUp(catching_up) => match catching_up.step().await? {
                Caught::NotYet => Ok(Found::Frames(Bytes::new(), 0)),
                Caught::Void(reason) => Ok(Found::Interrupted(reason)),
                Caught::Up(frames, count, position) => {
                    self.cursor = self.cursor.max(position);
                    self.stage = Stage::Following;
                    Ok(Found::Frames(frames, count))
                }
            },
        }
    }

    /// Waits until there may be something new. Safe to cancel.
    pub(in crate::stream::live) async fn changed(&mut self) {
        if !matches!(self.stage, Stage::Following) {
            return;
        }
        if self.newest.changed().await.is_err() {
            // The group outlives its members.
            std::future::pending::<()>().await;
        }
    }

    fn follow(&mut self) -> Result<Found> {
        let group = self.seat.group();
        self.newest.borrow_and_update();
        let (held, position) = group.after(self.cursor)?;
        match held {
            Held::Frames(bytes, frames, last) => {
                self.cursor = last;
                Ok(Found::Frames(bytes, frames))
            }
            Held::Behind => {
                let catching_up = CatchUp::new(group, &self.reader, self.cursor)?;
                self.stage = Stage::CatchingUp(Box::new(catching_up));
                Ok(Found::Frames(Bytes::new(), 0))
            }
            Held::Nothing => {
                self.cursor = self.cursor.max(position);
                if position < group.definition.engine.position() {
                    // Next time it is known that what came since does not concern the window.
                    group.asked.notify_one();
                }
                Ok(Found::Nothing)
            }
        }
    }
}

impl Content {
    /// The next part as frames; the last one ends with `ready`.
    fn next(&mut self, seat: &Seat, position: u64) -> (Bytes, bool) {
        let frames = &seat.group().definition.frames;
        let mut chunk = Vec::new();
        if let Some(reason) = self.reset.take() {
            frames.reset(reason, &mut chunk);
        }
        for row in &self.rows[self.told..] {
            if chunk.len() >= CHUNK_BYTES {
                return (chunk.into(), false);
            }
            frames.snapshot(&row.document, &mut chunk);
            self.told += 1;
        }
        frames.ready(position, self.told as u64, &mut chunk);
        (chunk.into(), true)
    }
}
