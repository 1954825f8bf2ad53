//! Updates: operators, replacements and pipelines, compiled once.

use super::{Context, Filter};
use crate::error::{Error, Result};
use crate::value::Raw;

/// A compiled update.
#[derive(Clone, Debug)]
pub struct Update {}

impl Update {
    /// Compiles an update: an object of operators, a whole new document, or an array of stages. `array_filters` is the
    /// array of filters for `$[name]`, if there is one.
    pub fn parse(
        update: Raw<'_>,
        array_filters: Option<Raw<'_>>,
        context: &Context<'_>,
    ) -> Result<Self> {
        let _ = (update, array_filters, context);
        Err(Error::invalid("unsupported", "updates are not there yet"))
    }

    /// Whether it is a whole new document, which is refused for many documents at once.
    pub fn is_replacement(&self) -> bool {
        false
    }

    /// Whether it uses the positional `$`, so that [`Update::apply`] needs the filter that found the document.
    pub fn is_positional(&self) -> bool {
        false
    }

    /// The whole new document: `_id` first and unchanged. The same bytes where nothing changes. `filter` is the one that
    /// found the document, for the positional `$`.
    pub fn apply(&self, document: Raw<'_>, filter: Option<&Filter>) -> Result<Vec<u8>> {
        let _ = (document, filter);
        Err(Error::invalid("unsupported", "updates are not there yet"))
    }

    /// The document that an upsert makes: from the equalities of `filter`, then the operators with `$setOnInsert`. Where
    /// neither gives an `_id` it has `new_id`.
    pub fn upsert(&self, filter: &Filter, new_id: [u8; 12]) -> Result<Vec<u8>> {
        let _ = (filter, new_id);
        Err(Error::invalid("unsupported", "updates are not there yet"))
    }
}
