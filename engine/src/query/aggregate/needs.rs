//! Which fields of its input documents a pipeline reads at all.
//!
//! Guarantees: never too few: every text that could be a field's path counts, and what cannot be told is everything
//! (`None`).
//! Leaves to others: reading less because of it.

use std::collections::BTreeSet;

use crate::value::Raw;

/// The top-level fields that a pipeline reads, where its first stage but `$match`, `$sort`, `$skip` and `$limit` is a
/// `$group`, `$sortByCount`, `$count` or an inclusion `$project`.
pub(super) fn of(pipeline: Raw<'_>) -> Option<Vec<String>> {
    let mut fields = BTreeSet::new();
    for stage in pipeline.array_iter() {
        let (name, operand) = stage.object_iter().next()?;
        match name {
            "$match" => filter(operand, &mut fields)?,
            "$sort" => operand.object_iter().for_each(|(path, _)| add(path, &mut fields)),
            "$skip" | "$limit" => {}
            "$count" => return Some(fields.into_iter().collect()),
            "$group" | "$sortByCount" => {
                references(operand, &mut fields)?;
                return Some(fields.into_iter().collect());
            }
            "$project" => {
                inclusion(operand, &mut fields)?;
                return Some(fields.into_iter().collect());
            }
            _ => return None,
        }
    }
    None
}

fn add(path: &str, fields: &mut BTreeSet<String>) {
    let first = path.split('.').next().unwrap_or_default();
    if !fields.contains(first) {
        fields.insert(first.to_owned());
    }
}

fn filter(operand: Raw<'_>, fields: &mut BTreeSet<String>) -> Option<()> {
    let mut left = vec![operand];
    while let Some(operand) = left.pop() {
        for (name, value) in operand.as_object()? {
            match name {
                "$and" | "$or" | "$nor" => left.extend(value.array_iter()),
                "$expr" => references(value, fields)?,
                "$comment" => {}
                _ if name.starts_with('$') => return None,
                _ => add(name, fields),
            }
        }
    }
    Some(())
}

/// Every text that begins with `$`, and the names in `sortBy`; `None` where the whole document is meant.
fn references(expression: Raw<'_>, fields: &mut BTreeSet<String>) -> Option<()> {
    let mut left = vec![expression];
    while let Some(expression) = left.pop() {
        if let Some(text) = expression.as_str() {
            reference(text, fields)?;
        }
        left.extend(expression.array_iter());
        for (name, value) in expression.object_iter() {
            match name {
                "sortBy" => value.object_iter().for_each(|(path, _)| add(path, fields)),
                "$getField" => return None,
                _ => {}
            }
            left.push(value);
        }
    }
    Some(())
}

fn reference(text: &str, fields: &mut BTreeSet<String>) -> Option<()> {
    let Some(path) = text.strip_prefix('$') else { return Some(()) };
    let Some(variable) = path.strip_prefix('$') else {
        add(path, fields);
        return Some(());
    };
    match variable.split_once('.') {
        Some(("ROOT" | "CURRENT", path)) => add(path, fields),
        None if matches!(variable, "ROOT" | "CURRENT") => return None,
        _ => {}
    }
    Some(())
}

fn inclusion(operand: Raw<'_>, fields: &mut BTreeSet<String>) -> Option<()> {
    let off = |value: Raw<'_>| {
        value.as_bool() == Some(false) || super::operand::integer(value) == Some(0)
    };
    fields.insert("_id".to_owned());
    let mut included = false;
    for (path, value) in operand.as_object()? {
        if off(value) {
            if path != "_id" {
                return None;
            }
            continue;
        }
        included |= path != "_id" || value.as_object().is_none();
        if has_exclusion(value) {
            return None;
        }
        add(path, fields);
        references(value, fields)?;
    }
    included.then_some(())
}

/// Whether a nested document excludes something, so that the projection is none of inclusion.
fn has_exclusion(value: Raw<'_>) -> bool {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        for (name, inner) in value.object_iter() {
            if name.starts_with('$') {
                continue;
            }
            if inner.as_bool() == Some(false) || super::operand::integer(inner) == Some(0) {
                return true;
            }
            left.push(inner);
        }
    }
    false
}
