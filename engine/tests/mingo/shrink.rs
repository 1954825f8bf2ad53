//! Making an operation smaller while the two still disagree, so that a difference shows its cause alone.
//!
//! Guarantees: operators keep their operands, or are replaced by one of them; so what gets smaller stays well formed.
//! Leaves to others: whether they disagree.

use serde_json::Value;

/// The parts of an operation that may get smaller.
const PARTS: [&str; 6] = ["docs", "pipeline", "filter", "update", "projection", "others"];

/// Below these keys, lists and objects may lose members.
const LOSING: [&str; 26] = [
    "",
    "docs",
    "others",
    "$and",
    "$or",
    "$nor",
    "$match",
    "$project",
    "$addFields",
    "$elemMatch",
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$push",
    "$addToSet",
    "$pull",
    "$pullAll",
    "$pop",
    "$rename",
    "$bit",
    "$facet",
    "$each",
    "$sort",
];

/// The smallest operation found that still `differs`.
pub fn shrink(operation: &Value, mut differs: impl FnMut(&Value) -> bool) -> Value {
    let mut least = operation.clone();
    let mut tries = 80;
    for alone in alone(&least).into_iter().chain(named(&least)) {
        if differs(&alone) {
            least = alone;
            break;
        }
    }
    if let Some(fewer) = named(&least)
        && differs(&fewer)
    {
        least = fewer;
    }
    loop {
        let mut candidates = Vec::new();
        for part in PARTS {
            let Some(value) = least.get(part) else { continue };
            let data = matches!(part, "docs" | "others");
            smaller(value, if data { part } else { "" }, data, &mut |new| {
                let mut candidate = least.clone();
                candidate[part] = new;
                candidates.push(candidate);
            });
        }
        let found = candidates.into_iter().take(tries).find(|candidate| {
            tries -= 1;
            differs(candidate)
        });
        match found {
            Some(found) => least = found,
            None => return least,
        }
    }
}

/// The operation over each document alone.
fn alone(operation: &Value) -> Vec<Value> {
    let documents = operation["docs"].as_array().cloned().unwrap_or_default();
    let alone = documents.into_iter().map(|document| {
        let mut alone = operation.clone();
        alone["docs"] = Value::Array(vec![document]);
        alone
    });
    alone.collect()
}

/// The operation over documents with only those fields that it names.
fn named(operation: &Value) -> Option<Value> {
    let mut fewer = operation.clone();
    let text: String = PARTS[1..5].iter().map(|part| operation[part].to_string()).collect();
    let text = text + &operation["sort"].to_string();
    let documents = fewer["docs"].as_array_mut()?.iter_mut();
    for document in documents.filter_map(Value::as_object_mut) {
        document.retain(|name, _| {
            ["\"", "\"$", "\"$$"].iter().any(|before| {
                ["\"", "."].iter().any(|after| text.contains(&format!("{before}{name}{after}")))
            }) || name == "_id"
        });
    }
    Some(fewer)
}

/// Everything that a value becomes with one thing left out, or with one operator replaced by an operand.
fn smaller(value: &Value, key: &str, data: bool, give: &mut dyn FnMut(Value)) {
    let losing = data || LOSING.contains(&key);
    match value {
        Value::Array(list) => {
            for at in 0..if losing { list.len() } else { 0 } {
                let mut less = list.clone();
                less.remove(at);
                if !less.is_empty() || data {
                    give(Value::Array(less));
                }
            }
            for (at, element) in list.iter().enumerate() {
                smaller(element, if key.is_empty() { "$stage" } else { key }, data, &mut |new| {
                    let mut other = list.clone();
                    other[at] = new;
                    give(Value::Array(other));
                });
            }
        }
        Value::Object(object) => {
            for (name, member) in object {
                if name == "$date" {
                    return;
                }
                if !data
                    && !key.is_empty()
                    && key != "$stage"
                    && object.len() == 1
                    && name.starts_with('$')
                {
                    match member {
                        Value::Array(operands) => {
                            operands.iter().for_each(|each| give(each.clone()))
                        }
                        Value::Object(operands) => {
                            operands.values().for_each(|each| give(each.clone()))
                        }
                        _ => give(member.clone()),
                    }
                }
                if losing
                    && !matches!(name.as_str(), "_id" | "others")
                    && (object.len() > 1 || data)
                {
                    let mut less = object.clone();
                    less.shift_remove(name);
                    give(Value::Object(less));
                }
                smaller(member, name, data, &mut |new| {
                    let mut other = object.clone();
                    other[name] = new;
                    give(Value::Object(other));
                });
            }
        }
        _ => {}
    }
}
