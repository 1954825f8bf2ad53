//! Whatever a restricted credential is answered, wherever it asks, is within its grant's plain definition.
//!
//! Every leaf of every document is a text of its own, a *token*. For a random grant the plain definition says which tokens
//! its holder may ever see. Then everything is asked that can be asked: no answer, frame or delivery may hold another token.
//! And what is asked of hidden fields is answered as if there were none.

mod documents;
mod questions;

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::harness::{Client, Receiver, Server, eventually};
use documents::{Document, History};

/// How many keys besides the root key make documents.
const MAKERS: usize = 2;
/// The collection that is asked about.
const THINGS: &str = "/v1/collections/things";

/// Which documents a grant shows.
#[derive(Clone, Debug)]
enum Rows {
    All,
    Owner(&'static str),
    Level(i64),
    OwnerOrLevel(&'static str, i64),
}

impl Rows {
    fn admit(&self, document: &Document) -> bool {
        match self {
            Self::All => true,
            Self::Owner(owner) => document.owner == *owner,
            Self::Level(level) => document.level >= *level,
            Self::OwnerOrLevel(owner, level) => {
                document.owner == *owner || document.level >= *level
            }
        }
    }

    fn filter(&self) -> Option<Value> {
        match self {
            Self::All => None,
            Self::Owner(owner) => Some(json!({"owner": owner})),
            Self::Level(level) => Some(json!({"level": {"$gte": level}})),
            Self::OwnerOrLevel(owner, level) => {
                Some(json!({"$or": [{"owner": owner}, {"level": {"$gte": level}}]}))
            }
        }
    }
}

/// Which leaves a grant shows, by their paths without array positions.
#[derive(Clone, Debug)]
struct Fields {
    include: Vec<&'static str>,
    exclude: Vec<&'static str>,
}

impl Fields {
    fn show(&self, path: &str) -> bool {
        let names = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == *pattern || path.starts_with(&format!("{pattern}.")),
        };
        path == "_id"
            || ((self.include.is_empty() || self.include.iter().any(names))
                && !self.exclude.iter().any(names))
    }

    fn member(&self) -> Option<Value> {
        let include = if self.include.is_empty() { vec!["*"] } else { self.include.clone() };
        let any = !self.include.is_empty() || !self.exclude.is_empty();
        any.then(|| json!({"include": include, "exclude": self.exclude}))
    }
}

/// A grant by its plain definition.
#[derive(Clone, Debug)]
struct Plain {
    rows: Rows,
    /// The maker that sees its own documents alone.
    private: Option<usize>,
    fields: Fields,
}

impl Plain {
    fn random(random: &mut StdRng) -> Self {
        let owner = documents::OWNERS[random.random_range(0..documents::OWNERS.len())];
        let level = random.random_range(0..4);
        let rows = match random.random_range(0..4) {
            0 => Rows::All,
            1 => Rows::Owner(owner),
            2 => Rows::Level(level),
            _ => Rows::OwnerOrLevel(owner, level),
        };
        let some = |random: &mut StdRng, of: &[&'static str], most: usize| {
            let count = random.random_range(0..=most);
            (0..count).map(|_| of[random.random_range(0..of.len())]).collect::<Vec<_>>()
        };
        let include = some(random, &["a", "b", "b.c", "e.f", "h", "own*", "level", "e"], 3);
        let exclude = some(random, &["a", "b.d", "b.*", "e.g", "h", "e", "owner", "b.c"], 3);
        let private = random.random_bool(0.4).then(|| random.random_range(0..MAKERS));
        Self { rows, private, fields: Fields { include, exclude } }
    }

    fn grant(&self) -> Value {
        let actions = ["read", "search", "subscribe", "update", "settings"];
        let mut grant = json!({"collections": {"things": actions}});
        if self.private.is_some() {
            grant["roles"] = json!(["own"]);
        }
        if let Some(filter) = self.rows.filter() {
            grant["read_filter"] = filter;
        }
        if let Some(fields) = self.fields.member() {
            grant["fields"] = fields;
        }
        grant
    }

    fn admits(&self, document: &Document) -> bool {
        self.rows.admit(document) && self.private.is_none_or(|maker| document.maker == Some(maker))
    }

    /// The tokens of documents that may be seen.
    fn tokens<'a>(&self, documents: impl IntoIterator<Item = &'a Document>) -> BTreeSet<String> {
        let admitted = documents.into_iter().filter(|document| self.admits(document));
        let shown = |(path, token): (String, String)| self.fields.show(&path).then_some(token);
        admitted.flat_map(Document::leaves).filter_map(shown).collect()
    }
}

/// The tokens in a text.
fn tokens_of(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    parts.filter(|part| part.starts_with("tok")).map(str::to_owned).collect()
}

/// What a caller may see, and what it was told.
struct Watch<'a> {
    plain: &'a Plain,
    /// Tokens of now.
    now: BTreeSet<String>,
    /// Tokens of now and before.
    ever: BTreeSet<String>,
}

impl Watch<'_> {
    #[track_caller]
    fn now(&self, what: &str, text: &str) {
        self.check(what, text, &self.now);
    }

    #[track_caller]
    fn ever(&self, what: &str, text: &str) {
        self.check(what, text, &self.ever);
    }

    #[track_caller]
    fn check(&self, what: &str, text: &str, allowed: &BTreeSet<String>) {
        let told = tokens_of(text);
        let leaked: Vec<_> = told.difference(allowed).collect();
        assert!(leaked.is_empty(), "{what} told {leaked:?} to {:?}: {text}", self.plain);
    }
}

#[tokio::test]
async fn s1_s2_nothing_is_told_beyond_the_grant() {
    let long = std::env::var_os("HEADWATER_LONG").is_some();
    let seed = match std::env::var("HEADWATER_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("HEADWATER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::start();
    let root = server.client();
    for (name, keys) in documents::INDEXES {
        let keys: Value = serde_json::from_str(keys).unwrap();
        root.put(&format!("{THINGS}/indexes/{name}"), &json!({"keys": keys})).await.expect(201);
    }
    let own = json!({"read": true, "update": true, "settings": true, "private": true});
    root.put("/v1/roles/own", &json!({"collections": {"things": own}})).await.expect(201);
    let (mut keys, mut makers) = (Vec::new(), Vec::new());
    for _ in 0..MAKERS {
        let all = json!({"grant": {"collections": {"things": ["*"]}}});
        let issued = root.post("/v1/credentials", &all).await.expect(201);
        makers.push(root.with_key(issued.body["key"].as_str().unwrap()));
        keys.push(issued.body["id"].as_str().unwrap().to_owned());
    }
    let history = History::write(&root, &makers, &mut random).await;
    for round in 0..if long { 60 } else { 8 } {
        let plain = Plain::random(&mut random);
        let grant = json!({"grant": plain.grant()});
        let (caller, once) = match plain.private {
            // What a key made is its own, so it is that key that gets the grant.
            Some(maker) => {
                let path = format!("/v1/credentials/{}", keys[maker]);
                root.patch(&path, &grant).await.expect(200);
                (makers[maker].clone(), None)
            }
            None => {
                let issued = root.post("/v1/credentials", &grant).await.expect(201);
                let id = issued.body["id"].as_str().unwrap().to_owned();
                (root.with_key(issued.body["key"].as_str().unwrap()), Some(id))
            }
        };
        let watch = Watch {
            plain: &plain,
            now: plain.tokens(history.now.values()),
            ever: plain.tokens(&history.ever),
        };
        eprintln!("round {round}: {plain:?}");
        questions::reads(&caller, &watch, &history).await;
        questions::writes(&caller, &watch, &history).await;
        questions::streams(&caller, &watch, &history).await;
        questions::live(&caller, &watch).await;
        questions::sockets(&caller, &watch, &history).await;
        deliveries(&caller, &watch, &history).await;
        if let Some(id) = once {
            root.delete(&format!("/v1/credentials/{id}")).await.expect(200);
        }
    }
}

/// What is sent to a webhook of the caller's, live and replayed.
async fn deliveries(caller: &Client, watch: &Watch<'_>, history: &History) {
    let receiver = Receiver::start();
    let body = json!({"url": receiver.url("/"), "collections": ["things"], "from": "earliest"});
    let webhook = caller.post("/v1/webhooks", &body).await.expect(201);
    let path = format!("/v1/webhooks/{}", webhook.body["id"].as_str().unwrap());
    let end = history.last;
    eventually("the webhook is at the end", || async {
        let shown = caller.get(&path).await;
        let done = shown.body["cursor"].as_u64().is_none_or(|cursor| cursor >= end);
        (done && shown.body["lag_events"].as_u64() == Some(0)).then_some(())
    })
    .await;
    for received in receiver.received() {
        watch.ever("a delivery", &received.body);
    }
    caller.delete(&path).await.expect(200);
}
