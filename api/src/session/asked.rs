//! What a query asks for: its parts as they came, and compiled.
//!
//! Guarantees: what asks for nothing (`{}`, null, a sort by `_id`) is the same as what was not given; two queries with the
//! same filter and sort have the same digest.
//! Leaves to others: running it.

use std::borrow::Cow;
use std::sync::Arc;

use headwater_engine::query::{Context, Filter, Projection, Sort, Trust, find, plain};
use headwater_engine::value::{Object, Raw, ValueKind};
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::{Engine, Result};

use crate::extract::Format;

/// Filters beyond this many bytes are compiled off the async threads.
const LIGHT_BYTES: usize = 64 << 10;

/// Operators of which one document may take long.
const HEAVY: [&str; 10] = [
    "$expr",
    "$where",
    "$regex",
    "$jsonSchema",
    "$text",
    "$near",
    "$nearSphere",
    "$geoWithin",
    "$geoIntersects",
    "$within",
];

/// The parts of a query that the query language reads; encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    filter: Option<Vec<u8>>,
    sort: Option<Vec<u8>>,
    projection: Option<Vec<u8>>,
}

/// The same, compiled.
pub(super) struct Compiled {
    pub(super) filter: Arc<Filter>,
    pub(super) sort: Option<Sort>,
    pub(super) projection: Option<Projection>,
}

impl Asked {
    /// Takes the parts of a request; `format` says how it was written.
    pub(crate) fn new(
        filter: Option<Raw<'_>>,
        sort: Option<Raw<'_>>,
        projection: Option<Raw<'_>>,
        format: Format,
    ) -> Self {
        let by_id = |sort: &Raw<'_>| {
            sort.member_count() == 1 && sort.get("_id").and_then(Raw::as_i64) == Some(1)
        };
        Self {
            filter: asking(filter).map(|filter| ids_read(filter, format).into_owned()),
            sort: asking(sort).filter(|sort| !by_id(sort)).map(|sort| sort.as_bytes().to_vec()),
            projection: asking(projection).map(|one| ids_read(one, format).into_owned()),
        }
    }

    /// Whether it asks for documents as they are, in `_id` order.
    pub(super) fn is_nothing(&self) -> bool {
        self.filter.is_none() && self.sort.is_none() && self.projection.is_none()
    }

    /// Whether it asks for an order of its own.
    pub(super) fn is_sorted(&self) -> bool {
        self.sort.is_some()
    }

    /// The order that it asks for, encoded.
    pub(crate) fn sort(&self) -> Option<&[u8]> {
        self.sort.as_deref()
    }

    /// Whether it searches text.
    pub(super) fn is_search(&self) -> bool {
        self.filter.as_deref().is_some_and(|filter| searches(Raw::trusted(filter)))
    }

    /// Whether one document of it takes little time.
    pub(super) fn is_light(&self) -> bool {
        let filter = self.filter.as_deref().is_none_or(is_light);
        let projection = self.projection.as_deref().is_none_or(is_plain_projection);
        filter && projection
    }

    /// The digest of filter and sort; 0 where there is neither.
    pub(super) fn digest(&self) -> u64 {
        if self.filter.is_none() && self.sort.is_none() {
            return 0;
        }
        let mut hasher = blake3::Hasher::new();
        for part in [&self.filter, &self.sort] {
            let part = part.as_deref().unwrap_or_default();
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        digest.as_bytes().first_chunk().map_or(1, |first| u64::from_le_bytes(*first)).max(1)
    }

    /// Compiles it for a collection, if there is one.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        snapshot: &Snapshot,
        number: Option<CollectionId>,
    ) -> Result<Compiled> {
        let context = context(engine, Trust::Ordinary);
        let sort = self.sort.as_deref().map(|sort| Sort::parse(Raw::trusted(sort), &context));
        let projection = self.projection.as_deref().map(Raw::trusted);
        let projection = projection.map(|projection| Projection::parse(projection, &context));
        let filter = filter(self.filter.as_deref(), engine, snapshot, number)?;
        Ok(Compiled { filter, sort: sort.transpose()?, projection: projection.transpose()? })
    }
}

/// A part that asks for something.
fn asking(part: Option<Raw<'_>>) -> Option<Raw<'_>> {
    let part = part.filter(|part| !part.is_null());
    part.filter(|part| part.as_object().is_none() || part.member_count() > 0)
}

/// What compiling needs to know.
pub(super) fn context(engine: &Engine, trust: Trust) -> Context<'_> {
    let now_ms = i64::try_from(engine.clock().now_ms()).unwrap_or(i64::MAX);
    Context { limits: engine.limits(), now_ms, trust }
}

/// Compiles a filter; a `$text` in it learns the fields of the collection's text index.
pub(super) fn filter(
    filter: Option<&[u8]>,
    engine: &Engine,
    snapshot: &Snapshot,
    number: Option<CollectionId>,
) -> Result<Arc<Filter>> {
    let empty = Object::new().to_bytes();
    let filter = filter.unwrap_or(&empty);
    let filter = Filter::parse(Raw::trusted(filter), &context(engine, Trust::Ordinary))?;
    Ok(Arc::new(find::bind(filter, snapshot, number)?))
}

/// A part of a query as it is meant: in plain JSON a text of 24 hexadecimal digits in an `_id` is an ObjectId.
pub(crate) fn ids_read(part: Raw<'_>, format: Format) -> Cow<'_, [u8]> {
    match format {
        Format::Plain => Cow::Owned(plain::with_object_ids(part)),
        Format::Extended => Cow::Borrowed(part.as_bytes()),
    }
}

/// Whether looking at one document with a filter takes little time.
pub(super) fn is_light(filter: &[u8]) -> bool {
    filter.len() <= LIGHT_BYTES && has_light_parts(Raw::trusted(filter))
}

/// Whether a `$text` stands anywhere in a filter or pipeline.
pub(super) fn searches(part: Raw<'_>) -> bool {
    if let Some(mut elements) = part.as_array() {
        return elements.any(searches);
    }
    part.object_iter().any(|(name, value)| name == "$text" || searches(value))
}

fn has_light_parts(part: Raw<'_>) -> bool {
    if let Some(mut elements) = part.as_array() {
        return elements.all(has_light_parts);
    }
    if let Some(mut members) = part.as_object() {
        return members.all(|(name, value)| !HEAVY.contains(&name) && has_light_parts(value));
    }
    part.kind() != ValueKind::Regex
}

/// Whether a projection only names fields.
fn is_plain_projection(projection: &[u8]) -> bool {
    let mut members = Raw::trusted(projection).object_iter();
    projection.len() <= LIGHT_BYTES
        && members.all(|(_, value)| value.as_i64().is_some() || value.as_bool().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::ejson;

    fn asked(filter: &str, sort: &str) -> Asked {
        let read = |text: &str| {
            ejson::parse_value(text.as_bytes(), &Limits::default(), ejson::Mode::Filter).unwrap()
        };
        let (filter, sort) = (read(filter), read(sort));
        Asked::new(Some(Raw::trusted(&filter)), Some(Raw::trusted(&sort)), None, Format::Plain)
    }

    #[test]
    fn what_asks_for_nothing_is_nothing() {
        assert!(asked("{}", "{}").is_nothing());
        assert!(asked("null", r#"{"_id":1}"#).is_nothing());
        assert!(!asked("{}", r#"{"_id":-1}"#).is_nothing());
        assert!(!asked("[]", "{}").is_nothing());
        assert_eq!(asked("{}", "{}").digest(), 0);
        assert_ne!(asked(r#"{"a":1}"#, "{}").digest(), asked("{}", r#"{"a":1}"#).digest());
    }

    #[test]
    fn heavy_operators_are_found_at_any_depth() {
        assert!(asked(r#"{"a":{"$gt":1},"$or":[{"b":2},{"c":{"$in":[1]}}]}"#, "{}").is_light());
        assert!(!asked(r#"{"$or":[{"a":1},{"b":{"$not":{"$regex":"x"}}}]}"#, "{}").is_light());
        assert!(!asked(r#"{"$expr":{"$gt":["$a",1]}}"#, "{}").is_light());
    }

    #[test]
    fn ids_of_plain_json_become_object_ids() {
        let asked = asked(r#"{"_id":"507f1f77bcf86cd799439011"}"#, "{}");
        let filter = asked.filter.unwrap();
        assert!(Raw::trusted(&filter).get("_id").unwrap().as_object_id().is_some());
    }
}
