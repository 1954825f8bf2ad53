//! Lists of realtime: what they let hear and publish, and what they do not touch.

use headwater_engine::query::Filter;
use headwater_engine::value::Raw;

use super::super::Happened::{Delete, Post, Put};
use super::super::{Facts, Grant};
use super::{encoded, grant, source, user};
use crate::auth::Action;

fn keyed(text: &str) -> Grant {
    grant(text, &[], &Facts::default())
}

#[test]
fn entries_say_what_is_heard_and_published() {
    let heard = |list: &str| {
        let grant = keyed(&format!(r#"{{"realtime":{list}}}"#));
        let mut heard = String::new();
        for (mark, happened) in [("P", Post), ("U", Put), ("D", Delete)] {
            for collection in ["a", "b"] {
                if grant.hears(happened, collection, "/x") {
                    heard += mark;
                    heard += collection;
                }
            }
        }
        for (mark, action) in [("h", Action::Subscribe), ("p", Action::Publish)] {
            for name in ["x", "y"] {
                if grant.handles(name, None, action) {
                    heard += mark;
                    heard += name;
                }
            }
        }
        let open = [Action::Subscribe, Action::Publish].map(|action| grant.opens_realtime(action));
        (heard, open)
    };
    let everything = "PaPbUaUbDaDbhxhypxpy";
    let rows = [
        (r#"["POST:a"]"#, "Pa", [true, false]),
        (r#"["patch:a","Put:b"]"#, "UaUb", [true, false]),
        (r#"["DELETE:*"]"#, "DaDb", [true, false]),
        (r#"["*:b"]"#, "PbUbDb", [true, false]),
        (r#"["*:*"]"#, "PaPbUaUbDaDb", [true, false]),
        (r#"["x"]"#, "hxpx", [true, true]),
        (r#"["POST:a","y"]"#, "Pahypy", [true, true]),
        (r#"["*"]"#, everything, [true, true]),
        ("false", "", [false, false]),
        ("[]", "", [false, false]),
    ];
    for (list, wanted, open) in rows {
        assert_eq!(heard(list), (wanted.to_owned(), open), "{list}");
    }
}

#[test]
fn malformed_entries_are_refused_by_name() {
    let long = format!(r#"["{}"]"#, "x".repeat(256));
    let lists = ["1", "\"POST:a\"", "[1]", r#"["GET:a"]"#, r#"["POST:"]"#, r#"["POST:_users"]"#];
    for list in lists.into_iter().chain([r#"[""]"#, r#"["a:b"]"#, long.as_str()]) {
        let error = source(&format!(r#"{{"realtime":{list}}}"#)).unwrap_err();
        assert_eq!(error.code(), "invalid_grant", "{list}");
        assert!(error.message().contains("realtime"), "{list}: {error}");
    }
}

#[test]
fn full_access_hears_everything_unless_it_is_listed() {
    let full = keyed(r#"{"admin":true}"#);
    assert!(full.hears(Put, "a", "/x") && full.handles("x", None, Action::Publish));
    let listed = keyed(r#"{"admin":true,"realtime":["POST:a"]}"#);
    assert!(listed.hears(Post, "a", "/x") && !listed.hears(Put, "a", "/x"));
    assert!(!listed.handles("x", None, Action::Subscribe));
}

#[test]
fn paths_alone_lead_to_what_is_heard() {
    let by_path = keyed(r#"{"paths":["/a/**","/x/b","/realtime"]}"#);
    for (collection, wanted) in [("a", true), ("b", true), ("c", false), ("realtime", true)] {
        assert_eq!(by_path.hears(Post, collection, "/x"), wanted, "{collection}");
    }
    let all = keyed(r#"{"paths":["/**"]}"#);
    assert!(all.hears(Post, "a", "/x"));
    let named = keyed(r#"{"collections":{"c":["subscribe"]},"paths":["/realtime"]}"#);
    assert!(named.hears(Post, "c", "/x") && !named.hears(Post, "a", "/x"));
    let writer = keyed(r#"{"paths":["/b/**"],"methods":["POST"],"realtime":true}"#);
    assert!(!writer.hears(Post, "b", "/x"), "who may not read does not hear");
    let beyond = [
        (r#"{"realtime":["POST:a"]}"#, true),
        (r#"{"paths":["/b"],"realtime":["POST:a"]}"#, true),
        (r#"{"paths":["/a/**"],"methods":["POST"],"realtime":["POST:a"]}"#, true),
        (r#"{"paths":["/a/**"],"realtime":["POST:a","x"]}"#, false),
        (r#"{"collections":{"a":["subscribe"]},"realtime":["POST:a"]}"#, false),
        (r#"{"collections":{"*":["subscribe"]},"realtime":["*"]}"#, false),
        (r#"{"collections":{"*":["subscribe"],"a":[]},"realtime":["*"]}"#, true),
        (r#"{"admin":true,"realtime":["*"]}"#, false),
    ];
    for (grant, wanted) in beyond {
        assert_eq!(keyed(grant).hears_beyond_rights("/x"), wanted, "{grant}");
    }
}

#[test]
fn events_of_channels_are_no_business_of_lists() {
    let listed =
        keyed(r#"{"channels":{"staff-*":[],"open-*":["subscribe"]},"realtime":["message"]}"#);
    let heard = |channel| listed.handles("message", channel, Action::Subscribe);
    assert!(heard(None) && heard(Some("open-1")) && !heard(Some("staff-1")));
}

#[test]
fn filters_and_fields_cut_what_a_list_gives() {
    let text = r#"{"collections":{"a":["read"]},"read_filter":{"n":1},
        "fields":{"exclude":["secret"]},"realtime":["*:a"]}"#;
    let unsaid = text.replace(r#""collections":{"a":["read"]}"#, r#""roles":["r"]"#);
    // Roles that say nothing of a collection, and roles that say no.
    let elsewhere = r#"{"collections":{"b":{"read":true}}}"#;
    let shut = r#"{"collections":{"a":{"read":false}}}"#;
    let facts = Facts::default();
    let grants = [
        grant(text, &[], &facts),
        grant(&unsaid, &[elsewhere], &facts),
        grant(&unsaid, &[shut], &facts),
    ];
    for grant in grants {
        assert!(grant.hears(Post, "a", "/x") && !grant.allows("a", Action::Subscribe));
        let heard = grant.heard("a").unwrap();
        let admits =
            |filter: &Filter, text: &str| filter.matches(Raw::trusted(&encoded(text))).unwrap();
        let filter = heard.filter.as_ref().unwrap();
        assert!(admits(filter, r#"{"n":1}"#) && !admits(filter, r#"{"n":2}"#));
        assert!(!heard.fields.as_ref().unwrap().shows_all_of("secret"));
    }
}

#[test]
fn the_record_of_a_user_narrows_documents_and_gives_custom_events() {
    let role = r#"{"collections":{"b":{"read":true,"subscribe":true,"publish":true}}}"#;
    let by = |data: &str| grant(r#"{"roles":["r"]}"#, &[role], &user("1", data));
    let plain = by("{}");
    assert!(plain.hears(Post, "b", "/x") && !plain.hears(Post, "a", "/x"));
    let listed = by(r#"{"realtime":{"sub":["POST:a","x",7,"GET:b"],"pub":["answer"]}}"#);
    // It does not go beyond what the roles let follow; custom events it gives.
    assert!(!listed.hears(Post, "a", "/x") && !listed.hears(Post, "b", "/x"));
    let narrowed = by(r#"{"realtime":{"sub":["POST:b"]}}"#);
    assert!(narrowed.hears(Post, "b", "/x") && !narrowed.hears(Put, "b", "/x"));
    let heard = |name| listed.handles(name, None, Action::Subscribe);
    assert!(heard("x") && !heard("answer"));
    let published = |name| listed.handles(name, None, Action::Publish);
    assert!(published("answer") && !published("x"));
    for other in [r#"{"realtime":{}}"#, r#"{"realtime":true}"#, r#"{"realtime":["POST:a"]}"#] {
        assert!(by(other).hears(Post, "b", "/x") && !by(other).hears(Post, "a", "/x"), "{other}");
    }
    for nothing in [r#"{"realtime":{"sub":[]}}"#, r#"{"realtime":false}"#] {
        let nothing = by(nothing);
        assert!(!nothing.opens_realtime(Action::Subscribe) && !nothing.hears(Post, "b", "/x"));
    }
}

#[test]
fn a_key_of_a_user_stays_within_the_user() {
    use super::super::{GrantSource, Role};
    use headwater_engine::limits::Limits;
    use std::sync::Arc;
    let role = r#"{"collections":{"b":{"read":true,"subscribe":true}}}"#;
    let role = Role::parse("r", Raw::trusted(&encoded(role)), &Limits::default()).unwrap();
    let of_user = |own: &str, data: &str| {
        let own: GrantSource = source(own).unwrap().of_user(vec!["r".to_owned()]);
        let roles = [Arc::new(role.clone())];
        Grant::compile(&own, &roles, &user("1", data), &Limits::for_stored_queries()).unwrap()
    };
    let every = of_user(r#"{"realtime":true}"#, "{}");
    assert!(every.hears(Post, "b", "/x") && !every.hears(Post, "a", "/x"));
    let record = r#"{"realtime":{"sub":["PUT:b","POST:a"]}}"#;
    let both = of_user(r#"{"realtime":["PUT:b","DELETE:b","POST:a"]}"#, record);
    assert!(
        both.hears(Put, "b", "/x")
            && !both.hears(Delete, "b", "/x")
            && !both.hears(Post, "a", "/x")
    );
    let custom = r#"{"realtime":{"sub":["x"],"pub":["x"]}}"#;
    for (own, wanted) in [
        (r#"{"collections":{"b":["read"]}}"#, false),
        (r#"{"realtime":true}"#, false),
        (r#"{"realtime":["y"]}"#, false),
        (r#"{"realtime":["x"]}"#, true),
    ] {
        let key = of_user(own, custom);
        assert_eq!(key.handles("x", None, Action::Publish), wanted, "{own}");
        assert_eq!(key.handles("x", None, Action::Subscribe), wanted, "{own}");
    }
    let of_record = of_user("{}", record);
    assert!(of_record.hears(Put, "b", "/x") && !of_record.hears(Post, "b", "/x"));
    assert!(!of_record.lists_realtime(), "the paths of the key stay in force");
}
