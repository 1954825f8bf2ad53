//! What is to be seen, said plainly: documents at each position, rights, and what a subscriber asks for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::COLLECTION;
use super::subscriber::Point;

/// Documents by their ids.
pub(super) type Documents = BTreeMap<String, Value>;

/// What happened at a position.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(String, Value),
    Remove(String),
    Drop,
}

/// All changes, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) changes: Vec<(u64, Change)>,
}

impl Model {
    /// The documents now.
    pub(super) fn now(&self) -> Documents {
        let mut documents = Documents::new();
        self.changes.iter().for_each(|(_, change)| apply(&mut documents, change));
        documents
    }

    /// What happened to a document, for people.
    pub(super) fn about_one(&self, id: &str) -> String {
        let one = Documents::from([(id.to_owned(), Value::Null)]);
        self.about(&one, &Documents::new())
    }

    /// What happened to documents by which two pictures differ, for people.
    pub(super) fn about(&self, one: &Documents, other: &Documents) -> String {
        let differs = |id: &String| one.get(id) != other.get(id);
        let ids: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
        let ids = ids.into_iter().filter(|id| differs(id));
        let pairs: Vec<_> = ids.map(|id| (id, one.get(id), other.get(id))).collect();
        let changes = self.changes.iter().filter(|(_, change)| match change {
            Change::Put(id, _) | Change::Remove(id) => differs(id),
            Change::Drop => true,
        });
        let changes = changes.rev().take(30).collect::<Vec<_>>().into_iter().rev();
        let changes: String = changes.map(|change| format!("\n  {change:?}")).collect();
        format!("\nexpected and had: {pairs:?}{changes}")
    }

    /// Shows the documents at the position of each point; points come in order.
    pub(super) fn at_each(&self, points: &[Point], mut show: impl FnMut(&Point, &Documents)) {
        let (mut documents, mut next) = (Documents::new(), 0);
        for point in points {
            while self.changes.get(next).is_some_and(|(at, _)| *at <= point.position) {
                apply(&mut documents, &self.changes[next].1);
                next += 1;
            }
            show(point, &documents);
        }
    }
}

fn apply(documents: &mut Documents, change: &Change) {
    match change {
        Change::Put(id, document) => drop(documents.insert(id.clone(), document.clone())),
        Change::Remove(id) => drop(documents.remove(id)),
        Change::Drop => documents.clear(),
    }
}

/// What of the documents is seen.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    owner: Option<&'static str>,
    hidden: Vec<&'static str>,
}

impl Rights {
    pub(super) fn everything() -> Self {
        Self { owner: None, hidden: Vec::new() }
    }

    pub(super) fn random(random: &mut StdRng) -> Self {
        let owner = [None, None, Some("x"), Some("y")][random.random_range(0..4)];
        let hidden = ["secret", "a", "n"].into_iter().filter(|_| random.random_bool(0.25));
        Self { owner, hidden: hidden.collect() }
    }

    pub(super) fn grant(&self) -> Value {
        let mut grant = json!({"collections": {COLLECTION: ["read", "subscribe"]}});
        if let Some(owner) = self.owner {
            grant["read_filter"] = json!({"owner": owner});
        }
        if !self.hidden.is_empty() {
            grant["fields"] = json!({"exclude": self.hidden});
        }
        grant
    }

    fn shown(&self, document: &Value) -> Option<Value> {
        if self.owner.is_some_and(|owner| document["owner"] != owner) {
            return None;
        }
        let mut shown = document.clone();
        let members = shown.as_object_mut().unwrap();
        self.hidden.iter().for_each(|name| drop(members.shift_remove(*name)));
        Some(shown)
    }
}

/// What documents must be like.
#[derive(Clone, Copy, Debug)]
enum Filter {
    Everything,
    Equal(&'static str, i64),
    AtLeast(i64),
    Owner(&'static str),
}

impl Filter {
    fn text(self) -> Option<Value> {
        match self {
            Self::Everything => None,
            Self::Equal(name, value) => Some(json!({name: value})),
            Self::AtLeast(value) => Some(json!({"a": {"$gte": value}})),
            Self::Owner(owner) => Some(json!({"owner": owner})),
        }
    }

    fn matches(self, document: &Value) -> bool {
        match self {
            Self::Everything => true,
            Self::Equal(name, value) => numbers(&document[name]).contains(&value),
            Self::AtLeast(value) => numbers(&document["a"]).iter().any(|one| *one >= value),
            Self::Owner(owner) => document["owner"] == owner,
        }
    }
}

/// The numbers of a value: its own, or those of its elements.
fn numbers(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(elements) => elements.iter().filter_map(Value::as_i64).collect(),
        one => one.as_i64().into_iter().collect(),
    }
}

/// A live query.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    filter: Filter,
    sort: &'static [(&'static str, i64)],
    limit: Option<usize>,
    projection: Option<&'static str>,
}

impl Plan {
    pub(super) fn random(random: &mut StdRng) -> Self {
        let value = random.random_range(0..4);
        let filter = match random.random_range(0..7) {
            0 | 1 => Filter::Everything,
            2 => Filter::Equal("a", value),
            3 | 4 => Filter::AtLeast(value),
            5 => Filter::Equal("secret", value % 2),
            _ => Filter::Owner(["x", "y"][random.random_range(0..2)]),
        };
        let sorts: [&[(&str, i64)]; 6] = [
            &[],
            &[("a", 1)],
            &[("a", -1)],
            &[("n", -1)],
            &[("owner", -1), ("n", 1)],
            &[("_id", -1)],
        ];
        let sort = sorts[random.random_range(0..sorts.len())];
        // Few different windows, so that some are shared.
        let limit = [None, Some(1), Some(3), Some(5), Some(12)][random.random_range(0..5)];
        let projections = [None, None, Some(r#"{"a":1}"#), Some(r#"{"secret":0}"#)];
        let projection = projections[random.random_range(0..projections.len())];
        Self { filter, sort, limit, projection }
    }

    /// The request's path and query.
    pub(super) fn path(&self, route: &str) -> String {
        let mut path = format!("{route}?");
        let mut add = |name: &str, value: &str| {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            path.push_str(&format!("{name}={encoded}&"));
        };
        if let Some(filter) = self.filter.text() {
            add("filter", &filter.to_string());
        }
        if !self.sort.is_empty() {
            let sort =
                self.sort.iter().map(|(name, direction)| ((*name).to_owned(), json!(direction)));
            add("sort", &Value::Object(sort.collect()).to_string());
        }
        if let Some(limit) = self.limit {
            add("limit", &limit.to_string());
        }
        if let Some(projection) = self.projection {
            add("projection", projection);
        }
        path
    }

    /// What is to be seen of documents by rights.
    pub(super) fn picture<'a>(
        &self,
        documents: impl Iterator<Item = &'a Value>,
        rights: &Rights,
    ) -> Documents {
        let shown = documents.filter_map(|document| rights.shown(document));
        let mut found: Vec<Value> =
            shown.filter(|document| self.filter.matches(document)).collect();
        found.sort_by(|a, b| self.order(a, b));
        let first = found.into_iter().take(self.limit.unwrap_or(usize::MAX));
        first.map(|document| (id_of(&document), self.projected(document))).collect()
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        let by_sort = self.sort.iter().map(|(name, direction)| {
            let (a, b) = (sort_key(&a[*name], *direction), sort_key(&b[*name], *direction));
            if *direction > 0 { a.cmp(&b) } else { b.cmp(&a) }
        });
        by_sort.fold(Ordering::Equal, Ordering::then).then_with(|| id_of(a).cmp(&id_of(b)))
    }

    fn projected(&self, mut document: Value) -> Value {
        let members = document.as_object_mut().unwrap();
        match self.projection {
            Some(r#"{"a":1}"#) => members.retain(|name, _| name == "_id" || name == "a"),
            Some(_) => drop(members.shift_remove("secret")),
            None => {}
        }
        document
    }
}

pub(super) fn id_of(document: &Value) -> String {
    document["_id"].as_str().unwrap().to_owned()
}

/// An empty array comes before null and what is missing, then numbers, then texts; an array stands for its first element in
/// the order.
fn sort_key(value: &Value, direction: i64) -> (i64, i64, String) {
    match value {
        Value::Null => (1, 0, String::new()),
        Value::Number(number) => (2, number.as_i64().unwrap(), String::new()),
        Value::String(text) => (3, 0, text.clone()),
        Value::Array(elements) => {
            let keys = elements.iter().map(|element| sort_key(element, direction));
            let first = if direction > 0 { keys.min() } else { keys.max() };
            first.unwrap_or((0, 0, String::new()))
        }
        other => panic!("the model has no {other}"),
    }
}
