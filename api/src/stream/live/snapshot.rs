//! The snapshot that a live query begins with, told part by part.
//!
//! Guarantees: all parts are of one position; a part is bounded in documents and, as far as the collection's average goes,
//! in bytes; the next part is read when the last one was taken.

use bytes::Bytes;
use headwater_engine::{Engine, Result};

use super::super::topic::LiveTopic;
use super::frames::Frames;
use crate::session::{Picture, Sight};

/// A snapshot being told.
pub(super) struct Telling {
    picture: Picture,
    /// Why what was told before is void; told first.
    reset: Option<&'static str>,
    /// The documents to be told next, and whether they are the last.
    part: (Vec<Bytes>, bool),
    count: u64,
}

impl Telling {
    /// Takes a snapshot and reads its first part.
    pub(super) async fn begin(
        engine: &Engine,
        topic: &LiveTopic,
        sight: &Sight,
        reset: Option<&'static str>,
    ) -> Result<Self> {
        let asked = (&topic.asked, topic.filter.as_ref());
        let mut picture = Picture::take(engine, sight, &topic.collection, asked)?;
        let part = picture.next().await?;
        Ok(Self { picture, reset, part, count: 0 })
    }

    /// The position that the snapshot is of.
    pub(super) fn position(&self) -> u64 {
        self.picture.position()
    }

    /// The next part as frames; the last one ends with `ready`.
    pub(super) async fn next(&mut self, frames: &Frames) -> Result<(Bytes, bool)> {
        let mut chunk = Vec::new();
        if let Some(reason) = self.reset.take() {
            frames.reset(reason, &mut chunk);
        }
        let (documents, is_last) = &self.part;
        documents.iter().for_each(|document| frames.snapshot(document, &mut chunk));
        self.count += documents.len() as u64;
        let is_last = *is_last;
        if is_last {
            frames.ready(self.position(), self.count, &mut chunk);
        } else {
            self.part = self.picture.next().await?;
        }
        Ok((chunk.into(), is_last))
    }
}
