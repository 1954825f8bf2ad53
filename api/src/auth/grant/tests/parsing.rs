//! What grants and roles are refused for.

use headwater_engine::{Detail, Error};

use super::{role, source};

fn member(error: &Error) -> &str {
    match error.detail("member") {
        Some(Detail::Text(text)) => text,
        _ => "",
    }
}

#[test]
fn malformed_grants_are_refused_by_name() {
    let many = |entry: &str, count: usize| format!("[{}]", vec![entry; count].join(","));
    let rows = [
        (r#"{"wings":1}"#.to_owned(), "wings", "wings"),
        (r#"{"admin":1}"#.to_owned(), "admin", "admin"),
        (r#"{"admin":true,"read_filter":{}}"#.to_owned(), "read_filter", "admin"),
        (r#"{"admin":true,"fields":{}}"#.to_owned(), "fields", "admin"),
        (r#"{"collections":[]}"#.to_owned(), "collections", "collections"),
        (r#"{"collections":{"a":"read"}}"#.to_owned(), "collections", "collections.a"),
        (r#"{"collections":{"a":["fly"]}}"#.to_owned(), "collections", "fly"),
        (r#"{"collections":{"a":[1]}}"#.to_owned(), "collections", "collections.a"),
        (r#"{"collections":{"_users":["read"]}}"#.to_owned(), "collections", "_users"),
        (r#"{"collections":{"a/b":["read"]}}"#.to_owned(), "collections", "a/b"),
        (r#"{"roles":"r"}"#.to_owned(), "roles", "roles"),
        (r#"{"roles":[]}"#.to_owned(), "roles", "roles"),
        (r#"{"type":"all"}"#.to_owned(), "type", "type"),
        (r#"{"methods":["get"]}"#.to_owned(), "methods", "`get`"),
        (r#"{"methods":["FLY"]}"#.to_owned(), "methods", "FLY"),
        (r#"{"methods":"GET"}"#.to_owned(), "methods", "methods"),
        (r#"{"paths":["rest"]}"#.to_owned(), "paths", "`rest`"),
        (r#"{"paths":["/a/../b"]}"#.to_owned(), "paths", "/a/../b"),
        (r#"{"acls":["fly"]}"#.to_owned(), "acls", "fly"),
        (r#"{"read_filter":{"a":"%%foo"}}"#.to_owned(), "read_filter", "%%foo"),
        (r#"{"read_filter":{"a":"%%prevRoot.a"}}"#.to_owned(), "read_filter", "%%prevRoot"),
        (r#"{"read_filter":[]}"#.to_owned(), "read_filter", "object"),
        (r#"{"write_filter":{"$text":{}}}"#.to_owned(), "write_filter", "$text"),
        (r#"{"fields":[]}"#.to_owned(), "fields", "fields"),
        (r#"{"fields":{"includes":[]}}"#.to_owned(), "fields", "includes"),
        (r#"{"fields":{"include":"a"}}"#.to_owned(), "fields", "fields.include"),
        (r#"{"fields":{"write":{"only":[]}}}"#.to_owned(), "fields", "fields.write.only"),
        (r#"{"origins":["https://a/b"]}"#.to_owned(), "origins", "https://a/b"),
        (r#"{"referers":["ftp://a"]}"#.to_owned(), "referers", "ftp://a"),
        (r#"{"networks":["10.0.0.0/33"]}"#.to_owned(), "networks", "10.0.0.0/33"),
        (r#"{"networks":[7]}"#.to_owned(), "networks", "networks"),
        (r#"{"rate_limit":5}"#.to_owned(), "rate_limit", "rate_limit"),
        (r#"{"rate_limit":{"per_day":5}}"#.to_owned(), "rate_limit", "per_day"),
        (r#"{"rate_limit":{"per_ip_per_hour":0}}"#.to_owned(), "rate_limit", "per_ip_per_hour"),
        (r#"{"rate_limit":{"per_ip_per_hour":1.5}}"#.to_owned(), "rate_limit", "per_ip_per_hour"),
        (r#"{"channels":{"a":["read"]}}"#.to_owned(), "channels", "channels.a"),
        (r#"{"channels":{"":["publish"]}}"#.to_owned(), "channels", "channels"),
        (r#"{"channels":["a"]}"#.to_owned(), "channels", "channels"),
        (format!(r#"{{"referers":{}}}"#, many(r#""a""#, 101)), "referers", "100"),
        (format!(r#"{{"networks":{}}}"#, many(r#""::1""#, 101)), "networks", "100"),
        (format!(r#"{{"origins":{}}}"#, many(r#""a.b""#, 101)), "origins", "100"),
        (format!(r#"{{"paths":{}}}"#, many(r#""/a""#, 101)), "paths", "100"),
        (format!(r#"{{"paths":["/{}"]}}"#, "a".repeat(2000)), "paths", "1024"),
        ("[]".to_owned(), "grant", "grant"),
    ];
    for (text, named, said) in rows {
        let error = source(&text).unwrap_err();
        assert_eq!(error.code(), "invalid_grant", "{text}");
        assert_eq!(member(&error), named, "{text}");
        assert!(error.message().contains(said), "{text}: {}", error.message());
    }
}

#[test]
fn the_whole_of_the_contract_is_read() {
    let text = r#"{"admin":false,
        "collections":{"orders":["read","create","update","delete","subscribe"],"*":["read"]},
        "methods":["GET"],"paths":["/rest/customers/**"],"acls":["get","search","stream"],
        "read_filter":{"owner":"%%user.id"},"write_filter":{"owner":"%%user.id"},
        "fields":{"include":["*"],"exclude":["salary","address.*"]},
        "origins":["https://shop.example"],"referers":["https://shop.example/*"],
        "networks":["10.0.0.0/8","2001:db8::/32"],"rate_limit":{"per_ip_per_hour":1000},
        "roles":["r"],"type":"read","channels":{"room-*":["publish","subscribe"]}}"#;
    let source = source(text).unwrap();
    assert_eq!(source.surface.per_ip_per_hour(), Some(1000));
    assert_eq!(source.roles, ["r"]);
    for count in [r#"{"networks":["#, r#"{"paths":["#] {
        let entry = if count.contains("paths") { r#""/a""# } else { r#""::1""# };
        assert!(super::source(&format!("{count}{}]}}", vec![entry; 100].join(","))).is_ok());
    }
}

#[test]
fn malformed_roles_are_refused_by_name() {
    let rows = [
        (r#"{"wings":1}"#, "wings", "wings"),
        (r#"{"admin":"yes"}"#, "admin", "admin"),
        (r#"{"admin":true,"collections":{"a":{}}}"#, "admin", "admin"),
        (r#"{"apply_when":{"a":1}}"#, "apply_when", "`a`"),
        (r#"{"apply_when":{"%%foo":1}}"#, "apply_when", "%%foo"),
        (r#"{"apply_when":true}"#, "apply_when", "object"),
        (r#"{"collections":[]}"#, "collections", "collections"),
        (r#"{"collections":{"a":true}}"#, "collections", "collections.a"),
        (r#"{"collections":{"a":{"fly":true}}}"#, "collections", "fly"),
        (r#"{"collections":{"a":{"admin":true}}}"#, "collections", "admin"),
        (r#"{"collections":{"a":{"read":1}}}"#, "collections", "collections.a.read"),
        (r#"{"collections":{"a":{"read":{"b":"%%prevRoot.b"}}}}"#, "collections", "%%prevRoot"),
        (r#"{"collections":{"a":{"create":{"$where":1}}}}"#, "collections", "$where"),
        (r#"{"collections":{"a":{"publish":{"b":1}}}}"#, "collections", "publish"),
        (r#"{"collections":{"a":{"bulk":{}}}}"#, "collections", "bulk"),
        (r#"{"collections":{"a":{"settings":{}}}}"#, "collections", "settings"),
        (r#"{"collections":{"a":{"fields":{"x":[]}}}}"#, "collections", "collections.a.fields.x"),
        (r#"{"collections":{"_users":{"read":true}}}"#, "collections", "_users"),
        ("1", "role", "role"),
    ];
    for (text, named, said) in rows {
        let error = role(text).unwrap_err();
        assert_eq!(error.code(), "invalid_role", "{text}");
        assert_eq!(member(&error), named, "{text}");
        assert!(error.message().contains(said), "{text}: {}", error.message());
    }
    assert!(role(r#"{"_id":"r","collections":{"a":{"read":true},"*":{}}}"#).is_ok());
}
