//! Documents: write, read, list, look back, and what is refused.

use serde_json::json;

use crate::support::{Face, ROOT};

const ORDERS: &str = "/v1/collections/orders/documents";

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_created_read_changed_and_deleted() {
    let face = Face::new();
    let created = face.post(ORDERS, r#"{"total":5,"who":{"a":1}}"#).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.body["documents"][0]["_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 24);
    assert_eq!(created.body["position"], created.position());

    let path = format!("{ORDERS}/{id}");
    let got = face.get(&path).await;
    assert_eq!(got.headers["etag"], "\"1\"");
    assert_eq!(got.body, json!({"_id": id, "total": 5, "who": {"a": 1}}));
    assert!(got.position() >= created.position());

    let patched = face.ask("PATCH", &path, r#"{"total":6}"#).await;
    assert_eq!(
        (patched.status.as_u16(), &patched.headers["etag"]),
        (200, &"\"2\"".parse().unwrap())
    );
    assert_eq!(patched.body["total"], 6);

    let replaced = face.ask("PUT", &path, r#"{"only":true}"#).await;
    assert_eq!(replaced.body, json!({"_id": id, "only": true}));

    let deleted = face.ask("DELETE", &path, "").await;
    assert_eq!(deleted.body, json!({"deleted": 1, "position": deleted.position()}));
    assert_eq!(face.get(&path).await.code(), "document_not_found");
    assert_eq!(face.ask("DELETE", &path, "").await.status, 404);

    let history = face.get(&format!("{path}/history")).await;
    let kinds: Vec<_> = history.body["events"].as_array().unwrap().iter().collect();
    assert_eq!(kinds.len(), 4);
    assert_eq!(kinds[0]["kind"], "document.deleted");
    assert_eq!(kinds[0]["document"], json!(null));
    assert_eq!(kinds[2]["changed"], json!(["total"]));
    assert_eq!(kinds[3]["document"]["total"], 5);

    let before = face.get(&format!("{path}?at={}", created.position())).await;
    assert_eq!(
        (before.body["total"].as_i64(), &before.headers["etag"]),
        (Some(5), &"\"1\"".parse().unwrap())
    );
    assert_eq!(face.get(&format!("{path}?at={}", deleted.position() + 9)).await.status, 400);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_demanded_by_if_match() {
    let face = Face::new();
    face.post(ORDERS, r#"{"_id":"a","n":1}"#).await;
    let put = |condition| async move {
        let headers = [("x-apikey", ROOT), ("if-match", condition)];
        headers.to_vec()
    };
    let path = format!("{ORDERS}/a");
    let wrong = face.ask_with("PUT", &path, r#"{"n":2}"#, &put("\"7\"").await).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (412, "version_mismatch"));
    assert_eq!(face.ask_with("PUT", &path, r#"{"n":2}"#, &put("\"1\"").await).await.status, 200);
    assert_eq!(face.ask_with("PATCH", &path, r#"{"n":3}"#, &put("*").await).await.status, 200);
    assert_eq!(face.ask_with("PATCH", &path, "{}", &put("W/\"3\"").await).await.status, 400);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_are_all_or_nothing_and_lists_are_paged() {
    let face = Face::new();
    let many: Vec<_> = (0..5).map(|n| json!({"_id": n, "n": n})).collect();
    let created = face.post(ORDERS, &json!(many).to_string()).await;
    assert_eq!(created.body["documents"].as_array().unwrap().len(), 5);

    let clash = face.post(ORDERS, r#"[{"_id":9},{"_id":3}]"#).await;
    assert_eq!((clash.status.as_u16(), clash.code()), (409, "duplicate_id"));
    assert_eq!(face.get(&format!("{ORDERS}/9")).await.status, 404);
    assert_eq!(face.post(ORDERS, "[]").await.status, 400);

    let first = face.get(&format!("{ORDERS}?limit=2&filter=%7B%7D")).await;
    assert_eq!(first.body["documents"][1]["n"], 1);
    let next = first.body["next"].as_str().unwrap();
    let second = face.get(&format!("{ORDERS}?limit=3&cursor={next}")).await;
    assert_eq!(second.body["documents"][2]["n"], 4);
    assert_eq!(second.body["next"], json!(null));
    let past = format!("{ORDERS}?at={}&limit=1", created.position());
    face.ask("DELETE", &format!("{ORDERS}/0"), "").await;
    let past = face.get(&past).await;
    assert_eq!(past.body["documents"][0]["n"], 0);
    let next = past.body["next"].as_str().unwrap();
    let past = face.get(&format!("{ORDERS}?cursor={next}")).await;
    assert_eq!(past.body["documents"].as_array().unwrap().len(), 4);

    let counted = face.post("/v1/collections/orders/query", r#"{"limit":1,"count":true}"#).await;
    assert_eq!(
        (&counted.body["count"], counted.body["documents"].as_array().unwrap().len()),
        (&json!(4), 1)
    );
    assert_eq!(face.get(&format!("{ORDERS}?cursor=AAAA")).await.code(), "invalid_cursor");
    assert_eq!(face.get(&format!("{ORDERS}?limit=1001")).await.status, 400);
    let empty = face.get("/v1/collections/nothing/documents").await;
    assert_eq!((empty.status.as_u16(), &empty.body["documents"]), (200, &json!([])));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_means_an_object_id_or_a_text_or_an_integer() {
    let face = Face::new();
    let hex = "0123456789abcdef01234567";
    face.post(ORDERS, &format!(r#"[{{"_id":"{hex}"}},{{"_id":7}},{{"_id":"t/x"}}]"#)).await;
    let extended = [("x-apikey", ROOT), ("accept", "application/ejson")];
    let got = face.ask_with("GET", &format!("{ORDERS}/{hex}"), "", &extended).await;
    assert_eq!(got.body["_id"], json!({"$oid": hex}));
    assert_eq!(face.get(&format!("{ORDERS}/7")).await.body["_id"], 7);
    assert_eq!(face.get(&format!("{ORDERS}/t%2Fx")).await.body["_id"], "t/x");
    let other = face.ask("PUT", &format!("{ORDERS}/7"), r#"{"_id":8}"#).await;
    assert_eq!(other.code(), "id_mismatch");
    assert_eq!(face.ask("PUT", &format!("{ORDERS}/7"), r#"{"_id":7,"a":1}"#).await.status, 200);
    let made = face.ask("PUT", &format!("{ORDERS}/new?upsert=true"), r#"{"a":1}"#).await;
    assert_eq!((made.status.as_u16(), &made.body["_id"]), (201, &json!("new")));
    assert_eq!(face.ask("PUT", &format!("{ORDERS}/none"), r#"{"a":1}"#).await.status, 404);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_json_carries_every_type() {
    let face = Face::new();
    let typed = [
        ("x-apikey", ROOT),
        ("content-type", "application/ejson"),
        ("accept", "application/ejson"),
    ];
    let body = r#"{"_id":"d","when":{"$date":"2024-01-02T03:04:05Z"},"n":{"$numberLong":"5"}}"#;
    let made = face.ask_with("POST", ORDERS, body, &typed).await;
    assert_eq!(made.body["documents"][0]["n"], json!({"$numberLong": "5"}));
    assert_eq!(made.body["position"], made.position());
    let plain = face.get(&format!("{ORDERS}/d")).await;
    assert_eq!(plain.body["when"], "2024-01-02T03:04:05.000Z");
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_under_a_key_takes_effect_once_also_after_a_restart() {
    let face = Face::new();
    let keyed = [("x-apikey", ROOT), ("idempotency-key", "k1")];
    let first = face.ask_with("POST", ORDERS, r#"{"n":1}"#, &keyed).await;
    assert_eq!(first.position(), first.body["position"].as_u64().unwrap());
    let later = face.post(ORDERS, r#"{"n":0}"#).await;
    assert!(later.position() > first.position());
    let again = face.ask_with("POST", ORDERS, r#"{"n":1}"#, &keyed).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.position(), first.position());
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = face.ask_with("POST", ORDERS, r#"{"n":2}"#, &keyed).await;
    assert_eq!(other.status, 422, "{}", other.body);
    let face = face.restart().await;
    let again = face.ask_with("POST", ORDERS, r#"{"n":1}"#, &keyed).await;
    assert_eq!((again.position(), &again.body), (first.position(), &first.body));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_defined_listed_and_dropped() {
    let face = Face::new();
    let made = face.ask("PUT", "/v1/collections/books", "{}").await;
    assert_eq!((made.status.as_u16(), &made.body["count"]), (201, &json!(0)), "{}", made.body);
    face.post("/v1/collections/books/documents", r#"{"t":1}"#).await;
    let all = face.get("/v1/collections").await;
    assert_eq!(all.body["collections"][0]["name"], "books");
    assert_eq!(all.body["collections"][0]["count"], 1);
    assert_eq!(all.body["next"], json!(null));
    let options = face.ask("PUT", "/v1/collections/books", r#"{"options":{"a":1}}"#).await;
    assert_eq!(options.code(), "unsupported");
    assert_eq!(face.ask("DELETE", "/v1/collections/books", "").await.status, 200);
    assert_eq!(face.get("/v1/collections/books").await.status, 404);
    assert_eq!(face.ask("DELETE", "/v1/collections/books", "").await.status, 404);
    face.stop().await;
}
