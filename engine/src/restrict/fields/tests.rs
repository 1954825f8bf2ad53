//! Field rules by examples, and against a slow model that asks of each field by its whole path.

use proptest::prelude::*;

use super::FieldRule;
use crate::error::Error;
use crate::value::path::get_path;
use crate::value::{Object, Raw, Value, json};

fn rule(include: &[&str], exclude: &[&str]) -> Option<FieldRule> {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    FieldRule::parse(&owned(include), &owned(exclude)).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    json::parse_value(text.as_bytes(), &crate::limits::Limits::default()).unwrap()
}

fn text(encoded: &[u8]) -> String {
    let mut out = Vec::new();
    json::write(Raw::trusted(encoded), &mut out);
    String::from_utf8(out).unwrap()
}

fn cut(include: &[&str], exclude: &[&str], document: &str) -> String {
    text(&rule(include, exclude).unwrap().cut(Raw::trusted(&bytes(document))))
}

fn restored(
    include: &[&str],
    exclude: &[&str],
    before: &str,
    shown: &str,
) -> Result<String, Error> {
    let rule = rule(include, exclude).unwrap();
    let restored = rule.restore(Raw::trusted(&bytes(before)), Raw::trusted(&bytes(shown)));
    restored.map(|encoded| text(&encoded))
}

#[test]
fn lists_that_hide_nothing_are_no_rule() {
    for (include, exclude) in [
        (vec![], vec![]),
        (vec!["*"], vec![]),
        (vec!["a", "*"], vec![]),
        (vec![], vec!["_id", "_id.x"]),
    ] {
        assert_eq!(rule(&include, &exclude), None, "{include:?} {exclude:?}");
    }
    assert!(rule(&["a"], &[]).is_some());
    assert!(rule(&[], &["_id*"]).is_some(), "`_idle` is another field");
}

#[test]
fn malformed_patterns_are_refused_by_name() {
    let long = "x".repeat(257);
    for pattern in ["", ".", "a.", ".a", "a..b", "$a", "a.$b", &long] {
        for (include, exclude) in
            [(vec![pattern.to_owned()], vec![]), (vec![], vec![pattern.to_owned()])]
        {
            let error = FieldRule::parse(&include, &exclude).unwrap_err();
            assert_eq!(error.code(), "invalid_field_pattern", "{pattern}");
            assert!(error.detail("pattern").is_some());
        }
    }
    let many: Vec<_> = (0..257).map(|at| format!("f{at}")).collect();
    assert_eq!(FieldRule::parse(&many, &[]).unwrap_err().code(), "invalid_field_pattern");
    assert!(FieldRule::parse(&many[..256], &many[..256]).is_ok());
}

#[test]
fn excluded_fields_go_and_what_was_around_them_stays() {
    assert_eq!(
        cut(&[], &["b"], r#"{"_id":1,"a":2,"b":{"c":3},"bb":4}"#),
        r#"{"_id":1,"a":2,"bb":4}"#
    );
    assert_eq!(cut(&[], &["a.b"], r#"{"a":{"b":1}}"#), r#"{"a":{}}"#);
    assert_eq!(
        cut(&[], &["a.b"], r#"{"a":[1,{"b":1,"c":2},{"b":1},[{"b":3}],[]]}"#),
        r#"{"a":[1,{"c":2},{},[{}],[]]}"#
    );
    assert_eq!(cut(&[], &["*"], r#"{"_id":{"a":1},"a":{"_id":2}}"#), r#"{"_id":{"a":1}}"#);
    assert_eq!(
        cut(&[], &["*.secret"], r#"{"secret":1,"a":{"b":[{"secret":1}]}}"#),
        r#"{"secret":1,"a":{"b":[{}]}}"#
    );
    assert_eq!(
        cut(&[], &["a*z"], r#"{"az":1,"a":{"z":1,"y":2},"abzc":3}"#),
        r#"{"a":{"y":2},"abzc":3}"#
    );
}

#[test]
fn included_fields_stay_with_what_leads_to_them() {
    assert_eq!(
        cut(&["a.b"], &[], r#"{"_id":1,"a":{"b":{"x":1},"c":2},"d":3}"#),
        r#"{"_id":1,"a":{"b":{"x":1}}}"#
    );
    assert_eq!(
        cut(&["a.b"], &[], r#"{"a":[1,{"b":1,"c":2},{"c":1},[{"b":3},4],[]]}"#),
        r#"{"a":[{"b":1},[{"b":3}]]}"#
    );
    for nothing in [r#"{"a":1}"#, r#"{"a":{}}"#, r#"{"a":[]}"#, r#"{"a":[{"c":1}]}"#] {
        assert_eq!(cut(&["a.b"], &[], nothing), "{}", "{nothing}");
    }
    assert_eq!(cut(&["a"], &["a.b"], r#"{"a":{"b":1}}"#), r#"{"a":{}}"#, "`a` is itself shown");
    assert_eq!(
        cut(&["*.name"], &[], r#"{"name":1,"a":{"name":2,"x":{"name":{"y":1}}}}"#),
        r#"{"a":{"name":2,"x":{"name":{"y":1}}}}"#
    );
    assert_eq!(cut(&["n*"], &["name"], r#"{"n":1,"name":2,"na.me":3}"#), r#"{"n":1,"na.me":3}"#);
}

#[test]
fn names_with_dots_and_names_that_are_numbers_are_what_their_text_says() {
    assert_eq!(
        cut(&[], &["a.b"], r#"{"a.b":1,"a.b.c":2,"a.bc":3,"a":{"b":4}}"#),
        r#"{"a.bc":3,"a":{}}"#
    );
    assert_eq!(cut(&["a"], &[], r#"{"a.b":1,"ab":2}"#), r#"{"a.b":1}"#);
    assert_eq!(cut(&[], &["a.0"], r#"{"a":{"0":1,"1":2}}"#), r#"{"a":{"1":2}}"#);
    assert_eq!(
        cut(&[], &["a.0"], r#"{"a":[1,2]}"#),
        r#"{"a":[1,2]}"#,
        "patterns have no positions"
    );
    assert_eq!(cut(&["x*", "*z"], &[], r#"{"":{"x":1,"z":2}}"#), r#"{"":{"z":2}}"#);
}

#[test]
fn the_first_hidden_path_is_the_deepest_that_says_it() {
    let first = |include: &[&str], exclude: &[&str], document: &str| {
        rule(include, exclude).unwrap().first_hidden(Raw::trusted(&bytes(document)))
    };
    assert_eq!(first(&[], &["a.b"], r#"{"_id":1,"a":[{"c":1},{"b":1}]}"#).as_deref(), Some("a.b"));
    assert_eq!(first(&["a.b"], &[], r#"{"a":{"b":1,"c":{"d":1}}}"#).as_deref(), Some("a.c"));
    assert_eq!(first(&["a.b"], &[], r#"{"a":{}}"#).as_deref(), Some("a"));
    assert_eq!(first(&["a.b"], &[], r#"{"a":{"b":1}}"#), None);
    assert_eq!(first(&[], &["*.b"], r#"{"a":{"b":1}}"#).as_deref(), Some("a.b"));
}

#[test]
fn whole_and_part_of_a_path() {
    let rule = rule(&["a", "b.c", "item*"], &["a.secret", "items.cost", "*.pin"]).unwrap();
    for (path, all, some) in [
        ("_id", true, true),
        ("_id.x", true, true),
        ("a", false, true),
        ("a.x", false, true),
        ("a.secret", false, false),
        ("a.secret.0", false, false),
        ("b", false, true),
        ("b.d", false, false),
        ("b.0.c", false, true),
        ("items.0.cost", false, false),
        ("items.0.name", false, true),
        ("items.0.0.cost.amount", false, false),
        ("z", false, false),
    ] {
        assert_eq!(rule.shows_all_of(path), all, "all of {path}");
        assert_eq!(rule.shows_some_of(path), some, "some of {path}");
    }
    let rule = self::rule(&[], &["a.secret", "b*.x"]).unwrap();
    for (path, all) in [
        ("a", false),
        ("a.x", true),
        ("a.secre", true),
        ("a.secrets", true),
        ("a.0.x", false),
        ("c", true),
        ("c.0.x", true),
        ("b", false),
        ("ba", false),
        ("a.b", true),
    ] {
        assert_eq!(rule.shows_all_of(path), all, "all of {path}");
    }
    assert!(!rule.shows_some_of("c.0.1.2.3.4.5.6.7.8"), "too many ways to read it");
}

#[test]
fn hidden_fields_come_back() {
    let restored =
        |before: &str, shown: &str| restored(&[], &["s", "a.s", "l.s"], before, shown).unwrap();
    assert_eq!(restored(r#"{"_id":1,"s":1,"b":2}"#, r#"{"b":3,"c":4}"#), r#"{"s":1,"b":3,"c":4}"#);
    assert_eq!(restored(r#"{"a":{"x":1,"s":2},"b":1}"#, r#"{"b":1}"#), r#"{"a":{"s":2},"b":1}"#);
    assert_eq!(restored(r#"{"a":{"x":1},"b":1}"#, r#"{"b":1}"#), r#"{"b":1}"#);
    assert_eq!(restored(r#"{"a":{"x":1}}"#, r#"{"a":7}"#), r#"{"a":7}"#);
    assert_eq!(
        restored(r#"{"l":[{"x":1,"s":2}],"b":1}"#, r#"{"l":[{"x":1}]}"#),
        r#"{"l":[{"x":1,"s":2}]}"#
    );
    assert_eq!(restored(r#"{"l":[{"x":1}]}"#, r#"{"l":[{"x":2},3]}"#), r#"{"l":[{"x":2},3]}"#);
    assert_eq!(
        restored(r#"{"l":{"x":{"y":1},"s":2}}"#, r#"{"l":{"x":3,"n":4}}"#),
        r#"{"l":{"x":3,"s":2,"n":4}}"#
    );
}

#[test]
fn what_cannot_be_put_back_is_refused_with_its_path() {
    let code = |include: &[&str], exclude: &[&str], before: &str, shown: &str| {
        let error = restored(include, exclude, before, shown).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Forbidden);
        let path = match error.detail("path") {
            Some(crate::error::Detail::Text(path)) => path.clone(),
            _ => String::new(),
        };
        assert!(error.message().contains(&path), "{error}");
        format!("{} {path}", error.code())
    };
    let before = r#"{"a":{"l":[{"x":1,"s":2},{"x":2}]}}"#;
    let hidden = &["a.l.s", "b.s"];
    for shown in [
        r#"{"a":{"l":[{"x":2},{"x":1}]}}"#,
        r#"{"a":{"l":[{"x":1}]}}"#,
        r#"{"a":{"l":{"x":1}}}"#,
        r#"{"a":{}}"#,
        "{}",
    ] {
        assert_eq!(code(&[], hidden, before, shown), "hidden_fields_in_array a.l", "{shown}");
    }
    assert_eq!(code(&[], hidden, r#"{"b":{"s":1}}"#, r#"{"b":5}"#), "hidden_fields_under_value b");
    assert_eq!(code(&[], hidden, r#"{"b":{"s":1}}"#, r#"{"b":[]}"#), "hidden_fields_under_value b");
    assert_eq!(
        code(&["a.b"], &[], r#"{"a":1}"#, r#"{"a":{"b":1}}"#),
        "hidden_fields_under_value a"
    );
    assert_eq!(
        code(&["a.b"], &[], r#"{"a":[1]}"#, r#"{"a":[{"b":1}]}"#),
        "hidden_fields_in_array a"
    );
    assert_eq!(
        restored(&["a.b"], &[], r#"{"a":[]}"#, r#"{"a":[{"b":1}]}"#).unwrap(),
        r#"{"a":[{"b":1}]}"#
    );
    assert_eq!(restored(&["a.b"], &[], r#"{"a":[1]}"#, "{}").unwrap(), r#"{"a":[1]}"#);
}

/// The model: the lists as they are, and every path as a text.
#[derive(Debug)]
struct Model {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Model {
    fn glob(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), next) => {
                Self::glob(rest, path) || next.is_some_and(|(_, path)| Self::glob(pattern, path))
            }
            (Some((a, pattern)), Some((b, path))) => a == b && Self::glob(pattern, path),
            _ => false,
        }
    }

    fn names(list: &[String], path: &str) -> bool {
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().any(|end| {
            list.iter().any(|pattern| Self::glob(pattern.as_bytes(), &path.as_bytes()[..end]))
        })
    }

    fn is_id(path: &str) -> bool {
        path == "_id"
    }

    fn includes(&self, path: &str) -> bool {
        self.include.is_empty()
            || self.include.iter().any(|pattern| pattern == "*")
            || Self::names(&self.include, path)
    }

    fn excludes(&self, path: &str) -> bool {
        Self::names(&self.exclude, path)
    }

    fn object(&self, object: &Object, prefix: Option<&str>) -> Object {
        let mut left = Object::new();
        for (name, value) in object {
            let path = prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
            if prefix.is_none() && Self::is_id(name) {
                left.insert(name, value.clone());
            } else if !self.excludes(&path)
                && let Some(value) = self.value(value, &path)
            {
                left.insert(name, value);
            }
        }
        left
    }

    fn value(&self, value: &Value, path: &str) -> Option<Value> {
        let included = self.includes(path);
        let (left, empty) = match value {
            Value::Object(object) => {
                let left = self.object(object, Some(path));
                let empty = left.is_empty();
                (Value::Object(left), empty)
            }
            Value::Array(elements) => {
                let left: Vec<_> =
                    elements.iter().filter_map(|one| self.value(one, path)).collect();
                let empty = left.is_empty();
                (Value::Array(left), empty)
            }
            scalar => (scalar.clone(), true),
        };
        (included || !empty).then_some(left)
    }
}

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["a", "b", "ab", "c", "0", "1", "a.b", "_id", "", "b."])
        .prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Object> {
    let scalar =
        prop_oneof![(0..3_i32).prop_map(Value::Int32), Just(Value::Null), Just(Value::from("x"))];
    let value = scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec((name(), inner.clone()), 0..4)
                .prop_map(|list| Value::Object(object(list))),
            proptest::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    });
    proptest::collection::vec((name(), value), 0..5).prop_map(object)
}

fn object(members: Vec<(String, Value)>) -> Object {
    let mut object = Object::new();
    for (name, value) in members {
        object.insert(name.as_str(), value);
    }
    object
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let part = proptest::sample::select(vec![
        "a", "b", "ab", "c", "0", "*", "a*", "*b", "a*b", "_id", "**",
    ]);
    let pattern = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("."));
    proptest::collection::vec(pattern, 0..4)
}

/// Paths of a document with positions.
fn paths(value: &Value, at: &str, all: &mut Vec<String>) {
    let join = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            all.push(join(name));
            paths(value, &join(name), all);
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(place, value)| {
            all.push(join(&place.to_string()));
            paths(value, &join(&place.to_string()), all);
        }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn cut_is_what_the_model_leaves(document in document(), include in patterns(), exclude in patterns()) {
        let model = Model { include, exclude };
        let expected = model.object(&document, None);
        let Some(rule) = FieldRule::parse(&model.include, &model.exclude).unwrap() else {
            prop_assert_eq!(expected, document);
            return Ok(());
        };
        let encoded = document.to_bytes();
        let cut = rule.cut(Raw::trusted(&encoded));
        prop_assert_eq!(Raw::trusted(&cut).to_value(), Value::Object(expected.clone()));
        prop_assert_eq!(&cut, &expected.to_bytes(), "canonical");
        prop_assert_eq!(&rule.cut(Raw::trusted(&cut)), &cut, "once is enough");
        prop_assert_eq!(rule.first_hidden(Raw::trusted(&encoded)).is_none(), cut == encoded);
        prop_assert_eq!(rule.first_hidden(Raw::trusted(&cut)), None);
    }

    #[test]
    fn restoring_what_was_cut_gives_what_was_there(document in document(), include in patterns(), exclude in patterns()) {
        let Some(rule) = FieldRule::parse(&include, &exclude).unwrap() else { return Ok(()) };
        let before = document.to_bytes();
        let cut = rule.cut(Raw::trusted(&before));
        let restored = rule.restore(Raw::trusted(&before), Raw::trusted(&cut)).unwrap();
        prop_assert_eq!(restored, before);
    }

    #[test]
    fn a_change_changes_nothing_hidden(
        before in document(), change in document(), include in patterns(), exclude in patterns(),
    ) {
        let Some(rule) = FieldRule::parse(&include, &exclude).unwrap() else { return Ok(()) };
        let before = before.to_bytes();
        let shown = rule.cut(Raw::trusted(&change.to_bytes()));
        let Ok(restored) = rule.restore(Raw::trusted(&before), Raw::trusted(&shown)) else { return Ok(()) };
        crate::value::check::validate(&restored).unwrap();
        // Every hidden value without an array around it is where it was.
        let Value::Object(old) = Raw::trusted(&before).to_value() else { unreachable!() };
        let model = Model { include, exclude };
        let new = Raw::trusted(&restored).to_value();
        hidden_stays(&model, &Value::Object(old), &new, None)?;
        // And what was given is shown.
        let Value::Object(given) = Raw::trusted(&shown).to_value() else { unreachable!() };
        let seen = rule.cut(Raw::trusted(&restored));
        for (name, value) in &given {
            if value.as_object().is_none() {
                prop_assert_eq!(Raw::trusted(&seen).get(name).map(|raw| raw.to_value()), Some(value.clone()));
            }
        }
    }

    #[test]
    fn paths_are_shown_as_the_documents_are(document in document(), include in patterns(), exclude in patterns()) {
        let Some(rule) = FieldRule::parse(&include, &exclude).unwrap() else { return Ok(()) };
        let encoded = document.to_bytes();
        let cut = rule.cut(Raw::trusted(&encoded));
        let model = Model { include, exclude };
        let (mut all, mut left) = (Vec::new(), Vec::new());
        paths(&Value::Object(document), "", &mut all);
        paths(&Raw::trusted(&cut).to_value(), "", &mut left);
        for path in &all {
            if rule.shows_all_of(path) {
                let at = |bytes: &[u8]| get_path(Raw::trusted(bytes), path).map(|raw| raw.as_bytes().to_vec());
                prop_assert_eq!(at(&encoded), at(&cut), "{}", path);
            }
            let plain = path.split('.').enumerate();
            let plain: Vec<_> = plain.filter(|(at, part)| *at == 0 || part.parse::<u8>().is_err()).map(|(_, part)| part).collect();
            if model.excludes(&plain.join(".")) && !(path == "_id" || path.starts_with("_id.")) {
                prop_assert!(!rule.shows_some_of(path), "{}", path);
            }
        }
        if model.exclude.is_empty() {
            for path in &left {
                prop_assert!(rule.shows_some_of(path), "{}", path);
            }
        }
    }
}

fn hidden_stays(
    model: &Model,
    old: &Value,
    new: &Value,
    at: Option<&str>,
) -> Result<(), TestCaseError> {
    let Value::Object(old) = old else { return Ok(()) };
    for (name, value) in old {
        if at.is_none() && name == "_id" {
            continue;
        }
        let path = at.map_or_else(|| name.to_owned(), |at| format!("{at}.{name}"));
        let there = new.as_object().and_then(|new| new.get(name));
        let hidden = model.excludes(&path) || model.value(value, &path).is_none();
        if hidden && value.as_object().is_none() && !is_nothing(value) {
            prop_assert_eq!(there, Some(value), "{}", path);
        } else {
            hidden_stays(model, value, there.unwrap_or(&Value::Null), Some(&path))?;
        }
    }
    Ok(())
}

/// Whether there is no more in a value than empty arrays and objects, which may go with what takes their place.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(_, value)| is_nothing(value)),
        Value::Array(list) => list.iter().all(is_nothing),
        _ => false,
    }
}
