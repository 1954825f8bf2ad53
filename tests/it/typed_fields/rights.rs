//! Typed fields under grants: what is converted is judged, and what is hidden stays so.

use serde_json::json;

use super::{DOCUMENTS, PEOPLE, define};
use crate::harness::Server;

#[tokio::test]
async fn rights_are_judged_on_what_is_converted() {
    let server = Server::start();
    let client = server.client();
    let fields = json!({
        "level": {"type": "number", "default": 1},
        "secret": {"type": "number", "unique": true},
        "born": {"type": "date"},
        "state": {"type": "text", "default": "new"},
    });
    define(&client, fields, 201).await;
    let grant = json!({
        "collections": {"people": ["*"]},
        "write_filter": {"level": {"$ne": 9}, "state": {"$exists": true}},
        "fields": {"exclude": ["secret"], "write": {"exclude": ["born", "state"]}},
    });
    let made =
        client.post("/v1/credentials", &json!({"label": "x", "kind": "key", "grant": grant})).await;
    let some = client.with_key(made.expect(201).body["key"].as_str().unwrap());
    some.post(DOCUMENTS, &json!({"_id": "a"})).await.expect(201);
    assert_eq!(some.post(DOCUMENTS, &json!({"level": 9})).await.refused(403), "document_forbidden");
    assert_eq!(
        some.post(DOCUMENTS, &json!({"level": "9"})).await.refused(403),
        "document_forbidden"
    );
    some.post(DOCUMENTS, &json!({"born": "2026-03-10"})).await.expect(403);
    let a = format!("{DOCUMENTS}/a");
    client.patch(&a, &json!({"born": "2026-03-10", "secret": "5"})).await.expect(200);
    let seen = some.get(&a).await.expect(200).body;
    assert!(seen.get("secret").is_none() && seen["born"] == "2026-03-10T00:00:00.000Z", "{seen}");
    let mut changed = seen.clone();
    changed["level"] = json!("3");
    assert_eq!(
        some.put(&a, &changed).await.expect(200).body["level"],
        3,
        "a date as it was read is no change"
    );
    assert_eq!(client.get(&a).await.expect(200).body["secret"], 5);
    client.patch(&a, &json!({"level": 9})).await.expect(200);
    let shown = some.get(PEOPLE).await.expect(200);
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    // Who does not see a field is not told that it is the one which is there twice, or which is wrong.
    let state = json!({"type": "text", "default": "new"});
    let fields =
        json!({"secret": {"type": "number", "unique": true, "default": 5}, "state": state});
    define(&client, fields, 200).await;
    let refused = some.post(DOCUMENTS, &json!({})).await;
    assert!(!refused.text.contains("secret"), "{}", refused.text);
    assert_eq!(refused.refused(409), "unique_violation");
    define(&client, json!({"secret": {"type": "number", "required": true}, "state": state}), 200)
        .await;
    let refused = some.post(DOCUMENTS, &json!({})).await;
    assert!(!refused.text.contains("secret"), "{}", refused.text);
    assert_eq!(refused.refused(422), "schema_violation");
    let reader = json!({"collections": {"people": ["*"]}, "read_filter": {"level": 1}});
    let made = client
        .post("/v1/credentials", &json!({"label": "y", "kind": "key", "grant": reader}))
        .await;
    let some = client.with_key(made.expect(201).body["key"].as_str().unwrap());
    let unique = json!({"fields": {"level": {"type": "number", "unique": true}}});
    assert_eq!(some.put(PEOPLE, &unique).await.refused(403), "forbidden");
}
