//! Who writes, and notes what was written from a stream with full access.

use std::sync::{Arc, Mutex};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::COLLECTION;
use super::model::{Change, Model};
use super::subscriber::Turns;
use crate::harness::{Answer, Client, Frame, eventually};

/// How many ids there are: more than a window has in reserve.
const IDS: u32 = 160;

pub(super) struct Driver {
    root: Client,
    turns: watch::Sender<(u64, bool)>,
    record: Arc<Mutex<Record>>,
    /// The last position that was acknowledged.
    position: u64,
    /// A number that no two writes share.
    count: u64,
}

#[derive(Default)]
struct Record {
    model: Model,
    /// Up to here every event was looked at.
    reached: u64,
    /// Erased documents: what happened in between at a position whose document is not named happened to this one.
    erased: Vec<(u64, String)>,
}

impl Driver {
    pub(super) fn start(root: &Client) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        tokio::spawn(follow(root.clone(), Arc::clone(&record)));
        let turns = watch::channel((0, false)).0;
        Self { root: root.clone(), turns, record, position: 0, count: 0 }
    }

    pub(super) fn turns(&self) -> Turns {
        self.turns.subscribe()
    }

    /// Does something.
    pub(super) async fn turn(&mut self, random: &mut StdRng) {
        let answer = match random.random_range(0..100) {
            0..20 => self.create(random).await,
            20..45 => self.change(random).await,
            45..55 => self.delete(random).await,
            55..65 => self.transaction(random).await,
            65..75 => self.by_filter(random).await,
            75..80 => self.delete_by_filter(random).await,
            80..83 => self.erase(random).await,
            83 => Some(self.root.delete(&format!("/v1/collections/{COLLECTION}")).await),
            _ => self.many(random).await,
        };
        if let Some(answer) = answer.filter(|answer| answer.status < 300) {
            self.position = self.position.max(answer.position());
        }
        self.turns.send_modify(|turns| turns.0 += 1);
    }

    /// Waits until everything that was acknowledged is noted.
    pub(super) async fn recorded(&self) {
        eventually("the record", async || {
            (self.record.lock().unwrap().reached >= self.position).then_some(())
        })
        .await;
    }

    /// Nothing is written until [`Driver::go_on`]; what was written until now.
    pub(super) async fn quiet(&self) -> Model {
        self.recorded().await;
        self.turns.send_modify(|turns| turns.1 = true);
        self.record.lock().unwrap().model.clone()
    }

    pub(super) fn go_on(&self) {
        self.turns.send_modify(|turns| turns.1 = false);
    }

    fn document(&mut self, random: &mut StdRng) -> Value {
        self.count += 1;
        let mut document = json!({"_id": id(random), "n": self.count, "secret": self.count % 2});
        if random.random_bool(0.9) {
            document["owner"] = json!(owner(random));
        }
        if random.random_bool(0.85) {
            document["a"] = value(random);
        }
        document
    }

    async fn create(&mut self, random: &mut StdRng) -> Option<Answer> {
        let document = self.document(random);
        let path = format!("/v1/collections/{COLLECTION}/documents");
        Some(self.root.post(&path, &document).await)
    }

    /// Several at once, all or none.
    async fn many(&mut self, random: &mut StdRng) -> Option<Answer> {
        let operations: Vec<Value> = (0..40).map(|_| self.replacement(random)).collect();
        Some(self.root.post("/v1/transactions", &json!({"operations": operations})).await)
    }

    async fn change(&mut self, random: &mut StdRng) -> Option<Answer> {
        let path = path(&id(random));
        if random.random_bool(0.3) {
            let mut document = self.document(random);
            document.as_object_mut().unwrap().shift_remove("_id");
            return Some(self.root.put(&format!("{path}?upsert=true"), &document).await);
        }
        self.count += 1;
        let patch = match random.random_range(0..4) {
            0 => json!({"n": self.count}),
            1 => json!({"$unset": {"a": ""}, "$set": {"n": self.count}}),
            2 => json!({"a": value(random)}),
            _ => json!({"owner": owner(random)}),
        };
        Some(self.root.patch(&path, &patch).await)
    }

    async fn delete(&mut self, random: &mut StdRng) -> Option<Answer> {
        Some(self.root.delete(&path(&id(random))).await)
    }

    fn replacement(&mut self, random: &mut StdRng) -> Value {
        let document = self.document(random);
        json!({"op": "replace", "collection": COLLECTION, "id": document["_id"],
            "document": document, "upsert": true})
    }

    /// Several operations, some of them on the same document.
    async fn transaction(&mut self, random: &mut StdRng) -> Option<Answer> {
        let first = self.replacement(random);
        let id = first["id"].clone();
        self.count += 1;
        let update = json!({"op": "update", "collection": COLLECTION, "id": id,
            "update": {"n": self.count, "a": value(random)}});
        let last = json!({"op": "delete", "collection": COLLECTION, "id": id});
        let mut operations = vec![first, update, self.replacement(random)];
        if random.random() {
            operations.push(last);
        }
        Some(self.root.post("/v1/transactions", &json!({"operations": operations})).await)
    }

    async fn by_filter(&mut self, random: &mut StdRng) -> Option<Answer> {
        self.count += 1;
        let body = json!({"filter": {"a": random.random_range(0..4)}, "multi": true,
            "update": {"$set": {"n": self.count, "a": value(random)}}});
        Some(self.root.post(&format!("/v1/collections/{COLLECTION}/update"), &body).await)
    }

    async fn delete_by_filter(&mut self, random: &mut StdRng) -> Option<Answer> {
        // Some take away what the front of a window is of.
        let filter = match random.random_range(0..3) {
            0 => json!({"_id": {"$lt": id(random)}}),
            1 => json!({"n": {"$gt": self.count.saturating_sub(60)}}),
            _ => json!({"a": random.random_range(0..4)}),
        };
        let body = json!({"filter": filter, "multi": true});
        Some(self.root.post(&format!("/v1/collections/{COLLECTION}/delete"), &body).await)
    }

    /// What is erased cannot be noted afterwards: everything is noted before.
    async fn erase(&mut self, random: &mut StdRng) -> Option<Answer> {
        self.recorded().await;
        let id = id(random);
        self.record.lock().unwrap().erased.push((self.position, id.clone()));
        let body = json!({"collection": COLLECTION, "id": id});
        let answer = self.root.post("/v1/admin/erase", &body).await;
        if answer.status < 300 {
            self.position = self.position.max(answer.position());
            self.recorded().await;
        }
        Some(answer)
    }
}

fn id(random: &mut StdRng) -> String {
    format!("d{:03}", random.random_range(0..IDS))
}

fn owner(random: &mut StdRng) -> &'static str {
    ["x", "y"][random.random_range(0..2)]
}

fn path(id: &str) -> String {
    format!("/v1/collections/{COLLECTION}/documents/{id}")
}

fn value(random: &mut StdRng) -> Value {
    let number = random.random_range(0..4);
    match random.random_range(0..10) {
        0 => Value::Null,
        1 => json!([]),
        2 => json!([number, random.random_range(0..4)]),
        _ => json!(number),
    }
}

/// Notes every event, through restarts.
async fn follow(root: Client, record: Arc<Mutex<Record>>) {
    loop {
        let from = record.lock().unwrap().reached;
        let Some(mut stream) = root.try_stream(&format!("/v1/events?from={from}"), &[]).await
        else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        while let Some(frame) = stream.next().await {
            record.lock().unwrap().note(&frame);
        }
    }
}

impl Record {
    fn note(&mut self, frame: &Frame) {
        let (data, position) = (&frame.data, frame.position());
        let change = match (data["collection"].as_str(), frame.event.as_str()) {
            (Some("_collections"), "document.deleted") => Some(Change::Drop),
            (Some(COLLECTION), kind) if kind.starts_with("document.") => {
                let erased = self.erased.iter().rev().find(|(from, _)| *from < position);
                let erased = erased.map(|(_, id)| id.clone());
                let id = data["id"].as_str().map(str::to_owned).or(erased).unwrap();
                let document = &data["document"];
                Some(match document.is_null() || kind == "document.deleted" {
                    true => Change::Remove(id),
                    false => Change::Put(id, document.clone()),
                })
            }
            _ => None,
        };
        self.model.changes.extend(change.map(|change| (position, change)));
        self.reached = position;
    }
}
