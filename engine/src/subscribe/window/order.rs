//! The order of a window, which is that of a query: by a sort, ties by `_id`.

use bytes::Bytes;

use crate::error::Result;
use crate::query::Sort;
use crate::query::find::Place;
use crate::value::{Raw, key};

/// An order of documents.
#[derive(Clone, Debug)]
pub struct Order {
    /// `None`: by `_id`.
    sort: Option<Sort>,
}

/// A document with its place in the order.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRow {
    /// Where it stands.
    pub place: Place,
    /// The document, as far as it is shown.
    pub document: Bytes,
}

impl WindowRow {
    /// The `_id`, which is always shown.
    pub fn id(&self) -> Raw<'_> {
        Raw::trusted(&self.document).get("_id").unwrap_or(Raw::NULL)
    }

    /// The memory of its parts.
    pub fn bytes(&self) -> usize {
        self.document.len() + self.place.key.len() + self.place.id_key.len()
    }
}

impl Order {
    /// The order of a sort; `None`: by `_id`.
    pub fn new(sort: Option<Sort>) -> Self {
        let sort = sort.map(|sort| sort.by_id_alone().unwrap_or(sort));
        Self { sort: sort.filter(|sort| !sort.is_empty() && !sort.is_by_id()) }
    }

    /// The place of a document. Fails on one that the sort cannot place (`parallel_arrays`).
    pub fn place(&self, document: Raw<'_>) -> Result<Place> {
        let key = self.sort.as_ref().map(|sort| sort.key(document)).transpose()?;
        let id_key = key::encode(document.get("_id").unwrap_or(Raw::NULL));
        Ok(Place { key: key.unwrap_or_default(), id_key })
    }

    /// A document with its place.
    pub fn row(&self, document: Bytes) -> Result<WindowRow> {
        Ok(WindowRow { place: self.place(Raw::trusted(&document))?, document })
    }

    /// Documents in order.
    pub fn rows(&self, documents: impl IntoIterator<Item = Bytes>) -> Result<Vec<WindowRow>> {
        let rows: Result<Vec<_>> = documents.into_iter().map(|one| self.row(one)).collect();
        let mut rows = rows?;
        rows.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        Ok(rows)
    }
}
