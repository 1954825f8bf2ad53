//! What a registration accepts and refuses.

use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::error::Detail;
use crate::fs::SystemFileSystem;
use crate::limits::Limits;
use crate::value::json;

fn set(given: &str) -> Result<Registration> {
    let encoded = json::parse_value(given.as_bytes(), &Limits::default()).unwrap();
    let secret = Secret::generate(&*ManualClock::new(0, 1));
    let mut registration = Registration::blank("507f1f77bcf86cd799439011".into(), secret);
    for (name, value) in Raw::trusted(&encoded).object_iter() {
        member::set(&mut registration, name, value, &Formats::default())?;
    }
    Ok(registration)
}

fn vault() -> (tempfile::TempDir, Arc<Vault>) {
    let dir = tempfile::tempdir().unwrap();
    let (fs, clock) = (SystemFileSystem::shared(), SystemClock::shared());
    let vault = Vault::open(dir.path(), None, fs, clock).unwrap();
    (dir, vault)
}

fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&*ManualClock::new(0, seed)).unwrap()
}

/// Encodes and decodes a registration.
fn stored(registration: &Registration, vault: &Vault) -> (Vec<u8>, Registration) {
    let bytes = registration.to_bytes(vault);
    let body = Raw::trusted(&bytes);
    let read =
        Registration::decode(body.get("_id").unwrap(), body, vault, &Formats::default()).unwrap();
    (bytes, read)
}

#[test]
fn signing_keys_are_stored_sealed_and_sign_where_they_are_asked_for() {
    let (_dir, vault) = vault();
    let mut registration = set(r#"{"url":"http://a","signatures":["v1a","v1","v1a"]}"#).unwrap();
    registration.key = Some(key(1));
    let secret = Secret::generate(&*ManualClock::new(0, 2));
    let mut registration = registration.rotated(secret, key(2), 5);
    let (bytes, read) = stored(&registration, &vault);
    assert_eq!(read, registration);
    assert_eq!(read.to_bytes(&vault), bytes, "what did not change is stored as it was");
    assert!(!format!("{:?}", Raw::trusted(&bytes)).contains("whsk_"));
    let signing = |at: u64| (read.secrets(at).count(), read.keys(at).collect::<Vec<_>>());
    assert_eq!(signing(5 + ROTATION_MS - 1), (2, vec![&key(2), &key(1)]));
    assert_eq!(signing(5 + ROTATION_MS), (1, vec![&key(2)]));
    let shown = registration.describe();
    assert_eq!(shown.get("public_key"), Some(&Value::from(key(2).public_key())));
    for (signatures, counts) in [(r#"["v1a"]"#, (0, 2)), (r#"["v1"]"#, (2, 0)), ("null", (2, 0))] {
        let encoded = json::parse_value(signatures.as_bytes(), &Limits::default()).unwrap();
        member::set(&mut registration, "signatures", Raw::trusted(&encoded), &Formats::default())
            .unwrap();
        let (_, read) = stored(&registration, &vault);
        assert_eq!((read.secrets(9).count(), read.keys(9).count()), counts, "{signatures}");
        assert_eq!((&read.key, read.retiring.len()), (&Some(key(2)), 1), "it is kept");
    }
    let plain = set(r#"{"url":"http://a"}"#).unwrap();
    let secret = Secret::generate(&*ManualClock::new(0, 2));
    let rotated = plain.rotated(secret, key(2), 5);
    assert_eq!(rotated.key, None, "none is made where there was none");
    assert!(rotated.describe().get("public_key").is_none());
}

#[test]
fn headers_are_stored_sealed_and_shown_without_credentials() {
    let (_dir, vault) = vault();
    let given = r#"{"url":"http://a","headers":{"X-Team":"blue","Authorization":"Bearer planted","x-api-KEY":"planted"}}"#;
    let mut registration = set(given).unwrap();
    let (bytes, read) = stored(&registration, &vault);
    assert_eq!(read, registration);
    assert_eq!(read.to_bytes(&vault), bytes, "what did not change is stored as it was");
    let body = format!("{:?}", Raw::trusted(&bytes));
    assert!(!body.contains("planted") && !body.contains("blue") && !body.contains("x-team"));
    let debug = format!("{registration:?}");
    assert!(!debug.contains("planted") && debug.contains("x-team"), "{debug}");
    let sent: Vec<_> = read.headers.iter().collect();
    let expected =
        [("x-team", "blue"), ("authorization", "Bearer planted"), ("x-api-key", "planted")];
    assert_eq!(sent, expected);
    let shown = format!("{:?}", Raw::trusted(&registration.describe().to_bytes()));
    assert!(shown.contains("blue") && !shown.contains("planted"), "{shown}");
    assert_eq!(shown.matches(MASK).count(), 2, "{shown}");

    // What was shown is given back: the same headers, and the same bytes.
    registration = read;
    let patch = |registration: &mut Registration, headers: &str| {
        let encoded = json::parse_value(headers.as_bytes(), &Limits::default()).unwrap();
        member::set(registration, "headers", Raw::trusted(&encoded), &Formats::default())
    };
    let back = r#"{"x-team":"blue","authorization":"***","x-api-key":"***"}"#;
    patch(&mut registration, back).unwrap();
    assert_eq!(registration.to_bytes(&vault), bytes);
    patch(&mut registration, r#"{"authorization":"***","x-team":"***"}"#).unwrap();
    let sent: Vec<_> = registration.headers.iter().collect();
    assert_eq!(sent, [("authorization", "Bearer planted"), ("x-team", "***")]);
    let error = patch(&mut registration, r#"{"x-api-key":"***"}"#).unwrap_err();
    assert_eq!(error.detail("field"), Some(&Detail::from("headers")));
    assert!(error.to_string().contains("x-api-key"), "{error}");
    patch(&mut registration, "{}").unwrap();
    assert!(stored(&registration, &vault).1.headers.is_empty());
}

#[test]
fn headers_of_documents_of_before_are_read_and_sealed_when_they_are_written_again() {
    let (_dir, vault) = vault();
    let bytes = set(r#"{"url":"http://a"}"#).unwrap().to_bytes(&vault);
    let mut old = Raw::trusted(&bytes).to_value().as_object().unwrap().clone();
    assert!(old.remove("signatures").is_some());
    let headers =
        [("authorization", "planted"), ("cookie", MASK)].map(|(a, b)| (a.to_owned(), b.into()));
    old.insert("headers", headers.into_iter().collect::<Object>());
    let old = old.to_bytes();
    let body = Raw::trusted(&old);
    let read =
        Registration::decode(body.get("_id").unwrap(), body, &vault, &Formats::default()).unwrap();
    assert_eq!(
        read.headers.iter().collect::<Vec<_>>(),
        [("authorization", "planted"), ("cookie", MASK)]
    );
    assert_eq!(read.signatures, Versions::default());
    let (bytes, again) = stored(&read, &vault);
    assert_eq!(again, read);
    assert!(!format!("{:?}", Raw::trusted(&bytes)).contains("planted"));
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
    let registration = registration.rotated(secret, key(3), 5).disabled("410");
    let (_dir, vault) = vault();
    let bytes = registration.to_bytes(&vault);
    let body = Raw::trusted(&bytes);
    assert!(!format!("{body:?}").contains("whsec_"), "{body:?}");
    let read =
        Registration::decode(body.get("_id").unwrap(), body, &vault, &Formats::default()).unwrap();
    assert_eq!(read, registration);
    assert_eq!(read.to_bytes(&vault), bytes, "what did not change is stored as it was");
    assert_eq!(read.secrets(5 + ROTATION_MS - 1).count(), 2);
    assert_eq!(read.secrets(5 + ROTATION_MS).count(), 1);
    let shown = format!("{:?}", Raw::trusted(&registration.describe().to_bytes()));
    assert!(!shown.contains("whsec_"), "{shown}");
}

#[test]
fn a_document_from_before_projections_shows_everything() {
    let (_dir, vault) = vault();
    let bytes = set(r#"{"url":"http://a"}"#).unwrap().to_bytes(&vault);
    let mut old = Raw::trusted(&bytes).to_value().as_object().unwrap().clone();
    assert!(old.remove("projection").is_some());
    let old = old.to_bytes();
    let body = Raw::trusted(&old);
    let read =
        Registration::decode(body.get("_id").unwrap(), body, &vault, &Formats::default()).unwrap();
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
        (r#"{"headers":{"a":"1","A":"2"}}"#, "headers"),
        (r#"{"headers":{"authorization":"***"}}"#, "headers"),
        (r#"{"signatures":[]}"#, "signatures"),
        (r#"{"signatures":"v1"}"#, "signatures"),
        (r#"{"signatures":["v1","v2"]}"#, "signatures"),
        (r#"{"signatures":[1]}"#, "signatures"),
        (r#"{"format":"yaml"}"#, "format"),
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
