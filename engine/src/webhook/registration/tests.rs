//! What a registration accepts and refuses.

use super::*;
use crate::clock::ManualClock;
use crate::error::Detail;
use crate::fs::SystemFileSystem;
use crate::limits::Limits;
use crate::value::json;

fn set(given: &str) -> Result<Registration> {
    let encoded = json::parse_value(given.as_bytes(), &Limits::default()).unwrap();
    let secret = Secret::generate(&*ManualClock::new(0, 1));
    let mut registration = Registration::blank("507f1f77bcf86cd799439011".into(), secret);
    for (name, value) in Raw::trusted(&encoded).object_iter() {
        member::set(&mut registration, name, value)?;
    }
    Ok(registration)
}

#[test]
fn stored_and_read_back() {
    let given = r#"{"url":"https://example.com/hook?x=1","collections":["orders","a.b"],
        "kinds":["document.created","event.published"],"filter":{},"projection":{"a.b":1,"c":{"$slice":2}},"headers":{"X-Team":"a"},
        "order":"none","timeout_ms":500,"concurrency":4,"rate_per_second":10,"format":"event"}"#;
    let mut registration = set(given).unwrap();
    registration.start = 17;
    registration.skip_to = Some(20);
    registration.owner = "me".to_owned();
    let secret = Secret::generate(&*ManualClock::new(0, 2));
    let registration = registration.rotated(secret, 5).disabled("410");
    let dir = tempfile::tempdir().unwrap();
    let (fs, clock) = (SystemFileSystem::shared(), ManualClock::new(0, 3));
    let vault = Vault::open(dir.path(), None, fs, clock).unwrap();
    let bytes = registration.to_bytes(&vault);
    let body = Raw::trusted(&bytes);
    assert!(!format!("{body:?}").contains("whsec_"), "{body:?}");
    let read = Registration::decode(body.get("_id").unwrap(), body, &vault).unwrap();
    assert_eq!(read, registration);
    assert_eq!(read.to_bytes(&vault), bytes, "what did not change is stored as it was");
    assert_eq!(read.secrets(5 + ROTATION_MS - 1).count(), 2);
    assert_eq!(read.secrets(5 + ROTATION_MS).count(), 1);
    let shown = format!("{:?}", Raw::trusted(&registration.describe().to_bytes()));
    assert!(!shown.contains("whsec_"), "{shown}");
}

#[test]
fn a_document_from_before_projections_shows_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (fs, clock) = (SystemFileSystem::shared(), ManualClock::new(0, 3));
    let vault = Vault::open(dir.path(), None, fs, clock).unwrap();
    let bytes = set(r#"{"url":"http://a"}"#).unwrap().to_bytes(&vault);
    let mut old = Raw::trusted(&bytes).to_value().as_object().unwrap().clone();
    assert!(old.remove("projection").is_some());
    let old = old.to_bytes();
    let body = Raw::trusted(&old);
    let read = Registration::decode(body.get("_id").unwrap(), body, &vault).unwrap();
    assert_eq!(read.projection, None);
    for nothing in ["null", "{}"] {
        let given = format!(r#"{{"projection":{nothing}}}"#);
        assert_eq!(set(&given).unwrap().projection, None, "{given}");
    }
}

#[test]
fn refusals_name_the_member() {
    let cases = [
        (r#"{"url":7}"#, "url"),
        (r#"{"url":"ftp://a/"}"#, "url"),
        (r#"{"url":"/hook"}"#, "url"),
        (r#"{"url":"http://"}"#, "url"),
        (r#"{"url":"http://user:pw@a/"}"#, "url"),
        (r#"{"url":"http://a/#x"}"#, "url"),
        (r#"{"url":"http://a:0/"}"#, "url"),
        (r#"{"url":"http://a:99999/"}"#, "url"),
        (r#"{"url":"http://::1/"}"#, "url"),
        (r#"{"url":"http://a b/"}"#, "url"),
        (r#"{"url":"http:\\\\a"}"#, "url"),
        (r#"{"collections":[]}"#, "collections"),
        (r#"{"collections":"*"}"#, "collections"),
        (r#"{"collections":["*","a"]}"#, "collections"),
        (r#"{"collections":["_users"]}"#, "collections"),
        (r#"{"collections":["a/b"]}"#, "collections"),
        (r#"{"kinds":["x"]}"#, "kinds"),
        (r#"{"kinds":["request.recorded"]}"#, "kinds"),
        (r#"{"filter":{"a":{"$nope":1}}}"#, "filter"),
        (r#"{"filter":{"$text":{"$search":"a"}}}"#, "filter"),
        (r#"{"projection":7}"#, "projection"),
        (r#"{"projection":[]}"#, "projection"),
        (r#"{"projection":{"a":1,"b":0}}"#, "projection"),
        (r#"{"projection":{"a.$":1}}"#, "projection"),
        (r#"{"projection":{"a":{"$nope":1}}}"#, "projection"),
        (r#"{"projection":{"a":"$$NOW"}}"#, "projection"),
        (r#"{"active":1}"#, "active"),
        (r#"{"secret":"x"}"#, "secret"),
        (r#"{"headers":{"webhook-id":"x"}}"#, "headers"),
        (r#"{"headers":{"Content-Type":"x"}}"#, "headers"),
        (r#"{"headers":{"a b":"x"}}"#, "headers"),
        (r#"{"headers":{"a":"x\ny"}}"#, "headers"),
        (r#"{"headers":{"a":1}}"#, "headers"),
        (r#"{"format":"restdb"}"#, "format"),
        (r#"{"order":"random"}"#, "order"),
        (r#"{"timeout_ms":0}"#, "timeout_ms"),
        (r#"{"concurrency":1.5}"#, "concurrency"),
        (r#"{"rate_per_second":-1}"#, "rate_per_second"),
        (r#"{"colour":1}"#, "colour"),
    ];
    for (given, field) in cases {
        let error = set(given).expect_err(given);
        assert_eq!(error.detail("field"), Some(&Detail::from(field)), "{given}: {error}");
    }
    for url in ["http://a", "HTTPS://A.example:8080/x?y", "http://[::1]:80/", "http://127.0.0.1/"] {
        set(&format!(r#"{{"url":"{url}"}}"#)).unwrap();
    }
}
