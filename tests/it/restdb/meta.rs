//! Metadata: what is told of collections, and defining them from it.

use serde_json::{Value, json};

use super::key;
use crate::harness::{Client, Server};

const META: &str = "/rest/_meta";

/// Every type there is, with every rule.
fn schema() -> Value {
    let name = json!({"fieldname": "name", "type": "text", "required": true, "unique": false, "description": "", "regex": "^[A-Z]"});
    let email = json!({"fieldname": "email", "type": "email", "required": false, "unique": true, "description": "where to write"});
    let plan = json!({"fieldname": "plan", "type": "option", "default": "free"});
    let firm = json!({"fieldname": "firm", "type": "collection", "collection": "firms"});
    let notes = json!({"fieldname": "notes", "type": "child list", "collection": "notes"});
    let kinds = [
        "number",
        "float_number",
        "money",
        "rich text",
        "date",
        "datetime",
        "time",
        "image",
        "file",
        "bool",
        "JSON",
    ];
    let plain = kinds.iter().map(|kind| json!({"fieldname": format!("a {kind}"), "type": kind}));
    let fields: Vec<Value> = [name, email, plan, firm, notes].into_iter().chain(plain).collect();
    json!({"collections": [
        {"name": "people", "description": "all of them", "icon": "user", "fields": fields},
        {"name": "firms", "fields": []},
    ]})
}

async fn collection_names(client: &Client) -> Vec<String> {
    let meta = client.get(META).await.expect(200).body;
    let all = meta["collections"].as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_one_server_tells_another_one_takes() {
    let (first, second) = (Server::start(), Server::start());
    let urls = [first.url(), second.url()];
    let (first, second) = (first.client(), second.client());
    first.put(META, &schema()).await.expect(200);
    let told = first.get(META).await.expect(200).body;
    let types: Vec<&str> = told["collections"][1]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["type"].as_str().unwrap())
        .collect();
    let wanted = [
        "text",
        "email",
        "text",
        "lookup many",
        "child list",
        "number",
        "number",
        "number",
        "text",
        "date",
        "datetime",
        "datetime",
        "image",
        "file",
        "bool",
        "JSON",
    ];
    assert_eq!(types, wanted);
    let plan = json!({"fieldname": "plan", "type": "text", "required": false, "unique": false, "description": "", "default": "free"});
    assert_eq!(told["collections"][1]["fields"][2], plan);
    let taken = second.post(META, &told).await.expect(200).body;
    // Each tells its own address.
    let here = |told: &Value| told.to_string().replace(&urls[0], "").replace(&urls[1], "");
    assert_eq!(here(&taken), here(&told));
    assert_eq!(second.get(META).await.expect(200).body, taken);
    for name in ["people", "firms"] {
        let path = format!("/v1/collections/{name}");
        let of = async |client: &Client| client.get(&path).await.expect(200).body["fields"].clone();
        assert_eq!(of(&first).await, of(&second).await, "{name}");
        let one = first.get(&format!("/rest/{name}/_meta")).await.expect(200).body;
        // One collection alone can be taken, too.
        second.put(META, &one).await.expect(200);
        assert_eq!(
            second.get(&format!("/rest/{name}/_meta")).await.expect(200).body["fields"],
            one["fields"]
        );
    }
    // And the rules hold.
    let refused = second.post("/rest/people", &json!({"name": "jane", "a money": "much"})).await;
    let list = refused.expect(400).body["list"].clone();
    let mut fields: Vec<_> =
        list.as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    fields.sort_by_key(Value::to_string);
    assert_eq!(fields, ["a money", "name"]);
    let made = second.post("/rest/people", &json!({"name": "Jane", "a money": "1.50"})).await;
    assert_eq!(made.expect(201).body["a money"], 1.5);
}

#[tokio::test]
async fn a_document_with_a_fault_changes_nothing() {
    let server = Server::start();
    let root = server.client();
    let good = json!({"name": "good", "fields": [{"fieldname": "a", "type": "text"}]});
    let faults = [
        (
            json!({"name": "bad", "fields": [{"fieldname": "place", "type": "geopoint"}]}),
            vec!["bad", "place", "geopoint"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "x", "type": "lookup"}]}),
            vec!["bad", "`x`", "collection"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "x", "type": "bool", "unique": true}]}),
            vec!["bad", "`x`", "unique"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "x", "type": "text", "regex": "("}]}),
            vec!["bad", "`x`", "pattern"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "n", "type": "number", "default": "x"}]}),
            vec!["bad", "`n`", "default"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "_id", "type": "text"}]}),
            vec!["bad", "_id"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "n", "type": "number", "formula": "1"}]}),
            vec!["bad", "`n`", "formula"],
        ),
        (
            json!({"name": "bad", "fields": [{"fieldname": "o", "type": "option", "options": []}]}),
            vec!["bad", "`o`", "options"],
        ),
        (json!({"name": "_users", "fields": []}), vec!["_users"]),
        (json!({"name": "good", "fields": []}), vec!["good", "twice"]),
        (json!({"name": "bad", "fields": [], "feilds": []}), vec!["bad", "feilds"]),
    ];
    for (fault, named) in faults {
        let refused = root.put(META, &json!({"collections": [good, fault]})).await.expect(400);
        for name in named {
            assert!(refused.body["message"].as_str().unwrap().contains(name), "{}", refused.text);
        }
    }
    assert_eq!(collection_names(&root).await, Vec::<String>::new());
    // What is found only while it is done says what was done before.
    root.post("/rest/taken", &json!([{"n": 1}, {"n": 1}])).await.expect(201);
    let unique =
        json!({"name": "taken", "fields": [{"fieldname": "n", "type": "number", "unique": true}]});
    let refused = root.put(META, &json!({"collections": [good, unique]})).await;
    let refused = refused.expect(409);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("`taken`") && message.contains("1 of 2"), "{message}");
    assert_eq!(collection_names(&root).await, ["good", "taken"]);
}

#[tokio::test]
async fn a_schema_that_is_there_stays() {
    let server = Server::start();
    let root = server.client();
    let path = "/v1/collections/people";
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    root.put(path, &json!({"schema": schema})).await.expect(201);
    let fields = json!([{"fieldname": "age", "type": "number"}]);
    root.put(META, &json!({"name": "people", "fields": fields})).await.expect(200);
    let defined = root.get(path).await.expect(200).body;
    assert_eq!(defined["schema"], schema);
    assert_eq!(defined["fields"], json!({"age": {"type": "number"}}));
}

#[tokio::test]
async fn only_what_may_be_read_is_told() {
    let server = Server::start();
    let root = server.client();
    let field = |name: &str| json!({"fieldname": name, "type": "text"});
    let collections = json!({"collections": [
        {"name": "people", "fields": [field("name"), field("secret")]},
        {"name": "firms", "fields": [field("title")]},
    ]});
    root.put(META, &collections).await.expect(200);
    root.without_key().get(META).await.expect(401);
    root.without_key().get("/rest/people/_meta").await.expect(401);
    let grant = json!({"collections": {"people": ["read"], "firms": ["create"]}, "fields": {"exclude": ["secret"]}});
    let reader = key(&root, json!({"grant": grant})).await;
    assert_eq!(collection_names(&reader).await, ["people"]);
    let one = reader.get("/rest/people/_meta").await.expect(200);
    assert_eq!(one.body["fields"].as_array().unwrap().len(), 1);
    assert!(!one.text.contains("secret"), "{}", one.text);
    reader.get("/rest/firms/_meta").await.expect(403);
    root.get("/rest/nothing/_meta").await.expect(404);
    root.get("/rest/_users/_meta").await.expect(404);
    // Defining needs full access.
    let settings = key(&root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    settings.put(META, &collections).await.expect(403);
    // A web key is told where its paths lead.
    let web = async |paths: Value| {
        let grant = json!({"paths": paths, "methods": ["GET"], "origins": ["*"]});
        key(&root, json!({"kind": "web", "grant": grant})).await
    };
    assert_eq!(collection_names(&web(json!(["/**"])).await).await, ["firms", "people"]);
    assert_eq!(collection_names(&web(json!(["/_meta", "/firms/**"])).await).await, ["firms"]);
    let narrow = web(json!(["/firms/**"])).await;
    narrow.get(META).await.expect(403);
    narrow.get("/rest/firms/_meta").await.expect(200);
    narrow.get("/rest/people/_meta").await.expect(403);
}
