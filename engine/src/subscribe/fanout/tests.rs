//! Interests of filters.

use super::*;
use crate::limits::Limits;
use crate::query::{Context, Filter, Trust};
use crate::value::{Raw, json};

fn equality(text: &str) -> Option<(String, usize)> {
    let limits = Limits::default();
    let bytes = json::parse_value(text.as_bytes(), &limits).unwrap();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let filter = Filter::parse(Raw::trusted(&bytes), &context).unwrap();
    Equality::of(&filter).map(|found| (found.path.as_str().to_owned(), found.keys.len()))
}

#[test]
fn what_every_match_must_have_is_found() {
    assert_eq!(equality(r#"{"a":1}"#), Some(("a".to_owned(), 1)));
    assert_eq!(equality(r#"{"a":{"$in":[1,2]},"b.c":"x"}"#), Some(("b.c".to_owned(), 1)));
    assert_eq!(equality(r#"{"a":{"$gt":1,"$eq":2}}"#), Some(("a".to_owned(), 1)));
    for text in [
        "{}",
        r#"{"a":null}"#,
        r#"{"a":[1]}"#,
        r#"{"a":{"$in":[1,null]}}"#,
        r#"{"a":{"$ne":1}}"#,
        r#"{"$or":[{"a":1},{"b":1}]}"#,
        r#"{"$nor":[{"a":1}]}"#,
    ] {
        assert_eq!(equality(text), None, "{text}");
    }
}
