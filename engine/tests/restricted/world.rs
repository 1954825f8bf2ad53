//! An engine with collections and indexes, and the same documents as a plain list: what a caller under a restriction must
//! be told is what a list of the admitted, cut documents tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::index::{Built, Definition};
use headwater_engine::limits::Limits;
use headwater_engine::query::aggregate::{Collections, Documents, Pipeline};
use headwater_engine::query::over::{self, SnapshotCollections};
use headwater_engine::query::{Budget, Context, Filter, Sort, Trust, find};
use headwater_engine::restrict::{FieldRule, Restriction, Subject};
use headwater_engine::value::{Raw, json};
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::write::{Absent, Command, Operation};
use headwater_engine::{Engine, Result};

use crate::support::{Bench, id_of, object};

/// Who writes.
pub const ACTORS: [&str; 3] = ["ann", "ben", "cid"];

pub fn parse(text: &str) -> Vec<u8> {
    json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
}

pub fn context(limits: &Limits) -> Context<'_> {
    Context { limits, now_ms: 0, trust: Trust::Ordinary }
}

pub fn filter(text: &str) -> Filter {
    let limits = Limits::default();
    let parsed = Filter::parse(Raw::trusted(&parse(text)), &context(&limits));
    parsed.unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn sort(text: &str) -> Sort {
    Sort::parse(Raw::trusted(&parse(text)), &context(&Limits::default())).unwrap()
}

pub fn pipeline(text: &str) -> Pipeline {
    let parsed = Pipeline::parse(Raw::trusted(&parse(text)), &context(&Limits::default()));
    parsed.unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn rule(include: &[&str], exclude: &[&str]) -> Option<Arc<FieldRule>> {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    FieldRule::parse(&owned(include), &owned(exclude)).unwrap().map(Arc::new)
}

/// What may be seen, with a text for messages.
#[derive(Clone)]
pub struct Sight {
    pub restriction: Arc<Restriction>,
    pub text: String,
}

impl Sight {
    pub fn new(documents: Option<&str>, include: &[&str], exclude: &[&str]) -> Self {
        let restriction = Restriction {
            made_by: None,
            filter: documents.map(|text| Arc::new(filter(text))),
            fields: rule(include, exclude),
            metadata: None,
        };
        let text = format!("sees {documents:?} include {include:?} exclude {exclude:?}");
        Self { restriction: Arc::new(restriction), text }
    }

    /// The same for one who sees only what an actor made.
    pub fn private(self, actor: &str) -> Self {
        let restriction =
            Restriction { made_by: Some(actor.into()), ..(*self.restriction).clone() };
        let text = format!("{} made by {actor}", self.text);
        Self { restriction: Arc::new(restriction), text }
    }
}

pub struct World {
    pub bench: Bench,
    pub engine: Engine,
    /// By collection and id.
    pub documents: BTreeMap<String, BTreeMap<i32, Bytes>>,
    /// Who made each: whoever wrote it first since it was last gone.
    makers: BTreeMap<(String, i32), &'static str>,
    writes: usize,
}

impl World {
    pub fn new() -> Self {
        let bench = Bench::new();
        let engine = bench.open();
        let (documents, makers) = (BTreeMap::new(), BTreeMap::new());
        Self { bench, engine, documents, makers, writes: 0 }
    }

    pub async fn write(&mut self, collection: &str, id: i32, body: Vec<u8>) {
        let body = Bytes::from(body);
        let operation = Operation::Replace {
            collection: collection.into(),
            id: id_of(id),
            body: body.clone(),
            if_version: None,
            absent: Absent::Create,
        };
        // Others change what one has made.
        let actor = ACTORS[self.writes * 7 % 5 % ACTORS.len()];
        self.writes += 1;
        let command = Command { actor: actor.into(), ..self.bench.command(vec![operation]) };
        self.engine.write(command).await.unwrap();
        self.makers.entry((collection.to_owned(), id)).or_insert(actor);
        self.documents.entry(collection.to_owned()).or_default().insert(id, body);
    }

    pub async fn delete(&mut self, collection: &str, id: i32) {
        let operation = Operation::Delete {
            collection: collection.into(),
            id: id_of(id),
            if_version: None,
            only_if: None,
        };
        drop(self.engine.write(self.bench.command(vec![operation])).await);
        self.documents.entry(collection.to_owned()).or_default().remove(&id);
        self.makers.remove(&(collection.to_owned(), id));
    }

    pub async fn index(&self, collection: &str, name: &str, definition: &str) {
        let read = Definition::read(Raw::trusted(&parse(definition)), self.engine.limits());
        let operation = Operation::DefineIndex {
            collection: collection.into(),
            name: name.into(),
            definition: read.unwrap().members.to_bytes().into(),
        };
        let committed = self.engine.write(self.bench.command(vec![operation])).await.unwrap();
        let (number, engine) = (committed.outcomes[0].position, self.engine.clone());
        let collection = collection.to_owned();
        let built = tokio::task::spawn_blocking(move || engine.build_index(&collection, number));
        assert_eq!(built.await.unwrap().unwrap(), Built::Ready, "{name}");
    }

    /// What is seen of a document.
    pub fn view(&self, collection: &str, id: i32, sight: &Sight) -> Option<Vec<u8>> {
        let body = Raw::trusted(&self.documents[collection][&id]);
        let made_by = self.makers[&(collection.to_owned(), id)];
        let view = sight.restriction.view(Subject { body, made_by });
        view.map(std::borrow::Cow::into_owned)
    }

    /// What is seen of a collection.
    pub fn seen(&self, collection: &str, sight: &Sight) -> Vec<Bytes> {
        let ids = self.documents[collection].keys();
        ids.filter_map(|id| self.view(collection, *id, sight)).map(Bytes::from).collect()
    }
}

pub fn number(snapshot: &Snapshot, collection: &str) -> CollectionId {
    snapshot.collections().number(collection).unwrap()
}

/// Runs a pipeline over a collection of a snapshot, each collection under its own restriction.
pub fn aggregate(
    snapshot: Arc<Snapshot>,
    at: Option<u64>,
    text: &str,
    collection: &str,
    sights: impl Fn(&str) -> Option<Arc<Restriction>> + Send + Sync + 'static,
) -> Result<Vec<String>> {
    let budget = Arc::new(Budget::unlimited());
    let mut pipeline = pipeline(text);
    bind(&mut pipeline, &snapshot, collection);
    let folder = std::env::temp_dir();
    let own = SnapshotCollections::new(snapshot, at, Limits::default(), budget, folder);
    let own = Arc::new(own.restricted(Arc::new(sights)));
    let mut out = Vec::new();
    over::aggregate(&pipeline, &own, collection, &mut |document| {
        out.push(object(Raw::trusted(document)));
        Ok(())
    })?;
    Ok(out)
}

/// As the access layer does before it runs a pipeline with `$text`.
fn bind(pipeline: &mut Pipeline, snapshot: &Snapshot, collection: &str) {
    use headwater_engine::index::IndexKind;
    let indexes = snapshot.indexes().of(number(snapshot, collection));
    let paths = indexes.iter().find_map(|index| match &index.definition.kind {
        IndexKind::Text(paths) => Some(paths.clone()),
        _ => None,
    });
    pipeline.bind_text(&paths.unwrap_or_default());
}

/// The lists as collections.
pub struct Lists(pub BTreeMap<String, Vec<Bytes>>);

impl Collections for Lists {
    fn documents(&self, collection: &str, _: Option<Raw<'_>>) -> Result<Documents<'_>> {
        let list = self.0.get(collection).map_or(&[][..], Vec::as_slice);
        Ok(Box::new(list.iter().cloned().map(Ok)))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        None
    }
}

/// The same pipeline over lists.
pub fn over_lists(lists: Lists, text: &str, collection: &str) -> Result<Vec<String>> {
    let input = lists.0[collection].clone();
    let (budget, pipeline) = (Budget::unlimited(), pipeline(text));
    let lists: Arc<dyn Collections> = Arc::new(lists);
    let input: Documents<'_> = Box::new(input.into_iter().map(Ok));
    let out = pipeline.run(input, &lists, &budget)?;
    out.map(|document| Ok(object(Raw::trusted(&document?)))).collect()
}

/// The distinct values of a field.
pub fn distinct(
    snapshot: &Snapshot,
    collection: &str,
    field: &str,
    filter: Filter,
    restriction: Option<Arc<Restriction>>,
) -> Vec<String> {
    let path = headwater_engine::value::path::Path::new(field);
    let number = number(snapshot, collection);
    let budget = Budget::unlimited();
    let asked = (Arc::new(filter), restriction);
    let found = find::distinct(snapshot, number, &path, asked, None, &budget).unwrap();
    found.iter().map(|value| object(Raw::trusted(value))).collect()
}
