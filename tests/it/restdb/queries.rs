//! Lists: `q`, `h` and the parameters, as RestDB's documents and its users' programs have them.

use serde_json::json;

use super::{Scene, id};

type Pairs<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn q_finds_what_its_operators_say() {
    let scene = Scene::new().await;
    let rows: [(&str, &[&str]); 22] = [
        (r#"{"name":"Joe"}"#, &["Joe"]),
        (r#"{"name":"joe"}"#, &[]),
        (r#"{"first-name":"Joe the Plumber"}"#, &["Joe"]),
        (r#"{"town":"Oslo","age":{"$gt":45}}"#, &["Jack"]),
        (r#"{"name":{"$not":"Joe"}}"#, &["Jane", "Jack"]),
        (r#"{"age":{"$not":{"$gt":40}}}"#, &["Jane"]),
        (r#"{"salary":{"$bt":[5000,7500]}}"#, &["Joe", "Jane"]),
        (r#"{"name":{"$in":["Joe","Jack"]}}"#, &["Joe", "Jack"]),
        (r#"{"name":{"$nin":["Joe","Jack"]}}"#, &["Jane"]),
        (r#"{"name":{"$regex":"^Ja"}}"#, &["Jane", "Jack"]),
        (r#"{"name":{"$regex":"^ja","$options":"i"}}"#, &["Jane", "Jack"]),
        (r#"{"$or":[{"name":"Joe"},{"age":{"$lt":40}}]}"#, &["Joe", "Jane"]),
        (r#"{"$and":[{"town":"Oslo"},{"age":42}]}"#, &["Joe"]),
        (r#"{"tags.0":{"$exists":true}}"#, &["Jane"]),
        (r#"{"tags":{"$elemMatch":{"$regex":"^bl"}}}"#, &["Jane"]),
        (r#"{"tags":"red"}"#, &["Jane"]),
        (r#"{"born":{"$gt":{"$date":"1980-01-01"}}}"#, &["Joe", "Jane"]),
        (r#"{"born":{"$lt":{"$date":"$currentYear"}}}"#, &["Joe", "Jane", "Jack"]),
        (r#"{"home._id":"5f1f77bcf86cd79943901122"}"#, &["Jack"]),
        (r#"{"_created":{"$lte":"$currentDate"}}"#, &["Joe", "Jane", "Jack"]),
        (r#"{"_created":{"$gt":{"$date":"$currentDate"}}}"#, &[]),
        (r#"{"_version":1,"_createdby":"api","name":"Joe"}"#, &["Joe"]),
    ];
    for (q, wanted) in rows {
        assert_eq!(scene.names(&[("q", q)]).await, wanted, "{q}");
    }
}

#[tokio::test]
async fn ids_are_compared_as_texts() {
    let scene = Scene::new().await;
    let all = scene.list(&[]).await.expect(200).body;
    let (joe, jack) = (id(&all[0]), id(&all[2]));
    let q = format!(r#"{{"_id":"{joe}"}}"#);
    assert_eq!(scene.names(&[("q", &q)]).await, ["Joe"]);
    let q = format!(r#"{{"$or":[{{"_id":{{"$in":["{jack}","{joe}"]}}}},{{"name":"x"}}]}}"#);
    assert_eq!(scene.names(&[("q", &q)]).await, ["Joe", "Jack"]);
    let q = format!(r#"{{"_id":{{"$not":"{joe}"}}}}"#);
    assert_eq!(scene.names(&[("q", &q)]).await, ["Jane", "Jack"]);
}

#[tokio::test]
async fn order_and_window_come_from_parameters_and_hints() {
    let scene = Scene::new().await;
    let rows: [(Pairs<'_>, &[&str]); 14] = [
        (&[("sort", "age")], &["Jane", "Joe", "Jack"]),
        (&[("sort", "age"), ("dir", "-1")], &["Jack", "Joe", "Jane"]),
        (
            &[("sort", "town"), ("sort", "age"), ("dir", "-1"), ("dir", "1")],
            &["Joe", "Jack", "Jane"],
        ),
        (&[("sort", "_created"), ("dir", "-1"), ("max", "3")], &["Joe", "Jane", "Jack"]),
        (&[("max", "1"), ("skip", "1")], &["Jane"]),
        (&[("max", "0")], &[]),
        (&[("h", r#"{"$max":2,"$orderby":{"age":-1}}"#)], &["Jack", "Joe"]),
        (&[("h", r#"{"$max":"1","$skip":"2"}"#)], &["Jack"]),
        // Hints win.
        (
            &[("h", r#"{"$orderby":{"age":1}}"#), ("sort", "age"), ("dir", "-1")],
            &["Jane", "Joe", "Jack"],
        ),
        (&[("h", "[]")], &["Joe", "Jane", "Jack"]),
        (&[("h", "undefined"), ("q", "")], &["Joe", "Jane", "Jack"]),
        (&[("filter", "oslo j")], &["Joe", "Jack"]),
        (&[("filter", "PLUMB"), ("q", r#"{"age":42}"#)], &["Joe"]),
        (&[("idtype", "x"), ("apply", "y"), ("q", "{}")], &["Joe", "Jane", "Jack"]),
    ];
    for (parameters, wanted) in rows {
        assert_eq!(scene.names(parameters).await, wanted, "{parameters:?}");
    }
    // As browsers and templates put query strings together.
    let odd = scene.root.get("/rest/people?&sort=age&q=%7B%7D").await.expect(200);
    assert_eq!(odd.body.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn fields_are_chosen_by_a_hint() {
    let scene = Scene::new().await;
    let shown = |body: &serde_json::Value| -> Vec<String> {
        body[0].as_object().unwrap().keys().cloned().collect()
    };
    let joe = ("q", r#"{"name":"Joe"}"#);
    let hint = |h| [joe, ("h", h)];
    let some = scene.list(&hint(r#"{"$fields":{"name":1}}"#)).await.expect(200);
    assert_eq!(shown(&some.body), ["_id", "name"]);
    let some = scene.list(&hint(r#"{"$fields":{"name":1,"_version":1}}"#)).await.expect(200);
    assert_eq!((&some.body[0]["_version"], some.body[0].get("_created")), (&json!(1), None));
    let some = scene.list(&hint(r#"{"$fields":{"name":0}}"#)).await.expect(200);
    assert!(!shown(&some.body).contains(&"name".to_owned()));
    assert!(!shown(&some.body).contains(&"_created".to_owned()));
    scene.list(&hint(r#"{"$fields":{"name":1,"age":0}}"#)).await.expect(400);
    let some = scene.list(&[joe, ("h", r#"{"$fields":{"name":1}}"#), ("metafields", "true")]).await;
    assert_eq!(some.expect(200).body[0]["_createdby"], "api");
}

#[tokio::test]
async fn totals_say_how_many_match() {
    let scene = Scene::new().await;
    let oslo = ("q", r#"{"town":"Oslo"}"#);
    let found = scene.list(&[oslo, ("totals", "true"), ("max", "1")]).await.expect(200);
    assert_eq!(found.body["totals"], json!({"total": 2, "count": 1, "skip": 0, "max": 1}));
    assert_eq!(found.body["data"][0]["name"], "Joe");
    let pagination: serde_json::Value = serde_json::from_str(found.header("x-pagination")).unwrap();
    assert_eq!(pagination, found.body["totals"]);
    let counted = scene.list(&[oslo, ("totals", "true"), ("count", "true"), ("skip", "1")]).await;
    let totals = json!({"total": 2, "count": 2, "skip": 0, "max": 1000});
    assert_eq!(counted.expect(200).body, json!({"data": [], "totals": totals}));
    let plain = scene.list(&[("max", "2")]).await.expect(200);
    let pagination: serde_json::Value = serde_json::from_str(plain.header("x-pagination")).unwrap();
    assert_eq!(pagination, json!({"count": 2, "skip": 0, "max": 2}));
}

#[tokio::test]
async fn different_values_come_as_a_bare_array() {
    let scene = Scene::new().await;
    let q = ("q", r#"{"$distinct":"town"}"#);
    assert_eq!(scene.list(&[q]).await.expect(200).body, json!(["Bergen", "Oslo"]));
    let down = scene.list(&[q, ("sort", "town"), ("dir", "-1")]).await.expect(200);
    assert_eq!(down.body, json!(["Oslo", "Bergen"]));
    let old = ("q", r#"{"$distinct":"town","age":{"$gt":40}}"#);
    assert_eq!(scene.list(&[old]).await.expect(200).body, json!(["Oslo"]));
    let by = ("q", r#"{"$distinct":"_createdby"}"#);
    assert_eq!(scene.list(&[by]).await.expect(200).body, json!(["api"]));
}

#[tokio::test]
async fn what_the_engine_knows_is_never_what_a_document_says() {
    let scene = Scene::new().await;
    // Another face stores what it is given, and an index has it.
    let forged = json!([
        {"name": "Old", "_created": "1900-01-01T00:00:00.000Z", "_version": 9},
        {"name": "New", "_created": "2999-01-01T00:00:00.000Z", "_createdby": "boss"},
    ]);
    scene.root.post("/v1/collections/people/documents", &forged).await.expect(201);
    for (name, keys) in [("created", json!({"_created": 1})), ("by", json!({"_createdby": 1}))] {
        let path = format!("/v1/collections/people/indexes/{name}");
        scene.root.put(&path, &json!({"keys": keys})).await.expect(201);
        crate::harness::eventually("the index", async || {
            let shown = scene.root.get(&path).await.expect(200);
            (shown.body["state"] == "ready").then_some(())
        })
        .await;
    }
    for q in [
        r#"{"_created":{"$lt":"1950"}}"#,
        r#"{"_created":{"$gt":"2900"}}"#,
        r#"{"_createdby":"boss"}"#,
        r#"{"_version":9}"#,
    ] {
        assert!(scene.names(&[("q", q)]).await.is_empty(), "{q}");
        let counted = [("q", q), ("totals", "true"), ("count", "true")];
        assert_eq!(scene.list(&counted).await.expect(200).body["totals"]["count"], 0, "{q}");
    }
    let by = [("q", r#"{"_createdby":"api"}"#), ("sort", "_created"), ("metafields", "true")];
    assert_eq!(scene.names(&by).await, ["Joe", "Jane", "Jack", "Old", "New"]);
    let first = [("sort", "_created"), ("max", "1")];
    assert_eq!(scene.names(&first).await, ["Joe"]);
    let shown = scene.list(&[]).await.expect(200);
    assert!(!shown.text.contains("_created"), "{}", shown.text);
    let grouped = scene.list(&[("groupby", "_createdby"), ("aggregate", "COUNT:")]).await;
    assert_eq!(grouped.expect(200).body, json!({"api": {"COUNT ": 5}}));
}

#[tokio::test]
async fn more_than_a_thousand_come_only_where_they_are_asked_for() {
    let scene = Scene::new().await;
    let many: Vec<_> = (0..1100).map(|n| json!({"n": n})).collect();
    scene.root.post("/rest/people", &json!(many)).await.expect(201);
    assert_eq!(scene.list(&[]).await.body.as_array().unwrap().len(), 1000);
    assert_eq!(scene.list(&[("max", "1050")]).await.body.as_array().unwrap().len(), 1050);
}

#[tokio::test]
async fn other_formats_are_asked_for_by_suffix_or_parameter() {
    let scene = Scene::new().await;
    scene.root.post("/rest/people", &json!({"name": "<script>x</script>"})).await.expect(201);
    let rows = [
        ("/rest/people.html", "text/html; charset=utf-8", "<table>"),
        ("/rest/people?format=html", "text/html; charset=utf-8", "<table>"),
        ("/rest/people.js", "application/javascript; charset=utf-8", "document.write("),
        ("/rest/people.json", "application/json", "["),
    ];
    for (path, kind, start) in rows {
        let answer = scene.root.get(path).await.expect(200);
        assert_eq!(answer.header("content-type"), kind, "{path}");
        assert!(answer.text.starts_with(start), "{path}: {}", answer.text);
        assert!(kind == "application/json" || !answer.text.contains("<script"), "{path}");
    }
    scene.root.get("/rest/people.xml").await.expect(406);
    scene.root.get("/rest/people?format=xml").await.expect(406);
    // A single document has no other format.
    let list = scene.list(&[]).await.expect(200).body;
    let id = super::id(&list[0]);
    for path in ["people.html/ID", "people.js/ID", "people.csv/ID", "people/ID?format=html"] {
        let path = format!("/rest/{}", path.replace("ID", id));
        assert_eq!(scene.root.get(&path).await.expect(200).body, list[0], "{path}");
    }
    scene.root.get(&format!("/rest/people.xml/{id}")).await.expect(406);
}
