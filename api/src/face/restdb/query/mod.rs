//! What a list asks for, read from the query string: `q`, `h` and the parameters.
//!
//! Guarantees: hints win over parameters; what is malformed is refused with the parameter's name and the place in it;
//! unknown parameters and hints are ignored.
//! Leaves to others: running it (`list`).

mod build;
mod dates;
mod filter;
mod group;
mod hints;
mod read;

use headwater_engine::Engine;
use headwater_engine::query::{Context, Filter, Sort, Trust};
use headwater_engine::value::{Object, Raw, Value};
use http::StatusCode;

use super::system;
use crate::error::{ApiError, ApiResult};
use crate::extract::Parameters;

pub(super) use build::{all_of, object};
pub(super) use filter::id;
pub(super) use group::{Grouping, nested};
pub(super) use read::flag;

/// Documents of a list that says nothing of it.
const MAX: usize = 1000;

/// What a list asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct ListRequest {
    /// Which documents.
    pub(super) filter: Object,
    /// In which order; empty: by `_id`.
    pub(super) sort: Object,
    /// Which fields; empty: all.
    pub(super) fields: Object,
    /// Most documents, where the request says it.
    max: Option<usize>,
    /// Documents to pass over.
    pub(super) skip: usize,
    /// Whether there are hints.
    has_hints: bool,
    /// Whether system fields are shown.
    pub(super) metafields: bool,
    /// Whether the answer has totals.
    pub(super) totals: bool,
    /// Whether only the number of documents is wanted.
    pub(super) count_alone: bool,
    /// The field whose values are wanted, instead of documents.
    pub(super) distinct: Option<String>,
    /// How documents are grouped.
    pub(super) grouping: Option<Grouping>,
}

impl ListRequest {
    /// Reads a query string.
    pub(super) fn read(parameters: &Parameters, engine: &Engine) -> ApiResult<Self> {
        let mut asking = Self::filter_alone(parameters, engine)?;
        asking.metafields = flag(parameters, "metafields")?;
        asking.totals = flag(parameters, "totals")?;
        asking.count_alone = asking.totals && flag(parameters, "count")?;
        asking.max = parameters.get("max").map(|text| read::size("max", text)).transpose()?;
        let skip = parameters.get("skip").map(|text| read::size("skip", text)).transpose()?;
        asking.skip = skip.unwrap_or(0);
        asking.sort = read::sort(parameters)?;
        let (by, functions) = (parameters.all("groupby"), parameters.all("aggregate"));
        let mut grouping = Grouping::read(by, functions)?;
        if let Some(hints) = read::hints(parameters, engine.limits())? {
            asking.has_hints = true;
            asking.take_hints(&hints, &mut grouping)?;
        }
        asking.grouping = grouping.asks_for_something().then_some(grouping);
        if asking.metafields {
            hints::show_facts(&mut asking.fields);
        }
        Ok(asking)
    }

    /// Reads which documents are meant, and nothing else.
    pub(super) fn filter_alone(parameters: &Parameters, engine: &Engine) -> ApiResult<Self> {
        read::refuse_brackets(parameters)?;
        let mut q = read::object(parameters, "q", engine.limits())?;
        let distinct = match q.remove("$distinct") {
            None => None,
            Some(Value::String(field)) => Some(field),
            Some(_) => return Err(read::malformed("q", "$distinct must be the name of a field")),
        };
        let filter = filter::translate(q, engine.clock().now_ms())?;
        let words = parameters.get("filter").map(filter::words).unwrap_or_default();
        let filter = all_of(filter, words);
        Ok(Self { filter, distinct, ..Self::default() })
    }

    /// Reads which documents a deletion means. What a program sends for nothing (`undefined`, `null`, `[]`) means no document
    /// here, rather than every one, and what would not be obeyed is refused.
    pub(super) fn of_deletion(parameters: &Parameters, engine: &Engine) -> ApiResult<Self> {
        if !parameters.get("q").is_some_and(|text| text.trim_start().starts_with('{')) {
            return Err(read::malformed(
                "q",
                "must be a JSON object, where documents are deleted by it",
            ));
        }
        let whole = Self::read(parameters, engine)?;
        // A hint has no parameter of its own name.
        let of = |name| if parameters.get(name).is_some() { name } else { "h" };
        let unheeded = [
            (of("max"), whole.max.is_some()),
            (of("skip"), whole.skip > 0),
            (of("groupby"), whole.grouping.is_some()),
            ("h", !whole.fields.is_empty()),
            ("q", whole.distinct.is_some()),
        ];
        if let Some((name, _)) = unheeded.into_iter().find(|(_, is_there)| *is_there) {
            let what = "a deletion is of everything that q and filter find, and takes nothing else";
            return Err(read::malformed(name, what));
        }
        Ok(Self { filter: whole.filter, ..Self::default() })
    }

    /// A refusal of what was asked, with the parameter that it is about: `q` where that does not compile by itself, else
    /// the hints.
    pub(super) fn blamed(&self, engine: &Engine, error: ApiError) -> ApiError {
        if error.status() != StatusCode::BAD_REQUEST || error.code() == "limit_exceeded" {
            return error;
        }
        let context = Context { limits: engine.limits(), now_ms: 0, trust: Trust::Ordinary };
        let filter = self.filter.to_bytes();
        let is_of_filter = Filter::parse(Raw::trusted(&filter), &context).is_err();
        let sorts = Sort::parse(Raw::trusted(&self.sort.to_bytes()), &context).is_err();
        let name = match (is_of_filter, sorts, self.has_hints) {
            (true, ..) => "q",
            (false, true, false) => "sort",
            (false, _, true) => "h",
            (false, false, false) => return error,
        };
        error.about(|message| format!("{name}: {message}"))
    }

    /// Most documents of the list.
    pub(super) fn max(&self) -> usize {
        self.max.unwrap_or(MAX)
    }

    /// Most documents, where the request says it.
    pub(super) fn explicit_max(&self) -> Option<usize> {
        self.max
    }

    /// Whether a system field is wanted: to be shown, or to go by.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.metafields
            || filter::names(&self.filter, name)
            || [&self.sort, &self.fields].iter().any(|part| part.get(name).is_some())
            || self.distinct.as_deref().is_some_and(|field| filter::begins_with(field, name))
            || self.grouping.as_ref().is_some_and(|grouping| grouping.names(name))
    }

    /// The system fields that are asked for by name.
    pub(super) fn named_fields(&self) -> Vec<String> {
        let is_named = |name: &&str| self.fields.get(name).is_some();
        system::names().filter(is_named).map(str::to_owned).collect()
    }

    /// The filter, encoded, where it speaks of nothing but what is stored.
    pub(super) fn stored_filter(&self) -> Option<Vec<u8>> {
        let is_stored = !system::names().any(|name| filter::names(&self.filter, name));
        is_stored.then(|| self.filter.to_bytes())
    }

    fn take_hints(&mut self, hints: &Object, grouping: &mut Grouping) -> ApiResult<()> {
        for (name, value) in hints {
            match name.as_str() {
                "$fields" => self.fields = hints::fields(value)?,
                "$orderby" => self.sort = hints::order(value)?,
                "$max" => self.max = Some(hints::size("$max", value)?),
                "$skip" => self.skip = hints::size("$skip", value)?,
                "$groupby" => {
                    let fields = hints::texts("$groupby", value)?;
                    grouping.group_by(&fields).map_err(of_hints)?;
                }
                "$aggregate" => {
                    let functions = hints::texts("$aggregate", value)?;
                    grouping.compute(&functions).map_err(of_hints)?;
                }
                "$aggregate-grand-total" => grouping.grand_total = hints::truth(value),
                "metafields" | "$metafields" => self.metafields = hints::truth(value),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A refusal of what a hint says: it names the parameter that has the hints.
fn of_hints(error: ApiError) -> ApiError {
    error.about(|message| format!("h: ${message}"))
}
