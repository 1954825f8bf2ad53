//! The groups of a pipeline as nested objects, one level for each field that they are made by.

use std::collections::HashMap;

use bytes::Bytes;
use headwater_engine::value::{Raw, json};

use super::{Grouping, Kind};
use crate::face::restdb::answer::Shown;
use crate::reply::write_text;

/// Where a level has its own aggregates.
const GRAND_TOTAL: &str = "$grand-total";

/// A level: what is beneath each key, and the level's own aggregates.
#[derive(Default)]
struct Level {
    beneath: Vec<(String, Level)>,
    places: HashMap<String, usize>,
    group: Option<Bytes>,
}

impl Level {
    fn at(&mut self, key: String) -> &mut Self {
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            self.beneath.push((key, Self::default()));
            self.beneath.len() - 1
        });
        &mut self.beneath[place].1
    }
}

/// Writes what pipelines gave: of each its depth and its groups. Documents are written as `shown` has it.
pub(crate) fn nested(
    grouping: &Grouping,
    groups: &[(usize, Vec<Bytes>)],
    shown: &Shown,
) -> Vec<u8> {
    let mut root = Level::default();
    for (depth, groups) in groups {
        for group in groups {
            let keys = Raw::trusted(group).get("_id").unwrap_or(Raw::NULL);
            let mut level = &mut root;
            for index in 0..*depth {
                level = level.at(text(keys.get(&format!("k{index}")).unwrap_or(Raw::NULL)));
            }
            level.group = Some(group.clone());
        }
    }
    let mut out = Vec::new();
    Writer { grouping, shown }.level(&root, 0, &mut out);
    out
}

/// A value as the key of a member.
fn text(value: Raw<'_>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let mut out = Vec::new();
    json::write(value, &mut out);
    let text = String::from_utf8_lossy(&out);
    // A date and an id are texts in JSON.
    text.trim_matches('"').to_owned()
}

struct Writer<'a> {
    grouping: &'a Grouping,
    shown: &'a Shown,
}

impl Writer<'_> {
    fn level(&self, level: &Level, depth: usize, out: &mut Vec<u8>) {
        if depth == self.grouping.by.len() {
            return self
                .group(level.group.as_ref().map_or(Raw::NULL, |group| Raw::trusted(group)), out);
        }
        out.push(b'{');
        for (index, (key, beneath)) in level.beneath.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(key, out);
            out.push(b':');
            self.level(beneath, depth + 1, out);
        }
        if let Some(total) = &level.group {
            if !level.beneath.is_empty() {
                out.push(b',');
            }
            write_text(GRAND_TOTAL, out);
            out.push(b':');
            self.group(Raw::trusted(total), out);
        }
        out.push(b'}');
    }

    /// The documents of a group, or what was computed of it; of none (null) what the functions are of nothing.
    fn group(&self, group: Raw<'_>, out: &mut Vec<u8>) {
        if self.grouping.functions.is_empty() {
            let rows = group.get("rows").and_then(Raw::as_array);
            return self.shown.write_all(rows.into_iter().flatten(), out);
        }
        out.push(b'{');
        for (index, function) in self.grouping.functions.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(&function.key, out);
            out.push(b':');
            let value = group.get(&format!("f{index}"));
            match (function.kind, value) {
                (Kind::Count | Kind::Sum, None) => out.push(b'0'),
                (_, None) => out.extend_from_slice(b"null"),
                (Kind::Min | Kind::Max, Some(document)) => {
                    let is_there = group.get(&format!("m{index}")).and_then(Raw::as_bool);
                    let document = if is_there == Some(true) { document } else { Raw::NULL };
                    self.shown.write(document, out);
                }
                (_, Some(value)) => json::write(value, out),
            }
        }
        out.push(b'}');
    }
}
