//! Small improvements of a list of stages, and what its front asks of an index.
//!
//! Guarantees: the documents that come out, and their order, are the same as without. Only steps that are right whatever
//! the stages hold: a `$match` right after a `$sort` goes before it; a `$sort` that a `$limit` follows (a `$skip` may
//! stand between) keeps only as many documents as can come through.
//! Leaves to others: choosing an index.

use super::stage::Stage;
use crate::query::Sort;
use crate::value::encode;

/// What the first stages of a pipeline ask for. Each part may be used alone, from the front: filter, then sort, then
/// limit.
#[derive(Clone, Debug)]
pub struct Prefix<'a> {
    /// The filter (an encoded document) that the documents have to satisfy; several are joined with `$and`.
    pub filter: Option<Vec<u8>>,
    /// How many stages the filter stands for.
    pub after_filter: usize,
    /// The order that they come in next.
    pub sort: Option<&'a Sort>,
    /// How many stages the filter and the sort stand for.
    pub after_sort: usize,
    /// How many of them are wanted.
    pub limit: Option<u64>,
    /// How many stages all of it stands for.
    pub consumed: usize,
}

/// Improves the order.
pub(super) fn improve(stages: &mut [Stage]) {
    for index in 1..stages.len() {
        let mut at = index;
        while at > 0 && matches!((&stages[at - 1], &stages[at]), (Stage::Sort(_), Stage::Match(_)))
        {
            stages.swap(at - 1, at);
            at -= 1;
        }
    }
    for index in 0..stages.len() {
        let (front, after) = stages.split_at_mut(index + 1);
        let Some(Stage::Sort(sort)) = front.last_mut() else { continue };
        sort.set_most(most(after));
    }
}

/// How many documents can come through the first stages of `stages`.
fn most(stages: &[Stage]) -> Option<u64> {
    let mut skipped = 0_u64;
    for stage in stages {
        match stage {
            Stage::Skip(skip) => skipped = skipped.saturating_add(*skip),
            Stage::Limit(limit) => return Some(skipped.saturating_add(*limit)),
            _ => return None,
        }
    }
    None
}

/// What the first of `stages` ask for.
pub(super) fn prefix(stages: &[Stage]) -> Prefix<'_> {
    let mut at = 0;
    let mut filters: Vec<&[u8]> = Vec::new();
    while let Some(Stage::Match(test)) = stages.get(at)
        && let Some(source) = test.source()
    {
        filters.push(source);
        at += 1;
    }
    let after_filter = at;
    let sort = match stages.get(at) {
        Some(Stage::Sort(sort)) => {
            at += 1;
            Some(sort.sort())
        }
        _ => None,
    };
    let after_sort = at;
    let limit = match stages.get(at) {
        Some(Stage::Limit(limit)) => {
            at += 1;
            Some(*limit)
        }
        _ => None,
    };
    Prefix { filter: joined(&filters), after_filter, sort, after_sort, limit, consumed: at }
}

/// The filters as one.
fn joined(filters: &[&[u8]]) -> Option<Vec<u8>> {
    match filters {
        [] => None,
        [one] => Some(one.to_vec()),
        many => {
            let mut out = Vec::new();
            encode::write_object_header(1, &mut out);
            encode::write_str("$and", &mut out);
            encode::write_array_header(many.len(), &mut out);
            for filter in many {
                out.extend_from_slice(filter);
            }
            Some(out)
        }
    }
}
