//! What may be written: conditions before and after, transitions, fields.

use headwater_engine::value::Raw;
use headwater_engine::write::Touch::{self, Create, Delete, Update};
use headwater_engine::{Detail, ErrorKind};

use super::super::{Facts, Grant};
use super::{encoded, grant, user};

/// The code of the refusal of a write, and the path that it names.
fn refused(grant: &Grant, touch: Touch, before: &str, after: &str) -> Option<(String, String)> {
    let body = |text: &str| (!text.is_empty()).then(|| encoded(text));
    let (before, after) = (body(before), body(after));
    let (before, after) = (before.as_deref().map(Raw::trusted), after.as_deref().map(Raw::trusted));
    let checked = grant.check_write("orders", touch, before, after);
    let checked = checked.and_then(|()| match after {
        Some(after) => grant.check_written("orders", before, after),
        None => Ok(()),
    });
    let error = checked.err()?;
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(!error.message().contains("secret"));
    let path = match error.detail("path") {
        Some(Detail::Text(path)) => path.clone(),
        _ => String::new(),
    };
    Some((error.code().to_owned(), path))
}

fn allows(grant: &Grant, touch: Touch, before: &str, after: &str) -> bool {
    refused(grant, touch, before, after).is_none()
}

#[test]
fn a_condition_holds_before_and_after() {
    let source = r#"{"collections":{"orders":["*"]},"write_filter":{"o":"%%user.id"}}"#;
    let compiled = grant(source, &[], &user(r#""u1""#, "{}"));
    let (mine, other) = (r#"{"o":"u1","n":"secret"}"#, r#"{"o":"u2","n":"secret"}"#);
    let rows = [
        (Create, "", mine, true),
        (Create, "", other, false),
        (Update, mine, mine, true),
        (Update, other, mine, false),
        (Update, mine, other, false),
        (Delete, mine, "", true),
        (Delete, other, "", false),
    ];
    for (touch, before, after, wanted) in rows {
        assert_eq!(allows(&compiled, touch, before, after), wanted, "{touch:?} {before} {after}");
    }
    assert_eq!(refused(&compiled, Create, "", other).unwrap().0, "document_forbidden");
    assert!(compiled.is_guarded("orders"));
    let choosable = compiled.choosable("orders", Update).unwrap();
    assert!(choosable.matches(Raw::trusted(&encoded(mine))).unwrap());
    assert!(!choosable.matches(Raw::trusted(&encoded(other))).unwrap());
    // Nobody is logged in.
    let compiled = grant(source, &[], &Facts::default());
    for (touch, before, after, _) in rows {
        assert!(!allows(&compiled, touch, before, after), "{touch:?}");
    }
    let choosable = compiled.choosable("orders", Update).unwrap();
    assert!(!choosable.matches(Raw::trusted(&encoded("{}"))).unwrap());
    assert!(Grant::full().check_write("orders", Create, None, None).is_ok());
}

#[test]
fn what_may_be_chosen_is_what_may_be_read_too() {
    let source = r#"{"collections":{"orders":["*"],"blind":["update"]},"read_filter":{"r":1}}"#;
    let compiled = grant(source, &[], &Facts::default());
    let matches = |collection: &str, document: &str| {
        let filter = compiled.choosable(collection, Update);
        filter.is_none_or(|filter| filter.matches(Raw::trusted(&encoded(document))).unwrap())
    };
    assert!(matches("orders", r#"{"r":1}"#) && !matches("orders", "{}"));
    assert!(matches("blind", "{}"));
    assert!(!matches("none", "{}"));
}

#[test]
fn transitions_see_both_documents() {
    let rows = [
        // Nobody gives a document away.
        (r#"{"o":"%%prevRoot.o"}"#, Update, r#"{"o":1}"#, r#"{"o":1,"x":1}"#, true),
        (r#"{"o":"%%prevRoot.o"}"#, Update, r#"{"o":1}"#, r#"{"o":2}"#, false),
        (r#"{"$expr":{"$eq":["$o","%%prevRoot.o"]}}"#, Update, r#"{"o":1}"#, r#"{"o":2}"#, false),
        (r#"{"$expr":{"$eq":["$o","%%prevRoot.o"]}}"#, Update, r#"{"o":1}"#, r#"{"o":1}"#, true),
        // A state that is left is looked at before only.
        (r#"{"%%prevRoot.s":"draft"}"#, Update, r#"{"s":"draft"}"#, r#"{"s":"done"}"#, true),
        (r#"{"%%prevRoot.s":"draft"}"#, Update, r#"{"s":"done"}"#, r#"{"s":"draft"}"#, false),
        (
            r#"{"%%prevRoot.s":"draft","s":"done"}"#,
            Update,
            r#"{"s":"draft"}"#,
            r#"{"s":"x"}"#,
            false,
        ),
        (r#"{"n":{"$gt":"%%prevRoot.n"}}"#, Update, r#"{"n":1}"#, r#"{"n":2}"#, true),
        (r#"{"n":{"$gt":"%%prevRoot.n"}}"#, Update, r#"{"n":2}"#, r#"{"n":2}"#, false),
        (r#"{"%%prevRoot.n":{"$lt":"%%root.n"}}"#, Update, r#"{"n":1}"#, r#"{"n":2}"#, true),
        (r#"{"%%prevRoot":{"$exists":false}}"#, Create, "", "{}", true),
        (r#"{"%%prevRoot":{"%exists":false}}"#, Update, "{}", "{}", false),
        (r#"{"%%prevRoot":{"$exists":true}}"#, Create, "", "{}", false),
        (r#"{"%%prevRoot.o":{"$exists":false}}"#, Create, "", "{}", true),
        (
            r#"{"$or":[{"%%prevRoot":{"$exists":false}},{"%%prevRoot.o":1}]}"#,
            Create,
            "",
            "{}",
            true,
        ),
        (
            r#"{"$or":[{"%%prevRoot":{"$exists":false}},{"%%prevRoot.o":1}]}"#,
            Update,
            r#"{"o":2}"#,
            "{}",
            false,
        ),
        (r#"{"$nor":[{"%%prevRoot.locked":true}]}"#, Update, r#"{"locked":true}"#, "{}", false),
        (r#"{"$nor":[{"%%prevRoot.locked":true}]}"#, Update, "{}", r#"{"locked":true}"#, true),
        // Of a deletion, the document is the one before.
        (r#"{"%%prevRoot.o":1,"o":1}"#, Delete, r#"{"o":1}"#, "", true),
        (r#"{"%%prevRoot.o":1,"o":2}"#, Delete, r#"{"o":1}"#, "", false),
        // What fails does not hold, not even negated.
        (
            r#"{"$nor":[{"$expr":{"$gt":[{"$strLenCP":"%%prevRoot.o"},1]}}]}"#,
            Update,
            r#"{"o":1}"#,
            "{}",
            false,
        ),
        // A missing fact.
        (r#"{"%%prevRoot.o":{"$ne":"%%user.id"}}"#, Update, "{}", "{}", false),
        (r#"{"$nor":[{"%%prevRoot.o":"%%user.id"}]}"#, Update, "{}", "{}", false),
    ];
    for (rule, touch, before, after, wanted) in rows {
        let source = format!(r#"{{"collections":{{"orders":["*"]}},"write_filter":{rule}}}"#);
        let compiled = grant(&source, &[], &Facts::default());
        let found = allows(&compiled, touch, before, after);
        assert_eq!(found, wanted, "{rule} {touch:?} {before} {after}");
        assert_eq!(
            compiled.choosable("orders", Touch::Create).is_some(),
            !compiled.allows("orders", crate::auth::Action::Create)
        );
    }
}

#[test]
fn each_write_of_a_role_has_its_condition() {
    let role = r#"{"collections":{"orders":{"create":{"s":"new"},"update":{"s":{"$ne":"done"}},
        "delete":false}}}"#;
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &Facts::default());
    let rows = [
        (Create, "", r#"{"s":"new"}"#, true),
        (Create, "", r#"{"s":"x"}"#, false),
        (Update, r#"{"s":"x"}"#, r#"{"s":"y"}"#, true),
        (Update, r#"{"s":"x"}"#, r#"{"s":"done"}"#, false),
        (Update, r#"{"s":"done"}"#, r#"{"s":"x"}"#, false),
        (Delete, r#"{"s":"x"}"#, "", false),
    ];
    for (touch, before, after, wanted) in rows {
        assert_eq!(allows(&compiled, touch, before, after), wanted, "{touch:?} {before} {after}");
    }
}

#[test]
fn fields_that_are_shown_but_not_to_be_written_stay() {
    let source = |write: &str| {
        format!(r#"{{"collections":{{"orders":["*"]}},"fields":{{"write":{write}}}}}"#)
    };
    // The rule for writing, before, after, and the path that is refused.
    let rows = [
        (r#"{"exclude":["p"]}"#, "", r#"{"_id":1,"a":1}"#, None),
        (r#"{"exclude":["p"]}"#, "", r#"{"_id":1,"p":1}"#, Some("p")),
        (r#"{"exclude":["p"]}"#, r#"{"_id":1,"p":1}"#, r#"{"_id":1,"a":2,"p":1}"#, None),
        (r#"{"exclude":["p"]}"#, r#"{"_id":1,"p":1,"a":1}"#, r#"{"_id":1,"a":2,"p":1}"#, None),
        (r#"{"exclude":["p"]}"#, r#"{"_id":1,"p":1}"#, r#"{"_id":1,"p":2}"#, Some("p")),
        (r#"{"exclude":["p"]}"#, r#"{"_id":1,"p":1}"#, r#"{"_id":1}"#, Some("p")),
        (r#"{"exclude":["p"]}"#, r#"{"_id":1}"#, r#"{"_id":1,"p":null}"#, Some("p")),
        (r#"{"exclude":["d.p"]}"#, r#"{"d":{"p":1,"q":1}}"#, r#"{"d":{"p":1,"q":2}}"#, None),
        (r#"{"exclude":["d.p"]}"#, r#"{"d":{"p":1,"q":1}}"#, r#"{"d":{"p":2,"q":1}}"#, Some("d.p")),
        (r#"{"exclude":["d.p"]}"#, r#"{"d":{"p":1}}"#, r#"{"d":5}"#, Some("d.p")),
        (r#"{"exclude":["d.p"]}"#, r#"{"d":{"q":1}}"#, r#"{"d":5}"#, None),
        (r#"{"exclude":["d.p"]}"#, r#"{"d":{"p":1}}"#, "{}", Some("d.p")),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1,"q":1}]}"#, r#"{"i":[{"p":1,"q":2}]}"#, None),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1}]}"#, r#"{"i":[{"p":2}]}"#, Some("i.p")),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1}]}"#, r#"{"i":[{"p":1},{"q":1}]}"#, None),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1}]}"#, r#"{"i":[{"p":1},{"p":1}]}"#, Some("i.p")),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1},{"p":2}]}"#, r#"{"i":[{"p":2}]}"#, Some("i.p")),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[{"p":1}]}"#, r#"{"i":[]}"#, Some("i.p")),
        (r#"{"exclude":["i.p"]}"#, r#"{"i":[[{"p":1}]]}"#, r#"{"i":[[{"p":2}]]}"#, Some("i.p")),
        (r#"{"include":["a"]}"#, r#"{"_id":1,"a":1,"b":1}"#, r#"{"_id":1,"a":2,"b":1}"#, None),
        (r#"{"include":["a"]}"#, r#"{"_id":1,"a":1}"#, r#"{"_id":1,"a":1,"b":1}"#, Some("b")),
        (r#"{"include":["a"]}"#, "", r#"{"_id":1,"b":1}"#, Some("b")),
        (r#"{"include":["a.b"]}"#, r#"{"a":1}"#, r#"{"a":2}"#, Some("a")),
        (r#"{"include":["a.b"]}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, None),
        (r#"{"include":["a.b"]}"#, r#"{"a":{"b":1}}"#, r#"{"a":7}"#, Some("a")),
    ];
    for (write, before, after, wanted) in rows {
        let compiled = grant(&source(write), &[], &Facts::default());
        let touch = if before.is_empty() { Create } else { Update };
        let found = refused(&compiled, touch, before, after);
        let wanted = wanted.map(|path| ("field_forbidden".to_owned(), path.to_owned()));
        assert_eq!(found, wanted, "{write} {before} {after}");
        assert!(compiled.is_guarded("orders"));
        assert!(allows(&compiled, Delete, r#"{"p":1}"#, ""));
    }
}
