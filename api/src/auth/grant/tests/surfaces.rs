//! What a surface refuses, and with which code.

use super::super::{Surface, Visit};
use super::source;

fn check(surface: &Surface, change: impl FnOnce(&mut Visit<'static>)) -> Option<String> {
    let mut visit = Visit {
        method: "GET",
        path: "/rest/customers/1",
        origin: None,
        referer: Some("https://shop.example/x"),
        address: "10.0.0.1".parse().unwrap(),
        face_prefix: Some("/rest"),
        is_listed: false,
        is_web: true,
    };
    change(&mut visit);
    let error = surface.check(&visit).err()?;
    assert_eq!(error.status(), http::StatusCode::FORBIDDEN);
    let body: serde_json::Value = serde_json::from_slice(&error.body("r")).unwrap();
    assert!(!body["error"]["message"].as_str().unwrap().contains("shop.example"));
    Some(body["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn each_part_refuses_by_itself() {
    let text = r#"{"methods":["GET","POST"],"paths":["/customers/**"],
        "origins":["https://shop.example"],"referers":["https://shop.example/*"],
        "networks":["10.0.0.0/8"]}"#;
    let surface = source(text).unwrap().surface;
    let is = |code: &str| Some(code.to_owned());
    assert_eq!(check(&surface, |_| {}), None);
    assert_eq!(check(&surface, |visit| visit.method = "HEAD"), None);
    assert_eq!(check(&surface, |visit| visit.method = "PUT"), is("method_not_allowed_by_key"));
    assert_eq!(check(&surface, |visit| visit.method = "get"), is("method_not_allowed_by_key"));
    assert_eq!(check(&surface, |visit| visit.path = "/rest/orders"), is("path_not_allowed"));
    assert_eq!(
        check(&surface, |visit| visit.path = "/rest/customers/../x"),
        is("path_not_allowed")
    );
    for listed in [true, false] {
        let allowed = check(&surface, |visit| {
            (visit.path, visit.method, visit.is_listed) = ("/realtime", "DELETE", listed);
        });
        assert_eq!(allowed.is_none(), listed, "a list of its own stands for methods and paths");
    }
    assert_eq!(check(&surface, |visit| visit.face_prefix = None), is("path_not_allowed"));
    assert_eq!(check(&surface, |visit| visit.referer = None), is("referer_not_allowed"));
    assert_eq!(check(&surface, |visit| visit.referer = Some("x")), is("referer_not_allowed"));
    let elsewhere = "11.0.0.1".parse().unwrap();
    assert_eq!(check(&surface, |visit| visit.address = elsewhere), is("address_not_allowed"));
    let mapped = "::ffff:10.0.0.1".parse().unwrap();
    assert_eq!(check(&surface, |visit| visit.address = mapped), None);
    let good = Some("https://shop.example");
    assert_eq!(check(&surface, |visit| visit.origin = good), None);
    for bad in ["https://evil.test", "null", ""] {
        assert_eq!(check(&surface, |visit| visit.origin = Some(bad)), is("origin_not_allowed"));
        let free = check(&surface, |visit| {
            (visit.origin, visit.is_web) = (Some(bad), false);
        });
        assert_eq!(free, None, "origins bind web keys alone");
    }
}

#[test]
fn empty_lists_allow_nothing_and_missing_ones_everything() {
    let open = source("{}").unwrap().surface;
    assert_eq!(check(&open, |visit| (visit.path, visit.referer) = ("//x", None)), None);
    assert!(open.admits_origin("https://any.example"));
    assert!(!open.admits_origin("null") && !open.admits_origin("x"));
    for empty in ["methods", "paths", "referers", "networks"] {
        let surface = source(&format!(r#"{{"{empty}":[]}}"#)).unwrap().surface;
        assert!(check(&surface, |_| {}).is_some(), "{empty}");
    }
    let surface = source(r#"{"origins":["*"],"referers":["*"]}"#).unwrap().surface;
    assert_eq!(check(&surface, |visit| visit.referer = None), None);
    assert!(surface.admits_origin("https://any.example") && !surface.admits_origin("null"));
    let surface = source(r#"{"origins":["*","null"]}"#).unwrap().surface;
    assert!(surface.admits_origin("null"));
}
