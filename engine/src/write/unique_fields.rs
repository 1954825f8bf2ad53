//! The unique indexes of typed fields as the sequencer keeps them: one for each unique field of the definition.
//!
//! Guarantees: a definition and its indexes change in one batch. An index of a field that is unique is neither dropped nor
//! replaced by name, unless it failed; one that was asked for by itself is never taken for one of a field.
//! Leaves to others: building them (whoever defines the collection), the check of writes (`indexes`).

use std::sync::Arc;

use super::resolve::Resolver;
use crate::error::{Error, ErrorKind, Result};
use crate::fields::Fields;
use crate::index::Index;
use crate::value::Raw;
use crate::view::CollectionId;

impl Resolver<'_> {
    /// Makes the indexes of a collection's fields those that its new definition asks for.
    pub(super) fn settle_unique(
        &mut self,
        collection: &Arc<str>,
        number: CollectionId,
        fields: Option<&Fields>,
    ) -> Result<()> {
        let wanted = fields.map(Fields::unique_indexes).unwrap_or_default();
        let indexes = self.overlay.indexes();
        for index in indexes.of(number).iter().filter(|index| index.field.is_some()) {
            if !wanted.iter().any(|(name, _)| **name == *index.name) {
                self.drop_index(collection, &index.name)?;
            }
        }
        for (name, definition) in wanted {
            self.define_index(collection, &Arc::from(name), Raw::trusted(&definition))?;
        }
        Ok(())
    }

    /// Refuses to make an index of a field of one that was asked for by itself, or the other way round.
    pub(super) fn check_kind(&self, number: CollectionId, index: &Index) -> Result<()> {
        let indexes = self.overlay.indexes();
        let Some(before) = indexes.get(number, &index.name) else { return Ok(()) };
        match (&before.field, &index.field) {
            (Some(field), None) => Err(belongs(index, field)),
            (None, Some(field)) => {
                let message = format!(
                    "the unique field `{field}` needs an index `{}`, but `{}` has one of that name; drop it first",
                    index.name, index.collection
                );
                let error = Error::new(ErrorKind::Conflict, "index_exists", message);
                Err(error.with("index", &*index.name).with("field", &**field))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to drop the index of a field that is unique.
    pub(super) fn check_free(&self, collection: &str, name: &str) -> Result<()> {
        let indexes = self.overlay.indexes();
        let number = self.overlay.number(collection);
        let Some(index) = number.and_then(|number| indexes.get(number, name)) else {
            return Ok(());
        };
        let Some(field) = &index.field else { return Ok(()) };
        let fields = self.overlay.fields(collection);
        let is_unique =
            fields.is_some_and(|fields| fields.get(field).is_some_and(|one| one.unique));
        // One that failed enforces nothing; dropping it is how building it is tried again.
        if is_unique && index.state.failure().is_none() {
            return Err(belongs(index, field));
        }
        Ok(())
    }
}

fn belongs(index: &Index, field: &str) -> Error {
    let message = format!(
        "the index `{}` belongs to the unique field `{field}`; it goes when the field is no longer unique",
        index.name
    );
    let error = Error::new(ErrorKind::Conflict, "index_of_field", message);
    error.with("index", &*index.name).with("field", field)
}
