//! Children: their paths, their rights, and `fetchchildren`.

use serde_json::{Value, json};

use super::{asked, id, key};
use crate::harness::{Client, Server};

/// Customers with notes, and others.
pub(super) struct Shop {
    /// Stops when it is dropped.
    _server: Server,
    pub(super) root: Client,
    /// The id of a customer.
    pub(super) ann: String,
    pub(super) bob: String,
}

impl Shop {
    pub(super) async fn new() -> Self {
        let server = Server::start();
        let root = server.client();
        let fields = json!({"fields": {
            "notes": {"type": "child", "collection": "notes"},
            "calls": {"type": "child", "collection": "notes"},
            "age": {"type": "number"},
        }});
        root.put("/v1/collections/customers", &fields).await.expect(201);
        let both = json!([{"name": "Ann", "town": "Oslo"}, {"name": "Bob", "town": "Bergen"}]);
        let both = root.post("/rest/customers", &both).await.expect(201).body;
        let (ann, bob) = (id(&both[0]).to_owned(), id(&both[1]).to_owned());
        Self { _server: server, root, ann, bob }
    }

    /// The notes of a customer.
    fn notes(&self, customer: &str) -> String {
        format!("/rest/customers/{customer}/notes")
    }

    /// Adds a note.
    async fn note(&self, customer: &str, text: &str) -> Value {
        self.root.post(&self.notes(customer), &json!({"text": text})).await.expect(201).body
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

fn message(refused: &crate::harness::Answer) -> &str {
    refused.body["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_child_lives_in_its_own_collection_and_names_its_parent() {
    let shop = Shop::new().await;
    let (root, path) = (&shop.root, shop.notes(&shop.ann));
    assert_eq!(root.get(&path).await.expect(200).body, json!([]), "before there are any");
    let made = shop.note(&shop.ann, "one").await;
    let parent = json!([shop.ann, "customers", "notes"]);
    let said = |one: &Value| json!([one["_parent_id"], one["_parent_def"], one["_parent_field"]]);
    assert_eq!(said(&made), parent);
    assert_eq!(made["_createdby"], "api");
    let bare = json!({"_id": made["_id"], "text": "one", "_parent_id": shop.ann,
        "_parent_def": "customers", "_parent_field": "notes"});
    let one = format!("{path}/{}", id(&made));
    for path in [&one, &format!("/rest/notes/{}", id(&made))] {
        assert_eq!(root.get(path).await.expect(200).body, bare);
    }
    assert_eq!(root.get(&path).await.expect(200).body, json!([bare]));
    assert_eq!(root.get(&format!("{one}?metafields=true")).await.expect(200).body["_version"], 1);
    // The parent is not changed.
    let ann = root.get(&format!("/rest/customers/{}?metafields=true", shop.ann)).await;
    assert_eq!(ann.expect(200).body["_version"], 1);
    // The same by its own collection.
    let sent = json!({"text": "two", "_parent_id": shop.ann, "_parent_def": "customers", "_parent_field": "notes"});
    root.post("/rest/notes", &sent).await.expect(201);
    assert_eq!(texts(&root.get(&path).await.expect(200).body), ["one", "two"]);
    // The path says whose it is, not the body.
    let sent = json!({"text": "three", "_parent_id": shop.bob, "_parent_field": "calls"});
    assert_eq!(said(&root.post(&path, &sent).await.expect(201).body), parent);
    assert_eq!(root.get(&shop.notes(&shop.bob)).await.expect(200).body, json!([]));
    assert_eq!(
        root.get(&format!("/rest/customers/{}/calls", shop.ann)).await.expect(200).body,
        json!([])
    );
}

#[tokio::test]
async fn several_children_are_made_all_or_none() {
    let shop = Shop::new().await;
    let (root, path) = (&shop.root, shop.notes(&shop.ann));
    let made = root.post(&path, &json!([{"text": "a"}, {"text": "b"}])).await.expect(201).body;
    assert_eq!(texts(&made), ["a", "b"]);
    let taken = json!([{"text": "c"}, {"text": "d", "_id": made[0]["_id"]}]);
    let refused = root.post(&path, &taken).await.expect(400);
    assert_eq!(refused.body["list"][0]["message"][1], "UNIQUE");
    assert_eq!(texts(&root.get(&path).await.expect(200).body), ["a", "b"]);
    assert_eq!(root.post(&path, &json!([])).await.expect(201).body, json!([]));
}

#[tokio::test]
async fn children_are_asked_for_as_documents_are() {
    let shop = Shop::new().await;
    for text in ["b", "a", "c"] {
        shop.note(&shop.ann, text).await;
        shop.note(&shop.bob, text).await;
    }
    let path = shop.notes(&shop.ann);
    let list = async |parameters: &[(&str, &str)]| {
        shop.root.get(&asked(&path, parameters)).await.expect(200).body
    };
    assert_eq!(texts(&list(&[("sort", "text"), ("dir", "-1")]).await), ["c", "b", "a"]);
    assert_eq!(texts(&list(&[("q", r#"{"text":{"$gt":"a"}}"#), ("max", "1")]).await), ["b"]);
    assert_eq!(texts(&list(&[("q", r#"{"$or":[{"text":"a"},{"text":"c"}]}"#)]).await), ["a", "c"]);
    // A query cannot reach beyond the parent.
    let q = format!(r#"{{"$or":[{{"_parent_id":"{}"}}]}}"#, shop.bob);
    assert_eq!(list(&[("q", &q)]).await, json!([]));
    let counted = list(&[("totals", "true"), ("count", "true")]).await;
    assert_eq!(counted["totals"]["count"], 3);
    assert_eq!(list(&[("q", r#"{"$distinct":"text"}"#)]).await, json!(["a", "b", "c"]));
    assert_eq!(list(&[("aggregate", "COUNT:")]).await, json!({"COUNT ": 3}));
    let shown = list(&[("h", r#"{"$fields":{"text":1},"$max":1}"#)]).await;
    assert_eq!(shown[0].as_object().unwrap().len(), 2, "{shown}");
    assert_eq!(texts(&list(&[("filter", "C")]).await), ["c"]);
}

#[tokio::test]
async fn children_are_changed_and_stay_with_their_parent() {
    let shop = Shop::new().await;
    let root = &shop.root;
    let made = shop.note(&shop.ann, "one").await;
    let path = format!("{}/{}", shop.notes(&shop.ann), id(&made));
    let moved = json!({"text": "two", "_parent_id": shop.bob, "_parent_def": "x", "$set": {"_parent_field": "calls"}});
    for method in ["PUT", "PATCH"] {
        let changed = root.send(root.request(method, &path).json(&moved)).await.expect(200).body;
        assert_eq!(changed["text"], "two");
        for member in ["_id", "_parent_id", "_parent_def", "_parent_field", "_created"] {
            assert_eq!(changed[member], made[member], "{method} {member}");
        }
    }
    root.put(&path, &json!({"n": 1, "$push": {"list": 2}})).await.expect(200);
    let changed = root.put(&path, &json!({"$inc": {"n": 1}, "$unset": {"_parent_id": 1}})).await;
    assert_eq!(
        (&changed.expect(200).body["n"], &json!(shop.ann)),
        (&json!(2), &made["_parent_id"])
    );
    let refused = root.put(&path, &json!({"$rename": {"text": "_parent_id"}})).await.expect(400);
    assert!(message(&refused).contains("_parent_id"), "{}", refused.text);
    let named = root.request("POST", &path).header("x-http-method-override", "PUT");
    root.send(named.json(&json!({"text": "three"}))).await.expect(200);
    // The suffix is the collection's.
    let html = root.get(&format!("/rest/customers.html/{}/notes", shop.ann)).await.expect(200);
    assert!(html.text.starts_with("<table>") && html.text.contains("three"), "{}", html.text);
    // By its own collection a child can be given away.
    root.put(&format!("/rest/notes/{}", id(&made)), &json!({"_parent_id": shop.bob}))
        .await
        .expect(200);
    root.get(&path).await.expect(404);
    root.get(&format!("{}/{}", shop.notes(&shop.bob), id(&made))).await.expect(200);
}

#[tokio::test]
async fn children_are_deleted_within_their_parent() {
    let shop = Shop::new().await;
    let root = &shop.root;
    let (anns, bobs) = (shop.notes(&shop.ann), shop.notes(&shop.bob));
    let mut ids = Vec::new();
    for customer in [&shop.ann, &shop.bob, &shop.ann, &shop.ann, &shop.bob] {
        ids.push(id(&shop.note(customer, "x").await).to_owned());
    }
    let gone = root.delete(&format!("{anns}/{}", ids[0])).await.expect(200);
    assert_eq!(gone.body, json!({"result": [ids[0]]}));
    root.delete(&format!("{anns}/{}", ids[0])).await.expect(404);
    root.delete(&format!("{anns}/{}", ids[1])).await.expect(404);
    let several =
        root.request("DELETE", &format!("{anns}/*")).json(&json!([ids[1], ids[2], "none"]));
    assert_eq!(root.send(several).await.expect(200).body, json!({"result": [ids[2]]}));
    root.delete(&format!("{anns}/*")).await.expect(400);
    let all = asked(&format!("{anns}/*"), &[("q", "{}")]);
    let most = key(&shop.root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    most.delete(&all).await.expect(403);
    assert_eq!(root.delete(&all).await.expect(200).body, json!({"result": [ids[3]]}));
    let by_fact = asked(&format!("{anns}/*"), &[("q", r#"{"_version":1}"#)]);
    assert_eq!(root.delete(&by_fact).await.expect(200).body, json!({"result": []}));
    assert_eq!(root.get(&bobs).await.expect(200).body.as_array().unwrap().len(), 2);
    // Children stay when their parent goes, and are reached by their own collection.
    root.delete(&format!("/rest/customers/{}", shop.bob)).await.expect(200);
    root.get(&bobs).await.expect(404);
    assert_eq!(root.get("/rest/notes").await.expect(200).body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_no_list_of_children_is_404_and_says_so() {
    let shop = Shop::new().await;
    let root = &shop.root;
    let note = id(&shop.note(&shop.ann, "one").await).to_owned();
    let nobody = "5f1f77bcf86cd79943901122";
    let rows = [
        ("GET", format!("/rest/nothing/{nobody}/notes"), "`nothing`"),
        ("GET", shop.notes(nobody), nobody),
        ("POST", shop.notes(nobody), nobody),
        ("GET", shop.notes("not-an-id"), "not-an-id"),
        ("GET", format!("/rest/customers/{}/ideas", shop.ann), "no field `ideas`"),
        ("POST", format!("/rest/customers/{}/ideas", shop.ann), "no field `ideas`"),
        (
            "GET",
            format!("/rest/customers/{}/age", shop.ann),
            "`age` of `customers` is not of the type child",
        ),
        ("GET", format!("/rest/notes/{note}/notes"), "no field `notes`"),
        ("GET", format!("{}/{nobody}", shop.notes(&shop.ann)), nobody),
        ("GET", format!("{}/{note}", shop.notes(&shop.bob)), &note),
        ("PUT", format!("{}/{note}", shop.notes(&shop.bob)), &note),
        ("PATCH", format!("{}/{note}", shop.notes(&shop.bob)), &note),
        ("DELETE", format!("{}/{note}", shop.notes(&shop.bob)), &note),
        ("GET", format!("/rest/customers/{}/calls/{note}", shop.ann), &note),
    ];
    for (method, path, wanted) in &rows {
        let request = root.request(method, path);
        let request =
            if *method == "GET" { request } else { request.json(&json!({"text": "new"})) };
        let refused = root.send(request).await.expect(404);
        assert_eq!(refused.body["name"], "NotFound");
        assert!(message(&refused).contains(wanted), "{method} {path}: {}", refused.text);
    }
    assert_eq!(texts(&root.get("/rest/notes").await.expect(200).body), ["one"]);
}

#[tokio::test]
async fn a_key_of_one_sub_collection_reaches_just_that() {
    let shop = Shop::new().await;
    let notes = shop.notes(&shop.ann);
    let own = id(&shop.note(&shop.ann, "ann's").await).to_owned();
    let others = id(&shop.note(&shop.bob, "bob's").await).to_owned();
    let path = format!("/customers/{}/notes", shop.ann);
    let page = "https://shop.example";
    for grant in [
        json!({"origins": [page], "paths": [path, format!("{path}/*")]}),
        json!({"origins": [page], "collections": {"customers": ["read"], "notes": ["*"]}, "paths": [path, format!("{path}/*")]}),
    ] {
        let web = key(&shop.root, json!({"kind": "web", "grant": grant})).await;
        assert_eq!(texts(&web.get(&notes).await.expect(200).body), ["ann's"]);
        let made = web.post(&notes, &json!({"text": "more", "_parent_id": shop.bob})).await;
        let made = made.expect(201).body;
        assert_eq!(made["_parent_id"], shop.ann.as_str());
        let one = format!("{notes}/{}", id(&made));
        web.put(&one, &json!({"text": "most", "_parent_id": shop.bob})).await.expect(200);
        web.put(&one, &json!({"$rename": {"text": "_parent_id"}})).await.expect(400);
        web.delete(&one).await.expect(200);
        // Neither other parents' children, nor by another path.
        web.get(&format!("{notes}/{others}")).await.expect(404);
        web.put(&format!("{notes}/{others}"), &json!({"text": "mine"})).await.expect(404);
        web.delete(&format!("{notes}/{others}")).await.expect(404);
        let several = web.request("DELETE", &format!("{notes}/*")).json(&json!([others]));
        assert_eq!(web.send(several).await.expect(200).body, json!({"result": []}));
        let q = format!(r#"{{"_parent_id":"{}"}}"#, shop.bob);
        assert_eq!(web.get(&asked(&notes, &[("q", &q)])).await.expect(200).body, json!([]));
        for path in [
            shop.notes(&shop.bob),
            "/rest/notes".to_owned(),
            format!("/rest/notes/{own}"),
            "/rest/customers".to_owned(),
            format!("/rest/customers/{}", shop.ann),
            format!("/rest/customers/{}/calls", shop.ann),
        ] {
            web.get(&path).await.expect(403);
        }
        web.post("/rest/notes", &json!({"_parent_id": shop.bob})).await.expect(403);
    }
    let grant = json!({"origins": [page], "paths": ["/customers/*/notes"]});
    let all = key(&shop.root, json!({"kind": "web", "grant": grant})).await;
    all.get(&notes).await.expect(200);
    all.get(&shop.notes(&shop.bob)).await.expect(200);
    all.get(&format!("{notes}/{own}")).await.expect(403);
}

#[tokio::test]
async fn rights_are_those_on_the_parent_and_on_the_childrens_collection() {
    let shop = Shop::new().await;
    let notes = shop.notes(&shop.ann);
    let own = id(&shop.note(&shop.ann, "public").await).to_owned();
    shop.note(&shop.ann, "secret").await;
    let one = format!("{notes}/{own}");
    let with = async |grant: Value| key(&shop.root, json!({"grant": grant})).await;
    let reader =
        with(json!({"collections": {"customers": ["read"], "notes": ["read", "search"]}})).await;
    assert_eq!(texts(&reader.get(&notes).await.expect(200).body), ["public", "secret"]);
    reader.post(&notes, &json!({})).await.expect(403);
    reader.put(&one, &json!({"text": "x"})).await.expect(403);
    reader.delete(&one).await.expect(403);
    let writer = with(json!({"collections": {"customers": ["read"], "notes": ["create"]}})).await;
    writer.get(&notes).await.expect(403);
    writer.post(&notes, &json!({"text": "blind"})).await.expect(201);
    let parent_alone = with(json!({"collections": {"customers": ["*"]}})).await;
    for (method, path) in
        [("GET", &notes), ("POST", &notes), ("GET", &one), ("PUT", &one), ("DELETE", &one)]
    {
        let request = parent_alone.request(method, path);
        let request = if method == "GET" { request } else { request.json(&json!({"n": 1})) };
        let refused = parent_alone.send(request).await;
        assert!(matches!(refused.status, 403 | 404), "{method} {path}: {}", refused.status);
        assert!(!refused.text.contains("public"));
    }
    let children_alone = with(json!({"collections": {"notes": ["*"]}})).await;
    children_alone.get(&notes).await.expect(403);
    // Who may not see the parent is told that it is not there.
    let grant = json!({"collections": {"customers": ["read"], "notes": ["*"]}, "read_filter": {"town": "Bergen"}});
    let bergen = with(grant).await;
    for request in [
        bergen.request("GET", &notes),
        bergen.request("POST", &notes).json(&json!({})),
        bergen.request("DELETE", &one),
    ] {
        assert!(message(&bergen.send(request).await.expect(404)).contains(&shop.ann));
    }
}

#[tokio::test]
async fn filters_and_fields_of_roles_hold_for_children() {
    let shop = Shop::new().await;
    let notes = shop.notes(&shop.ann);
    let public =
        json!([{"text": "public", "open": true, "price": 5}, {"text": "secret", "open": false}]);
    let made = shop.root.post(&notes, &public).await.expect(201).body;
    let rights =
        json!({"read": true, "search": true, "create": true, "update": true, "delete": true});
    let role = json!({"collections": {
        "customers": rights,
        "notes": {"read": {"open": true}, "search": {"open": true}, "update": {"open": true}, "delete": {"open": true},
            "fields": {"exclude": ["price"]}},
    }});
    shop.root.put("/v1/roles/open", &role).await.expect(201);
    let some = key(&shop.root, json!({"grant": {"roles": ["open"]}})).await;
    let list = some.get(&notes).await.expect(200);
    assert_eq!(texts(&list.body), ["public"]);
    assert!(!list.text.contains("price"));
    let secret = format!("{notes}/{}", id(&made[1]));
    some.get(&secret).await.expect(404);
    some.put(&secret, &json!({"text": "x"})).await.expect(404);
    some.delete(&secret).await.expect(404);
    some.put(&format!("{notes}/{}", id(&made[0])), &json!({"text": "new"})).await.expect(200);
    let whole = shop.root.get(&format!("/rest/notes/{}", id(&made[0]))).await.expect(200).body;
    assert_eq!((&whole["text"], &whole["price"]), (&json!("new"), &json!(5)));
    // A field of the parent that is hidden is none.
    let hidden = json!({"collections": {"customers": {"read": true, "fields": {"exclude": ["notes"]}}, "notes": rights}});
    shop.root.put("/v1/roles/blind", &hidden).await.expect(201);
    let blind = key(&shop.root, json!({"grant": {"roles": ["blind"]}})).await;
    assert!(message(&blind.get(&notes).await.expect(404)).contains("no field `notes`"));
    let page = blind.get("/rest/customers?fetchchildren=true").await.expect(200);
    assert!(
        page.body[0].get("notes").is_none() && page.body[0]["calls"] == json!([]),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn children_are_embedded_where_that_is_asked_for() {
    let shop = Shop::new().await;
    let root = &shop.root;
    for (customer, text) in [(&shop.ann, "first"), (&shop.bob, "second"), (&shop.ann, "third")] {
        shop.note(customer, text).await;
    }
    root.post(&format!("/rest/customers/{}/calls", shop.ann), &json!({"text": "ring"}))
        .await
        .expect(201);
    let page = root.get("/rest/customers?fetchchildren=true&sort=name").await.expect(200).body;
    let of = |customer: usize, field: &str| {
        texts(&page[customer][field]).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        (of(0, "notes"), of(0, "calls")),
        (vec!["first".into(), "third".into()], vec!["ring".into()])
    );
    assert_eq!((of(1, "notes"), of(1, "calls").len()), (vec!["second".to_owned()], 0));
    assert!(page[0]["notes"][0].get("_created").is_none());
    let one =
        root.get(&format!("/rest/customers/{}?fetchchildren=true&metafields=true", shop.ann)).await;
    assert_eq!(one.expect(200).body["notes"][0]["_version"], 1);
    assert!(root.get("/rest/customers").await.body[0].get("notes").is_none());
    // Fields that are not wanted are not fetched.
    let few = asked(
        "/rest/customers",
        &[("fetchchildren", "true"), ("h", r#"{"$fields":{"name":1,"calls":1}}"#)],
    );
    let few = root.get(&few).await.expect(200).body;
    assert!(few[0].get("notes").is_none() && few[0]["calls"][0]["text"] == "ring", "{few}");
    // Who may not read them gets none.
    let reader = key(&shop.root, json!({"grant": {"collections": {"customers": ["read"]}}})).await;
    let page = reader.get("/rest/customers?fetchchildren=true").await.expect(200);
    assert_eq!(page.body[0]["notes"], json!([]));
    assert!(!page.text.contains("first"));
    let by_path = key(&shop.root, json!({"grant": {"paths": ["/customers"]}})).await;
    let page = by_path.get("/rest/customers?fetchchildren=true").await.expect(200);
    assert_eq!(page.body[0]["notes"], json!([]), "its paths do not cover them");
    let path = format!("/customers/{}/notes", shop.ann);
    let by_path = key(&shop.root, json!({"grant": {"paths": ["/customers", path]}})).await;
    let page = by_path.get("/rest/customers?fetchchildren=true&sort=name").await.expect(200).body;
    assert_eq!((texts(&page[0]["notes"]), &page[1]["notes"]), (vec!["first", "third"], &json!([])));
    assert_eq!(page[0]["calls"], json!([]));
}

#[tokio::test]
async fn children_of_more_parents_than_one_query_takes_are_embedded() {
    let server = Server::with(&[
        ("HEADWATER_LIMITS__QUERY_IN_VALUES", "7"),
        ("HEADWATER_LIMITS__QUERY_RESULT_BYTES", "20000"),
    ]);
    let root = server.client();
    let fields = json!({"fields": {"notes": {"type": "child", "collection": "notes"}}});
    root.put("/v1/collections/customers", &fields).await.expect(201);
    let many: Vec<_> = (0..20).map(|n| json!({"n": n})).collect();
    let made = root.post("/rest/customers", &json!(many)).await.expect(201).body;
    for customer in made.as_array().unwrap() {
        let path = format!("/rest/customers/{}/notes", id(customer));
        root.post(&path, &json!({"n": customer["n"]})).await.expect(201);
    }
    let page = root.get("/rest/customers?fetchchildren=true").await.expect(200).body;
    for customer in page.as_array().unwrap() {
        assert_eq!(customer["notes"].as_array().unwrap().len(), 1);
        assert_eq!(customer["n"], customer["notes"][0]["n"]);
    }
    // What is embedded counts for the size of the answer.
    let path = format!("/rest/customers/{}/notes", id(&made[0]));
    for n in 0..2 {
        root.post(&path, &json!({"text": "x".repeat(9000), "n": n})).await.expect(201);
    }
    let refused = root.get("/rest/customers?fetchchildren=true").await.expect(400);
    assert!(message(&refused).contains("limits.query_result_bytes"), "{}", refused.text);
    root.get("/rest/customers?fetchchildren=true&skip=1").await.expect(200);
}

#[tokio::test]
async fn a_parent_that_goes_meanwhile_leaves_whole_children() {
    let shop = Shop::new().await;
    let notes = shop.notes(&shop.ann);
    let mut made = 0;
    let adding = async {
        loop {
            let added = shop.root.post(&notes, &json!([{"n": 1}, {"n": 2}])).await;
            match added.status {
                201 => made += 2,
                404 => return,
                other => panic!("{other}: {}", added.text),
            }
        }
    };
    let deleting = async {
        crate::harness::eventually("some children", async || {
            let found = shop.root.get("/rest/notes?totals=true&count=true").await;
            (found.status == 200 && found.body["totals"]["count"].as_u64() > Some(4)).then_some(())
        })
        .await;
        shop.root.delete(&format!("/rest/customers/{}", shop.ann)).await.expect(200);
    };
    tokio::join!(adding, deleting);
    let counted = shop.root.get("/rest/notes?totals=true&count=true").await.expect(200).body;
    assert_eq!(counted["totals"]["count"], made);
    let q = format!(r#"{{"_parent_id":"{}","_parent_def":"customers"}}"#, shop.ann);
    let left = [("q", q.as_str()), ("totals", "true"), ("count", "true")];
    let left = shop.root.get(&asked("/rest/notes", &left)).await.expect(200).body;
    assert_eq!(left["totals"]["count"], made);
}
