//! Documents of which every leaf is a token of its own, and their history.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::THINGS;
use crate::harness::Client;

pub(super) const OWNERS: [&str; 3] = ["ann", "ben", "cid"];

/// Indexes over what may be hidden, so that no plan can be told from an answer.
pub(super) const INDEXES: [(&str, &str); 6] = [
    ("a", r#"{"a":1}"#),
    ("bc", r#"{"b.c":1,"a":1}"#),
    ("ef", r#"{"e.f":1}"#),
    ("h", r#"{"h":-1}"#),
    ("owner", r#"{"owner":1,"level":1}"#),
    ("words", r#"{"a":"text","b.d":"text"}"#),
];

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) level: i64,
    /// Who made it: a place among the makers, or nobody of them.
    pub(super) maker: Option<usize>,
    tokens: Vec<String>,
}

impl Document {
    fn random(id: &str, random: &mut StdRng) -> Self {
        let owner = OWNERS[random.random_range(0..OWNERS.len())].to_owned();
        let token = |random: &mut StdRng| format!("tok{:016x}", random.random::<u64>());
        let tokens = (0..8).map(|_| token(random)).collect();
        let (id, level) = (id.to_owned(), random.random_range(0..4));
        Self { id, owner, level, maker: None, tokens }
    }

    /// As it is sent.
    pub(super) fn json(&self) -> Value {
        let t = &self.tokens;
        json!({
            "_id": self.id, "owner": self.owner, "level": self.level,
            "a": t[0], "b": {"c": t[1], "d": t[2]},
            "e": [{"f": t[3], "g": t[4]}, {"f": t[5]}], "h": [t[6], t[7]],
        })
    }

    /// Its tokens with their paths.
    pub(super) fn leaves(&self) -> Vec<(String, String)> {
        let paths = ["a", "b.c", "b.d", "e.f", "e.g", "e.f", "h", "h"];
        let pairs = paths.iter().zip(&self.tokens);
        pairs.map(|(path, token)| ((*path).to_owned(), token.clone())).collect()
    }
}

/// What was written.
pub(super) struct History {
    /// Documents that are there.
    pub(super) now: BTreeMap<String, Document>,
    /// Every state that a document was in.
    pub(super) ever: Vec<Document>,
    /// The last position.
    pub(super) last: u64,
}

impl History {
    /// Writes documents, changes and deletes some.
    pub(super) async fn write(root: &Client, makers: &[Client], random: &mut StdRng) -> Self {
        let (mut now, mut ever, mut last) = (BTreeMap::new(), Vec::new(), 0);
        let documents = format!("{THINGS}/documents");
        for number in 0..60 {
            let id = format!("d{}", number % 25);
            let mut document = Document::random(&id, random);
            let writer = random.random_range(0..=makers.len());
            // Whoever changes it did not make it.
            let made = now.get(&id).map(|before: &Document| before.maker);
            document.maker = made.unwrap_or_else(|| (writer < makers.len()).then_some(writer));
            let path = format!("{documents}/{id}");
            let writer = makers.get(writer).unwrap_or(root);
            let answer = writer.put(&format!("{path}?upsert=true"), &document.json()).await;
            last = answer.position();
            ever.push(document.clone());
            now.insert(id.clone(), document);
            if random.random_range(0..8) == 0 {
                last = root.delete(&path).await.expect(200).position();
                now.remove(&id);
            }
        }
        Self { now, ever, last }
    }
}
