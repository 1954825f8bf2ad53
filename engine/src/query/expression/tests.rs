//! Expressions: the cases of the reference and each group of operators.

mod cases;
mod dates;
mod errors;
mod odd;
mod operators;
mod scopes;
mod values;

use super::{Expression, Scope};
use crate::error::Error;
use crate::limits::Limits;
use crate::query::{Context, Item, Trust};
use crate::value::Raw;
use crate::value::ejson::{self, Mode};

pub(super) const NOW: i64 = 1_700_000_000_000;

/// Compiles and evaluates, and gives the result as Extended JSON; `None` where it is missing.
pub(super) fn run(expression: &str, document: &str) -> Result<Option<String>, Error> {
    let limits = Limits::default();
    let expression = ejson::parse_value(expression.as_bytes(), &limits, Mode::Filter)?;
    let document = ejson::parse_value(document.as_bytes(), &limits, Mode::Data)?;
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let compiled = Expression::parse(Raw::trusted(&expression), &context, &[])?;
    let result = compiled.evaluate(&Scope::new(Raw::trusted(&document), NOW))?;
    Ok(shown(&result))
}

pub(super) fn shown(item: &Item<'_>) -> Option<String> {
    let raw = item.raw()?;
    Raw::validated(raw.as_bytes()).unwrap();
    let mut out = Vec::new();
    ejson::write(raw, &mut out);
    Some(String::from_utf8(out).unwrap())
}

/// Each expression of a list gives what stands beside it, in Extended JSON; `-` is a missing value, `!` an error.
#[track_caller]
pub(super) fn check(document: &str, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expression, expected) in table {
        let got = match run(expression, document) {
            Ok(Some(text)) => text,
            Ok(None) => "-".to_owned(),
            Err(error) if *expected == "!" => {
                assert!(!error.message().is_empty());
                continue;
            }
            Err(error) => format!("error: {error}"),
        };
        if !same(&got, expected) {
            wrong.push(format!("{expression}\n   gave {got}\n   not  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether two texts are the same value with the same types.
fn same(got: &str, expected: &str) -> bool {
    let limits = Limits::default();
    let parse = |text: &str| ejson::parse_value(text.as_bytes(), &limits, Mode::Data).ok();
    got == expected || parse(expected).is_some_and(|expected| parse(got) == Some(expected))
}
