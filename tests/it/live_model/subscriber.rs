//! A subscriber that believes nothing but its frames.

use std::collections::BTreeMap;
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
        Self { client, path, seen, turns, random: StdRng::seed_from_u64(seed), known: None }
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
            self.follow(stream).await;
            self.stay_away().await;
        }
    }

    /// Waits until a few turns were taken.
    async fn stay_away(&mut self) {
        let until = self.turns.borrow().0 + self.random.random_range(0..12);
        drop(self.turns.wait_for(|(turn, is_quiet)| *turn >= until || *is_quiet).await);
    }

    async fn follow(&mut self, mut stream: Stream) {
        let most =
            if self.random.random_bool(0.3) { u32::MAX } else { self.random.random_range(1..40) };
        let known = self.known.clone();
        let mut picture = Picture {
            is_begun: known.is_none(),
            last: known.as_ref().map_or(0, |(id, _)| *id),
            documents: known.map_or_else(Documents::new, |(_, documents)| documents),
        };
        for _ in 0..most {
            let Some(frame) = stream.next().await else { return };
            picture.take(&frame, &self.path);
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
    }
}

impl Picture {
    fn take(&mut self, frame: &Frame, path: &str) {
        let told = format!("{path} after {}: {frame:?}", self.last);
        match frame.event.as_str() {
            "reset" => {
                assert!(!self.is_begun, "a reset within a snapshot: {told}");
                (self.is_begun, self.documents) = (true, BTreeMap::new());
                return;
            }
            "snapshot" => {
                assert!(self.is_begun && frame.id.is_none(), "{told}");
                let document = frame.data["document"].clone();
                assert!(self.documents.insert(id_of(&document), document).is_none(), "{told}");
                return;
            }
            "ready" => {
                assert!(self.is_begun && frame.id.is_some(), "{told}");
                assert_eq!(frame.data["count"], self.documents.len(), "{told}");
                assert!(frame.position() >= self.last, "an id went back: {told}");
                self.is_begun = false;
                return;
            }
            _ => assert!(!self.is_begun, "within a snapshot: {told}"),
        }
        let position = frame.data["position"].as_u64().unwrap();
        assert!(position > self.last, "a position went back: {told}");
        assert!(frame.id.is_none() || frame.position() == position, "{told}");
        let id = frame.data["id"].as_str().unwrap().to_owned();
        let document: &Value = &frame.data["document"];
        let had = match frame.event.as_str() {
            "leave" => self.documents.remove(&id).is_some(),
            "enter" | "update" => {
                assert_eq!(document["_id"], id.as_str(), "{told}");
                self.documents.insert(id, document.clone()).is_some()
            }
            other => panic!("a frame {other}: {told}"),
        };
        assert_eq!(had, frame.event != "enter", "{told}");
    }
}
