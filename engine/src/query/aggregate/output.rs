//! `$out` and `$merge`: where the documents of a pipeline go instead of to the caller.
//!
//! Guarantees: what is here was understood completely; other forms are refused.
//! Leaves to others: permission, and carrying it out.

use super::operand::{field_name, invalid, options, required, text, unsupported};
use crate::error::Result;
use crate::value::Raw;

/// Where the documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The collection.
    pub collection: String,
    /// How they get into it.
    pub mode: OutputMode,
}

/// How documents get into the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// `$out`: they replace everything in it.
    Replace,
    /// `$merge`: document by document.
    Merge {
        /// The fields by which a document is found again; `_id` if nothing else was said.
        on: Vec<String>,
        /// What happens to a document that is there.
        when_matched: WhenMatched,
        /// What happens to one that is not.
        when_not_matched: WhenNotMatched,
    },
}

/// What `$merge` does with a document that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenMatched {
    /// Sets the new document's fields in it.
    #[default]
    Merge,
    /// Replaces it.
    Replace,
    /// Leaves it as it is.
    KeepExisting,
    /// Fails.
    Fail,
}

/// What `$merge` does with a document that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenNotMatched {
    /// Inserts it.
    #[default]
    Insert,
    /// Leaves it out.
    Discard,
    /// Fails.
    Fail,
}

impl Output {
    pub(super) fn parse(stage: &str, operand: Raw<'_>) -> Result<Self> {
        if stage == "$out" {
            let collection = match operand.as_object() {
                None => text(stage, "", operand)?,
                Some(_) => {
                    let [db, collection] = options(stage, "", operand, ["db", "coll"])?;
                    refuse_database(stage, db)?;
                    text(stage, "coll", required(stage, "coll", collection)?)?
                }
            };
            return Ok(Self { collection: named(stage, collection)?, mode: OutputMode::Replace });
        }
        if let Some(collection) = operand.as_str() {
            let mode = OutputMode::Merge {
                on: vec!["_id".to_owned()],
                when_matched: WhenMatched::default(),
                when_not_matched: WhenNotMatched::default(),
            };
            return Ok(Self { collection: named(stage, collection)?, mode });
        }
        parse_merge(stage, operand)
    }
}

fn parse_merge(stage: &str, operand: Raw<'_>) -> Result<Output> {
    let names = ["into", "on", "whenMatched", "whenNotMatched", "let"];
    let [into, on, matched, not_matched, variables] = options(stage, "", operand, names)?;
    let into = required(stage, "into", into)?;
    let collection = match into.as_object() {
        None => text(stage, "into", into)?,
        Some(_) => {
            let [db, collection] = options(stage, "into", into, ["db", "coll"])?;
            refuse_database(stage, db)?;
            text(stage, "into.coll", required(stage, "into.coll", collection)?)?
        }
    };
    if variables.is_some() || matched.is_some_and(|matched| matched.as_array().is_some()) {
        return Err(unsupported(stage, "with a pipeline in `whenMatched` is not supported"));
    }
    let when_matched = match matched.map(|raw| text(stage, "whenMatched", raw)).transpose()? {
        None | Some("merge") => WhenMatched::Merge,
        Some("replace") => WhenMatched::Replace,
        Some("keepExisting") => WhenMatched::KeepExisting,
        Some("fail") => WhenMatched::Fail,
        Some(_) => {
            let message = "must be `merge`, `replace`, `keepExisting` or `fail`";
            return Err(invalid(stage, "whenMatched", message));
        }
    };
    let not_matched = not_matched.map(|raw| text(stage, "whenNotMatched", raw)).transpose()?;
    let when_not_matched = match not_matched {
        None | Some("insert") => WhenNotMatched::Insert,
        Some("discard") => WhenNotMatched::Discard,
        Some("fail") => WhenNotMatched::Fail,
        Some(_) => {
            let message = "must be `insert`, `discard` or `fail`";
            return Err(invalid(stage, "whenNotMatched", message));
        }
    };
    let mode = OutputMode::Merge { on: parse_on(stage, on)?, when_matched, when_not_matched };
    Ok(Output { collection: named(stage, collection)?, mode })
}

fn parse_on(stage: &str, on: Option<Raw<'_>>) -> Result<Vec<String>> {
    let Some(on) = on else { return Ok(vec!["_id".to_owned()]) };
    let Some(list) = on.as_array() else {
        return Ok(vec![field_name(stage, "on", on)?.to_owned()]);
    };
    if on.member_count() == 0 {
        return Err(invalid(stage, "on", "must name at least one field"));
    }
    list.map(|name| Ok(field_name(stage, "on", name)?.to_owned())).collect()
}

fn named(stage: &str, collection: &str) -> Result<String> {
    if collection.is_empty() {
        return Err(invalid(stage, "", "needs the name of a collection"));
    }
    Ok(collection.to_owned())
}

fn refuse_database(stage: &str, database: Option<Raw<'_>>) -> Result<()> {
    match database {
        None => Ok(()),
        Some(_) => Err(unsupported(stage, "into another database is not supported")),
    }
}
