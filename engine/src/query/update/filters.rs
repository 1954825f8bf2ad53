//! Array filters: what `$[id]` stands for.
//!
//! Guarantees: every filter is about one id, which begins with a lower-case letter; ids differ; each is used by a path.
//! Leaves to others: what filters mean.

use std::collections::HashMap;

use super::path::Part;
use super::plan::{Branch, Step};
use super::pull::wrap;
use crate::error::{Error, Result};
use crate::query::{Context, Filter};
use crate::value::Raw;

/// A compiled array filter.
#[derive(Clone, Debug)]
pub(super) struct ArrayFilter {
    id: String,
    filter: Filter,
}

impl ArrayFilter {
    /// Whether an element satisfies it.
    pub(super) fn matches(&self, element: Raw<'_>) -> Result<bool> {
        self.filter.matches(Raw::trusted(&wrap(&self.id, element)))
    }
}

/// Reads the array of filters; with the number of each id.
pub(super) fn parse(
    raw: Option<Raw<'_>>,
    context: &Context<'_>,
) -> Result<(Vec<ArrayFilter>, HashMap<String, usize>)> {
    let mut filters = Vec::new();
    let mut numbers = HashMap::new();
    let Some(raw) = raw else { return Ok((filters, numbers)) };
    let list = raw.as_array().ok_or_else(|| bad("array filters must be an array"))?;
    if raw.member_count() as u64 > u64::from(context.limits.query_clauses) {
        let max = u64::from(context.limits.query_clauses);
        let message = format!("more than {max} array filters (limits.query_clauses)");
        return Err(Error::limit("limits.query_clauses", max, message));
    }
    for raw in list {
        if raw.as_object().is_none() {
            return Err(bad("an array filter must be an object"));
        }
        let filter = Filter::parse(raw, context)?;
        let mut found = None;
        find_id(raw, &mut found)?;
        let id = found.ok_or_else(|| bad("an array filter must name an id"))?;
        let plain = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric());
        if !plain {
            return Err(bad(&format!(
                "the id `{id}` of an array filter must be letters and digits and begin with a \
                 lower-case letter"
            )));
        }
        if numbers.insert(id.clone(), filters.len()).is_some() {
            return Err(bad(&format!("there are two array filters for the id `{id}`")));
        }
        filters.push(ArrayFilter { id, filter });
    }
    Ok((filters, numbers))
}

/// Finds the one id that a filter is about. The depth of the filter has been judged before.
fn find_id(filter: Raw<'_>, found: &mut Option<String>) -> Result<()> {
    for (name, value) in filter.object_iter() {
        if matches!(name, "$and" | "$or" | "$nor") {
            for inner in value.array_iter() {
                find_id(inner, found)?;
            }
            continue;
        }
        if name.starts_with('$') {
            return Err(bad(&format!("{name} cannot be used in an array filter")));
        }
        let id = name.split('.').next().unwrap_or(name);
        match found {
            Some(first) if first != id => {
                return Err(bad(&format!(
                    "an array filter must be about one id, not about `{first}` and `{id}`"
                )));
            }
            _ => *found = Some(id.to_owned()),
        }
    }
    Ok(())
}

/// Refuses filters that no path uses.
pub(super) fn check_used(filters: &[ArrayFilter], plan: &Branch) -> Result<()> {
    let mut used = vec![false; filters.len()];
    mark_used(plan, &mut used);
    match filters.iter().zip(used).find(|(_, used)| !used) {
        Some((filter, _)) => {
            Err(bad(&format!("the array filter for the id `{}` is not used", filter.id)))
        }
        None => Ok(()),
    }
}

fn mark_used(branch: &Branch, used: &mut [bool]) {
    for (part, step) in branch.children() {
        if let Part::Filter(number) = part
            && let Some(used) = used.get_mut(*number)
        {
            *used = true;
        }
        if let Step::Branch(branch) = step {
            mark_used(branch, used);
        }
    }
}

fn bad(message: &str) -> Error {
    Error::invalid("invalid_array_filter", message)
}
