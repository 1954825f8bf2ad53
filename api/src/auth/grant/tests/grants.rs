//! What grants and roles allow, and what is seen.

use headwater_engine::restrict::Subject;
use headwater_engine::value::Raw;
use headwater_engine::write::Touch;

use super::super::{Acl, Facts, Grant};
use super::{encoded, grant, request, user};
use crate::auth::action::Action;
use crate::auth::action::Action::{
    Admin, Bulk, Create, Delete, Publish, Read, Search, Settings, Subscribe, Update,
};

fn nobody() -> Facts {
    Facts::default()
}

/// What is seen of a document.
fn seen(grant: &Grant, collection: &str, action: Action, document: &str) -> Option<String> {
    let document = encoded(document);
    let raw = Raw::trusted(&document);
    let restriction = grant.restriction(collection, action);
    let view = match &restriction {
        Some(restriction) => restriction.view(Subject { body: raw, made_by: "" })?,
        None => raw.as_bytes().into(),
    };
    Some(format!("{:?}", Raw::trusted(&view)))
}

fn is_seen(grant: &Grant, action: Action, document: &str) -> bool {
    seen(grant, "orders", action, document).is_some()
}

#[test]
fn an_own_entry_replaces_the_star() {
    let grant =
        grant(r#"{"collections":{"orders":["create"],"*":["read","subscribe"]}}"#, &[], &nobody());
    assert!(grant.allows("orders", Create) && !grant.allows("orders", Read));
    assert!(grant.allows("people", Read) && !grant.allows("people", Create));
    assert!(grant.allows_outside(Subscribe) && !grant.allows_outside(Publish));
    assert!(grant.allows_somewhere(Create) && !grant.allows_somewhere(Delete));
    assert!(!grant.is_full() && !grant.is_guarded("orders") && !grant.needs_request());
    assert!(grant.restriction("people", Read).is_none());
    assert!(!is_seen(&grant, Read, "{}"), "what is not allowed shows nothing");
}

#[test]
fn what_a_missing_list_of_collections_means() {
    for nothing in ["{}", r#"{"read_filter":{}}"#, r#"{"networks":["0.0.0.0/0"]}"#] {
        assert!(!grant(nothing, &[], &nobody()).allows_somewhere(Read), "{nothing}");
    }
    for all in [
        r#"{"paths":["/**"]}"#,
        r#"{"methods":["GET"]}"#,
        r#"{"acls":["get"]}"#,
        r#"{"type":"admin"}"#,
    ] {
        let grant = grant(all, &[], &nobody());
        assert!(grant.allows("x", Read) && grant.allows("x", Delete), "{all}");
        assert!(!grant.allows("x", Admin) && !grant.is_full(), "{all}");
    }
    let grant = grant(r#"{"admin":true,"acls":["get"]}"#, &[], &nobody());
    assert!(grant.is_full() && grant.allows("x", Admin) && grant.opens(Acl::Get));
    assert!(!grant.opens(Acl::Bulk) && Grant::full().opens(Acl::Bulk));
    assert!(Grant::full().restriction("x", Read).is_none());
}

#[test]
fn types_narrow_what_collections_allow() {
    let read = grant(r#"{"type":"read","collections":{"orders":["*"]}}"#, &[], &nobody());
    for allowed in [Read, Search, Subscribe] {
        assert!(read.allows("orders", allowed) && !read.allows("x", allowed));
    }
    let write = grant(r#"{"type":"write"}"#, &[], &nobody());
    for allowed in [Create, Update, Delete, Bulk, Settings, Publish] {
        assert!(write.allows("x", allowed) && !read.allows("orders", allowed));
    }
    assert!(!write.allows("x", Read));
}

#[test]
fn roles_say_who_may_do_what() {
    let role = r#"{"collections":{
        "orders":{"read":{"o":"%%user.id"},"create":true,"subscribe":false,"publish":true},
        "*":{"read":true}}}"#;
    let facts = user(r#""u1""#, "{}");
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &facts);
    for (action, wanted) in [
        (Read, true),
        (Search, true),
        (Subscribe, false),
        (Create, true),
        (Bulk, true),
        (Update, false),
        (Delete, false),
        (Settings, false),
        (Publish, true),
        (Admin, false),
    ] {
        assert_eq!(compiled.allows("orders", action), wanted, "{action:?}");
    }
    assert!(compiled.allows("x", Subscribe) && !compiled.allows("x", Create));
    assert!(
        is_seen(&compiled, Read, r#"{"o":"u1"}"#) && !is_seen(&compiled, Read, r#"{"o":"u2"}"#)
    );
    assert!(!is_seen(&compiled, Search, r#"{"o":"u2"}"#));
    // Nobody is logged in: the rule can hold for nothing.
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &nobody());
    assert!(!compiled.allows("orders", Read) && compiled.allows("orders", Create));
    assert!(!is_seen(&compiled, Read, r#"{"o":"u1"}"#));
    // No role is there.
    assert!(!grant(r#"{"roles":["r"]}"#, &[], &facts).allows_somewhere(Read));
}

#[test]
fn the_first_role_that_matches_wins() {
    let admin = r#"{"admin":true,"apply_when":{"%%user.data.admin":true}}"#;
    let orders = r#"{"collections":{"orders":{"read":{"open":true}}}}"#;
    let rest = r#"{"collections":{"*":{"read":true,"delete":true}}}"#;
    let roles = [admin, orders, rest];
    let source = r#"{"roles":["a","b","c"]}"#;
    let compiled = grant(source, &roles, &user(r#""u""#, r#"{"admin":true}"#));
    assert!(compiled.is_full());
    let compiled = grant(source, &roles, &user(r#""u""#, r#"{"admin":"yes"}"#));
    assert!(!compiled.is_full());
    assert!(compiled.allows("orders", Read) && !compiled.allows("orders", Delete));
    assert!(!is_seen(&compiled, Read, "{}") && is_seen(&compiled, Read, r#"{"open":true}"#));
    assert!(compiled.allows("x", Delete));
    // An administrator after others has what they do not name.
    let facts = user(r#""u""#, r#"{"admin":true}"#);
    let compiled = grant(source, &[orders, admin], &facts);
    assert!(!compiled.is_full() && !compiled.allows("orders", Delete));
    assert!(compiled.allows("x", Delete) && !compiled.allows("x", Admin));
}

#[test]
fn a_grant_and_a_role_have_to_allow_both() {
    let role = r#"{"collections":{"*":{"read":{"b":1},"create":true,"fields":{"exclude":["y"]}}}}"#;
    let source = r#"{"roles":["r"],"collections":{"orders":["read","delete"]},
        "read_filter":{"a":1},"fields":{"exclude":["z"]}}"#;
    let compiled = grant(source, &[role], &nobody());
    assert!(compiled.allows("orders", Read));
    assert!(!compiled.allows("orders", Create) && !compiled.allows("orders", Delete));
    assert!(!compiled.allows("x", Read));
    assert!(!is_seen(&compiled, Read, r#"{"a":1}"#) && !is_seen(&compiled, Read, r#"{"b":1}"#));
    let all = seen(&compiled, "orders", Read, r#"{"_id":1,"a":1,"b":1,"y":2,"z":3}"#);
    assert_eq!(all.as_deref(), Some(r#"{"_id":1,"a":1,"b":1}"#));
    // An administrator's role adds nothing to what the grant lists.
    let compiled = grant(source, &[r#"{"admin":true}"#], &nobody());
    assert!(!compiled.is_full() && compiled.allows("orders", Delete));
    assert!(!compiled.allows("x", Read));
}

#[test]
fn searching_and_subscribing_may_be_narrower() {
    let role =
        r#"{"collections":{"orders":{"read":{"a":1},"search":{"s":1},"subscribe":{"t":1}}}}"#;
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &nobody());
    let rows = [
        (Read, r#"{"a":1}"#, true),
        (Search, r#"{"a":1}"#, false),
        (Search, r#"{"s":1}"#, false),
        (Search, r#"{"a":1,"s":1}"#, true),
        (Subscribe, r#"{"a":1,"s":1}"#, false),
        (Subscribe, r#"{"a":1,"t":1}"#, true),
    ];
    for (action, document, wanted) in rows {
        assert_eq!(is_seen(&compiled, action, document), wanted, "{action:?} {document}");
    }
}

#[test]
fn two_lists_of_fields_never_show_more_than_either() {
    let rows = [
        (r#"{"include":["a","b"]}"#, r#"{"include":["b","c"]}"#, r#"{"_id":1,"b":2}"#),
        (r#"{"include":["a"]}"#, r#"{"include":["c"]}"#, r#"{"_id":1}"#),
        (r#"{"include":["d"]}"#, r#"{"include":["d.e"]}"#, r#"{"_id":1,"d":{"e":4}}"#),
        (r#"{"include":["*"]}"#, r#"{"include":["a"]}"#, r#"{"_id":1,"a":1}"#),
        (r#"{"include":["a*"]}"#, r#"{"include":["ab"]}"#, r#"{"_id":1}"#),
        (r#"{"include":["a","b"]}"#, r#"{"exclude":["b"]}"#, r#"{"_id":1,"a":1}"#),
        (r#"{"exclude":["a","d.e"]}"#, r#"{"exclude":["b","c"]}"#, r#"{"_id":1,"d":{"f":5}}"#),
        (r#"{"include":["a","da"]}"#, r#"{"include":["d"]}"#, r#"{"_id":1}"#),
    ];
    for (of_grant, of_role, wanted) in rows {
        let source = format!(r#"{{"roles":["r"],"fields":{of_grant}}}"#);
        let role = format!(r#"{{"collections":{{"*":{{"read":true,"fields":{of_role}}}}}}}"#);
        let compiled = grant(&source, &[&role], &nobody());
        let document = r#"{"_id":1,"a":1,"b":2,"c":3,"d":{"e":4,"f":5}}"#;
        assert_eq!(
            seen(&compiled, "x", Read, document).as_deref(),
            Some(wanted),
            "{of_grant} {of_role}"
        );
        assert!(compiled.is_guarded("x"));
    }
}

#[test]
fn rules_that_look_at_the_request_are_compiled_for_each() {
    let source = r#"{"collections":{"*":["*"]},"read_filter":{"ip":"%%request.ip"}}"#;
    let compiled = grant(source, &[], &nobody());
    assert!(
        compiled.needs_request() && !compiled.allows("x", Read) && compiled.allows("x", Create)
    );
    let compiled = grant(source, &[], &request("10.0.0.1", "GET"));
    assert!(compiled.allows("x", Read) && is_seen(&compiled, Read, r#"{"ip":"10.0.0.1"}"#));
    for role in [
        r#"{"admin":true,"apply_when":{"%%request.method":"GET"}}"#,
        r#"{"collections":{"*":{"delete":{"%%request.ip":"1.1.1.1"}}}}"#,
    ] {
        assert!(grant(r#"{"roles":["r"]}"#, &[role], &nobody()).needs_request(), "{role}");
    }
}

#[test]
fn channels_have_rules_of_their_own() {
    let source = r#"{"collections":{"*":["subscribe"]},
        "channels":{"room-*":["publish","subscribe"],"room-9":["publish"],"quiet":[]}}"#;
    let compiled = grant(source, &[], &nobody());
    let rows = [
        (Some("room-1"), Publish, true),
        (Some("room-1"), Subscribe, true),
        (Some("room-9"), Subscribe, true),
        (Some("room"), Publish, false),
        (Some("xroom-1"), Publish, false),
        (Some("quiet"), Subscribe, false),
        (Some("other"), Subscribe, true),
        (None, Subscribe, true),
        (None, Publish, false),
    ];
    for (channel, action, wanted) in rows {
        assert_eq!(compiled.allows_channel(channel, action), wanted, "{channel:?} {action:?}");
    }
    assert!(compiled.allows_somewhere(Publish) && !compiled.allows_outside(Publish));
    let alone = grant(r#"{"channels":{"a":["publish"]}}"#, &[], &nobody());
    assert!(alone.allows_channel(Some("a"), Publish) && !alone.allows_channel(Some("b"), Publish));
    // Conditions on documents say nothing of custom events.
    let role = r#"{"collections":{"*":{"read":{"o":1},"publish":{"%%user.data.chat":true}}}}"#;
    let chatting = user(r#""u""#, r#"{"chat":true}"#);
    for (facts, wanted) in [(nobody(), false), (chatting, true)] {
        let compiled = grant(r#"{"roles":["r"]}"#, &[role], &facts);
        assert!(!compiled.allows_outside(Subscribe) && compiled.allows("x", Subscribe));
        assert_eq!(compiled.allows_outside(Publish), wanted);
    }
}

#[test]
fn a_private_role_is_about_what_the_caller_made() {
    let role = r#"{"collections":{"orders":{"read":true,"update":true,"delete":true,"create":true,"private":true},
        "notes":{"update":true,"private":true},"open":{"read":true,"private":false},"*":{"read":true}}}"#;
    let facts = Facts { actor: Some("me".into()), ..nobody() };
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &facts);
    let body = encoded("{}");
    let of = |made_by| Subject { body: Raw::trusted(&body), made_by };
    for action in [Read, Action::Search, Action::Subscribe] {
        let seen = compiled.restriction("orders", action).unwrap();
        assert!(seen.admits(of("me")) && !seen.admits(of("you")) && !seen.admits(of("")));
    }
    for collection in ["orders", "notes"] {
        assert!(compiled.is_guarded(collection));
        assert_eq!(compiled.maker(collection).as_deref(), Some("me"));
        assert!(compiled.check_touch(collection, Touch::Update, of("me")).is_ok());
        assert!(compiled.check_touch(collection, Touch::Update, of("you")).is_err());
    }
    assert!(compiled.restriction("open", Read).is_none() && compiled.maker("open").is_none());
    assert!(!compiled.is_guarded("else"));
    // Nobody in particular made nothing.
    let compiled = grant(r#"{"roles":["r"]}"#, &[role], &nobody());
    assert!(!compiled.restriction("orders", Read).unwrap().admits(of("")));
    assert!(!compiled.restriction("orders", Read).unwrap().admits(of("me")));
    // Custom events have no maker.
    let all = r#"{"collections":{"*":{"read":true,"private":true}}}"#;
    assert!(!grant(r#"{"roles":["r"]}"#, &[all], &facts).allows_channel(None, Action::Subscribe));
    let wrong = r#"{"collections":{"*":{"read":true,"private":{"a":1}}}}"#;
    let refused = super::role(wrong).unwrap_err();
    assert!(refused.to_string().contains("private"), "{refused}");
}
