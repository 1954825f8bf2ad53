//! The cases of the reference whose pipeline is one `$project` that computes `r`, evaluated directly.

use super::super::{Expression, Scope, is_true};
use crate::limits::Limits;
use crate::query::{Context, Trust};
use crate::value::compare::equal;
use crate::value::ejson::{self, Mode};
use crate::value::{Raw, Value};

fn parse(line: &str, mode: Mode) -> Value {
    let bytes = ejson::parse_value(line.as_bytes(), &Limits::default(), mode).unwrap();
    Raw::trusted(&bytes).to_value()
}

fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object().and_then(|object| object.get(name))
}

fn close(a: &Value, b: &Value, types: bool) -> bool {
    let (x, y) = (a.to_bytes(), b.to_bytes());
    let double = |value: &Value| match value {
        Value::Double(value) => Some(*value),
        other => other.as_i64().map(|value| value as f64),
    };
    if types && a.kind() != b.kind() {
        return false;
    }
    equal(Raw::trusted(&x), Raw::trusted(&y))
        || double(a).zip(double(b)).is_some_and(|(a, b)| (a - b).abs() <= 1e-9 * a.abs())
}

fn one(line: &str) -> Option<Result<(), String>> {
    let (whole, filters) = (parse(line, Mode::Data), parse(line, Mode::Filter));
    let op = get(&filters, "op")?;
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: super::NOW, trust: Trust::Ordinary };
    let docs = get(&whole, "docs")?.as_array()?;
    let expect = get(&whole, "expect")?;
    let types = get(&whole, "strictTypes").is_some();
    let filter = get(op, "filter").and_then(|filter| get(filter, "$expr"));
    let source = match get(op, "pipeline") {
        Some(pipeline) => {
            let [stage] = pipeline.as_array()? else { return None };
            get(get(stage, "$project")?, "r")?
        }
        None => filter?,
    };
    let source = source.to_bytes();
    let evaluate = |document: &Value| {
        let expression = Expression::parse(Raw::trusted(&source), &context, &[])?;
        let bytes = document.to_bytes();
        let item = expression.evaluate(&Scope::new(Raw::trusted(&bytes), super::NOW))?;
        Ok::<_, crate::error::Error>((is_true(&item), item.raw().map(Raw::to_value)))
    };
    if filter.is_some() {
        let mut ids = Vec::new();
        for document in docs {
            match evaluate(document) {
                Ok((true, _)) => ids.push(get(document, "_id")?.clone()),
                Ok(_) => {}
                Err(error) => return Some(Err(error.to_string())),
            }
        }
        let wanted = expect.as_array()?;
        let matches = wanted.len() == ids.len()
            && wanted.iter().zip(&ids).all(|(wanted, id)| {
                get(wanted, "_id").unwrap_or(wanted).to_bytes() == id.to_bytes()
            });
        return Some(if matches { Ok(()) } else { Err(format!("{ids:?}")) });
    }
    let got = evaluate(docs.first()?);
    let Some([wanted]) = expect.as_array() else {
        return Some(match got {
            Err(_) => Ok(()),
            Ok((_, got)) => Err(format!("{got:?} and no error")),
        });
    };
    Some(match (got, get(wanted, "r")) {
        (Ok((_, None)), None) => Ok(()),
        (Ok((_, Some(got))), Some(wanted)) if close(wanted, &got, types) => Ok(()),
        (got, _) => Err(format!("{got:?}")),
    })
}

#[test]
fn the_cases_of_the_reference_pass() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/query-cases.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for line in text.lines() {
        if !line.contains("\"agg.expr") && !line.contains("\"find.expr") {
            continue;
        }
        match one(line) {
            Some(Ok(())) => passed += 1,
            Some(Err(why)) => failed.push(format!("{line}\n  gave {why}")),
            None => {
                skipped += 1;
                println!("not one expression: {line}");
            }
        }
    }
    println!("{passed} cases passed, {} failed, {skipped} not one expression", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed > 200);
}
