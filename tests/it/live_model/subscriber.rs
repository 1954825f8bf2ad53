//! A subscriber that believes nothing but its frames.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::sync::watch;

use super::COLLECTION;
use super::model::{Documents, Plan, id_of};
use crate::harness::{Client, Frame, Stream};

/// How far the run is: turns taken, and whether nothing is written at present.
pub(super) type Turns = watch::Receiver<(u64, bool)>;

/// A picture at an id.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) position: u64,
    pub(super) event: String,
    pub(super) picture: Documents,
}

/// What a subscriber has seen.
#[derive(Default)]
pub(super) struct Seen {
    inner: Mutex<Inner>,
    resumed: AtomicU64,
}

#[derive(Default)]
struct Inner {
    picture: Option<Documents>,
    points: Vec<Point>,
    failure: Option<Failure>,
}

/// A frame that does not fit the picture.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The document that it is about, if it is about one.
    pub(super) id: String,
    pub(super) text: String,
}

impl Seen {
    /// The picture at the last id.
    pub(super) fn picture(&self) -> Option<Documents> {
        self.inner.lock().unwrap().picture.clone()
    }

    /// The pictures at all ids since the last time.
    pub(super) fn take_points(&self) -> Vec<Point> {
        std::mem::take(&mut self.inner.lock().unwrap().points)
    }

    /// Why the subscriber gave up, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.inner.lock().unwrap().failure.clone()
    }

    pub(super) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }
}

pub(super) struct Subscriber {
    client: Client,
    path: String,
    seen: Arc<Seen>,
    turns: Turns,
    random: StdRng,
    /// The last id, and the picture that it is of.
    known: Option<(u64, Documents)>,
    /// What was told, in short, for people.
    history: Vec<String>,
}

/// A picture under way.
struct Picture {
    documents: Documents,
    /// Whether a snapshot is being told.
    is_begun: bool,
    last: u64,
}

impl Subscriber {
    pub(super) fn new(
        client: &Client,
        plan: &Plan,
        seen: &Arc<Seen>,
        turns: Turns,
        seed: u64,
    ) -> Self {
        let (client, seen) = (client.clone(), Arc::clone(seen));
        let path = plan.path(&format!("/v1/live/{COLLECTION}"));
        Self {
            client,
            path,
            seen,
            turns,
            random: StdRng::seed_from_u64(seed),
            known: None,
            history: Vec::new(),
        }
    }

    /// Follows, goes away and comes back, without end.
    pub(super) async fn run(mut self) {
        loop {
            let id = self.known.as_ref().map(|(id, _)| id.to_string());
            let headers: Vec<_> = id.iter().map(|id| ("last-event-id", id.as_str())).collect();
            let stream = self.client.try_stream(&self.path, &headers).await;
            let Some(stream) = stream else {
                // The server is being started again.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            };
            if id.is_some() {
                self.seen.resumed.fetch_add(1, Ordering::Relaxed);
            }
            self.history.push(format!("from {}", id.unwrap_or_default()));
            if let Err(failure) = self.follow(stream).await {
                self.seen.inner.lock().unwrap().failure = Some(failure);
                return;
            }
            self.stay_away().await;
        }
    }

    /// Waits until a few turns were taken.
    async fn stay_away(&mut self) {
        let until = self.turns.borrow().0 + self.random.random_range(0..12);
        drop(self.turns.wait_for(|(turn, is_quiet)| *turn >= until || *is_quiet).await);
    }

    async fn follow(&mut self, mut stream: Stream) -> Result<(), Failure> {
        let most =
            if self.random.random_bool(0.3) { u32::MAX } else { self.random.random_range(1..40) };
        let known = self.known.clone();
        let mut picture = Picture {
            is_begun: known.is_none(),
            last: known.as_ref().map_or(0, |(id, _)| *id),
            documents: known.map_or_else(Documents::new, |(_, documents)| documents),
        };
        for _ in 0..most {
            let Some(frame) = stream.next().await else { break };
            let (event, id) = (&frame.event, frame.id.as_deref().unwrap_or("-"));
            self.history
                .push(format!("{event} {id} {} {}", frame.data["id"], frame.data["reason"]));
            if let Err(what) = picture.take(&frame) {
                let id = frame.data["id"].as_str().unwrap_or_default().to_owned();
                let newest = &self.history[self.history.len().saturating_sub(40)..];
                let text = format!("{what}: {frame:?}\n  {}", newest.join("\n  "));
                return Err(Failure { id, text });
            }
            if frame.id.is_none() {
                continue;
            }
            picture.last = frame.position();
            self.known = Some((picture.last, picture.documents.clone()));
            let mut inner = self.seen.inner.lock().unwrap();
            inner.picture = Some(picture.documents.clone());
            inner.points.push(Point {
                position: picture.last,
                event: frame.event.clone(),
                picture: picture.documents.clone(),
            });
        }
        Ok(())
    }
}

impl Picture {
    fn take(&mut self, frame: &Frame) -> Result<(), &'static str> {
        let rule = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
        match frame.event.as_str() {
            // Rights may change again before a snapshot is told to its end.
            "reset" => {
                (self.is_begun, self.documents) = (true, Documents::new());
                return Ok(());
            }
            "snapshot" => {
                rule(self.is_begun && frame.id.is_none(), "a snapshot out of place")?;
                let document = frame.data["document"].clone();
                let had = self.documents.insert(id_of(&document), document);
                return rule(had.is_none(), "twice in a snapshot");
            }
            "ready" => {
                rule(self.is_begun && frame.id.is_some(), "ready out of place")?;
                rule(frame.data["count"] == self.documents.len(), "another count")?;
                rule(frame.position() >= self.last, "an id went back")?;
                self.is_begun = false;
                return Ok(());
            }
            _ => rule(!self.is_begun, "a change within a snapshot")?,
        }
        let position = frame.data["position"].as_u64().unwrap();
        rule(position > self.last, "a position went back")?;
        rule(frame.id.is_none() || frame.position() == position, "another id")?;
        let id = frame.data["id"].as_str().unwrap().to_owned();
        let document: &Value = &frame.data["document"];
        let had = match frame.event.as_str() {
            "leave" => self.documents.remove(&id).is_some(),
            "enter" | "update" => {
                rule(document["_id"] == id.as_str(), "another document")?;
                self.documents.insert(id, document.clone()).is_some()
            }
            _ => return Err("an unknown frame"),
        };
        rule(had == (frame.event != "enter"), "entered twice, or changed without being there")
    }
}
