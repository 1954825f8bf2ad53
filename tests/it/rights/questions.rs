//! Everything that can be asked, of what may be seen and of what may not.

use serde_json::{Value, json};

use super::documents::History;
use super::{THINGS, Watch};
use crate::harness::Client;

const PATHS: [&str; 9] = ["a", "b.c", "b.d", "b", "e.f", "e.g", "e", "h", "owner"];

/// Reads of every sort.
pub(super) async fn reads(caller: &Client, watch: &Watch<'_>, history: &History) {
    let documents = format!("{THINGS}/documents");
    for path in [
        documents.clone(),
        format!("{documents}?limit=3"),
        format!("{documents}?projection={{\"a\":1,\"e.g\":1}}"),
        THINGS.to_owned(),
        format!("{THINGS}/indexes"),
        "/v1/collections".to_owned(),
    ] {
        watch.now(&path, &caller.get(&path).await.text);
    }
    let mut visible = 0;
    for document in history.now.values() {
        let path = format!("{documents}/{}", document.id);
        let answer = caller.get(&path).await;
        let admitted = watch.plain.admits(document);
        assert_eq!(answer.status, if admitted { 200 } else { 404 }, "{path}: {}", answer.text);
        visible += u64::from(admitted);
        watch.now(&path, &answer.text);
        watch.ever("history", &caller.get(&format!("{path}/history")).await.text);
    }
    let at = history.last / 2;
    watch.ever("at", &caller.get(&format!("{documents}?at={at}")).await.text);
    let counted = query(caller, &json!({"count": true, "limit": 1})).await;
    assert_eq!(counted["count"], visible, "{:?}", watch.plain);
    by_path(caller, watch, history, visible).await;
    pipelines(caller, watch).await;
}

/// Every path, shown or not, in filters, sorts, groups and distinct.
async fn by_path(caller: &Client, watch: &Watch<'_>, history: &History, visible: u64) {
    for path in PATHS {
        let hidden = ["a", "b.c", "b.d", "e.f", "e.g", "h", "owner"]
            .iter()
            .filter(|leaf| **leaf == path || leaf.starts_with(&format!("{path}.")))
            .all(|leaf| !watch.plain.fields.show(leaf));
        let sorted = query(caller, &json!({"sort": {path: -1}, "limit": 2})).await;
        watch.now("a sort", &sorted.to_string());
        let some =
            query(caller, &json!({"filter": {path: {"$exists": true}}, "count": true})).await;
        let none = json!({"filter": {path: null}, "count": true, "sort": {path: 1}});
        let none = query(caller, &none).await;
        watch.now("a filter", &some.to_string());
        // Of an object whose members are hidden it may be told that it is there.
        if hidden && !["b", "e"].contains(&path) {
            assert_eq!(some["count"], 0, "{path} of {:?}", watch.plain);
            assert_eq!(none["count"], visible, "{path} of {:?}", watch.plain);
        }
        let explained = json!({"filter": {path: {"$gt": "tok8"}}, "explain": true});
        let examined = query(caller, &explained).await["plan"]["examined"].as_u64().unwrap();
        assert!(examined <= visible, "{path}: {examined} of {visible} were examined");
        let distinct = caller.post(&format!("{THINGS}/distinct"), &json!({"field": path})).await;
        watch.now("distinct", &distinct.expect(200).text);
    }
    for document in history.now.values() {
        let admitted = watch.plain.admits(document);
        for (path, token) in document.leaves() {
            let answer = query(caller, &json!({"filter": {&path: token}, "count": true})).await;
            let found = u64::from(admitted && watch.plain.fields.show(&path));
            assert_eq!(answer["count"], found, "{path} of {:?}", watch.plain);
        }
        let token = &document.leaves()[0].1;
        let regex = json!({"filter": {"a": {"$regex": token}}, "count": true});
        let expression = json!({"filter": {"$expr": {"$eq": ["$a", token]}}, "count": true});
        let text = json!({"filter": {"$text": {"$search": token}}, "count": true});
        let found = u64::from(admitted && watch.plain.fields.show("a"));
        for body in [regex, expression, text] {
            assert_eq!(query(caller, &body).await["count"], found, "{body} {:?}", watch.plain);
        }
    }
}

async fn pipelines(caller: &Client, watch: &Watch<'_>) {
    let lookup =
        json!({"from": "things", "localField": "owner", "foreignField": "owner", "as": "x"});
    for pipeline in [
        json!([{"$group": {"_id": "$a", "n": {"$sum": 1}}}]),
        json!([{"$group": {"_id": null, "all": {"$push": "$$ROOT"}}}]),
        json!([{"$project": {"x": {"$objectToArray": "$$ROOT"}}}]),
        json!([{"$project": {"x": {"$getField": "b"}, "y": "$e.g"}}]),
        json!([{"$limit": 2}, {"$lookup": lookup}]),
        json!([{"$unionWith": {"coll": "things", "pipeline": [{"$sort": {"b.d": 1}}]}}]),
        json!([{"$facet": {"one": [{"$sort": {"a": 1}}, {"$limit": 1}], "two": [{"$count": "n"}]}}]),
        json!([{"$sortByCount": "$h"}]),
        json!([{"$unwind": "$e"}, {"$replaceRoot": {"newRoot": "$e"}}]),
        json!([{"$match": {"b.d": {"$gt": "tok"}}}, {"$sort": {"b.d": 1}}, {"$limit": 3}]),
    ] {
        let answer = caller.post(&format!("{THINGS}/aggregate"), &json!({"pipeline": pipeline}));
        watch.now(&pipeline.to_string(), &answer.await.text);
    }
}

/// Writes that would tell, and those that are answered with a document.
pub(super) async fn writes(caller: &Client, watch: &Watch<'_>, history: &History) {
    for document in history.now.values() {
        let path = format!("{THINGS}/documents/{}", document.id);
        let admitted = watch.plain.admits(document);
        let same = caller.patch(&path, &json!({})).await;
        assert_eq!(same.status, if admitted { 200 } else { 404 }, "{path}: {}", same.text);
        watch.now("a patch", &same.text);
        for (leaf, token) in [("a", &document.leaves()[0].1), ("b.d", &document.leaves()[2].1)] {
            if watch.plain.fields.show(leaf) || !admitted {
                continue;
            }
            // The right value and a wrong one are refused alike.
            let right = caller.patch(&path, &json!({"$set": {leaf: token}})).await;
            let wrong = caller.patch(&path, &json!({"$set": {leaf: "wrong"}})).await;
            assert_eq!((right.status, wrong.status), (403, 403), "{}", right.text);
            assert_eq!(right.body["error"]["message"], wrong.body["error"]["message"]);
            let unset = json!({"filter": {leaf: token}, "update": {"$unset": {leaf: ""}}});
            let unset = caller.post(&format!("{THINGS}/update"), &unset).await.expect(200);
            assert_eq!(unset.body["matched"], 0);
            let stolen = json!([{"$set": {"note": format!("${leaf}")}}]);
            let body = json!({"filter": {"_id": document.id}, "update": stolen});
            let stolen = caller.post(&format!("{THINGS}/update"), &body).await;
            watch.now("an update by a pipeline", &stolen.text);
            watch.now("what it left", &caller.get(&path).await.text);
        }
    }
}

/// Events, as pages and as streams, with filters on what is hidden.
pub(super) async fn streams(caller: &Client, watch: &Watch<'_>, history: &History) {
    let mut from = 0;
    while from < history.last {
        let page =
            caller.get(&format!("/v1/events?from={from}&limit=20&to={}", history.last)).await;
        let page = page.expect(200);
        watch.ever("a page of events", &page.text);
        check_paths(watch, page.list("events"));
        let next = page.body["next"].as_u64().unwrap();
        assert!(next > from, "{}", page.text);
        from = next;
    }
    for document in history.ever.iter().take(10) {
        for (path, token) in document.leaves() {
            let filter = json!({&path: token}).to_string();
            let url = format!("/v1/events?filter={filter}&to={}", history.last);
            let page = caller.get(&url).await.expect(200);
            watch.ever("a filtered page", &page.text);
            if !watch.plain.fields.show(&path) || !watch.plain.admits(document) {
                assert!(
                    page.list("events").is_empty(),
                    "{filter} {:?}: {}",
                    watch.plain,
                    page.text
                );
            }
        }
    }
    let page = caller.get(&format!("/v1/events?to={}&limit=1000", history.last)).await.expect(200);
    let mut stream = caller.stream("/v1/events?collections=things&from=earliest", &[]).await;
    for expected in page.list("events") {
        let frame = stream.next().await.unwrap();
        watch.ever("a frame", &frame.data.to_string());
        let mut expected = expected.clone();
        if expected["kind"] == "document.hidden" {
            // The frame's own event says so.
            assert_eq!(frame.event, "document.hidden");
            expected.as_object_mut().unwrap().remove("kind");
        }
        assert_eq!(frame.data, expected, "streams and pages tell the same");
    }
}

/// A live query's snapshot is what a list is.
pub(super) async fn live(caller: &Client, watch: &Watch<'_>) {
    for query in ["", "?sort={\"b.d\":-1}", "?projection={\"h\":1,\"e.g\":1}"] {
        let list = caller.get(&format!("{THINGS}/documents{query}")).await.expect(200);
        let mut stream = caller.stream(&format!("/v1/live/things{query}"), &[]).await;
        let mut documents = Vec::new();
        loop {
            let frame = stream.next().await.unwrap();
            watch.now("a live query", &frame.data.to_string());
            if frame.event == "ready" {
                assert_eq!(frame.data["count"], documents.len());
                break;
            }
            documents.push(frame.data["document"].clone());
        }
        assert_eq!(&documents, list.list("documents"), "{query}");
    }
}

/// The same on a WebSocket, and live queries that ask for every leaf by its value.
pub(super) async fn sockets(caller: &Client, watch: &Watch<'_>, history: &History) {
    let mut socket = caller.socket().await;
    let page = caller.get(&format!("/v1/events?to={}&limit=1000", history.last)).await.expect(200);
    let all = json!({"collections": ["things"], "from": "earliest"});
    socket.subscribe("events", all).await;
    for expected in page.list("events") {
        let frame = socket.take_of("events", 1).await.remove(0);
        watch.ever("a message", &frame.data.to_string());
        assert_eq!(frame.data["position"], expected["position"], "pages and messages");
        assert_eq!(frame.data["document"], expected["document"], "pages and messages");
    }
    for document in history.now.values().take(4) {
        for (n, (path, token)) in document.leaves().into_iter().enumerate() {
            let reference = format!("{}.{n}", document.id);
            let query = json!({"type": "live", "collection": "things", "filter": {&path: token}});
            socket.subscribe(&reference, query).await;
            let admitted = watch.plain.admits(document) && watch.plain.fields.show(&path);
            let frames = socket.take_of(&reference, 1 + usize::from(admitted)).await;
            for frame in &frames {
                watch.now("a live query", &frame.data.to_string());
            }
            let ready = frames.last().unwrap();
            assert_eq!(ready.event, "ready", "{path} of {:?}: {frames:?}", watch.plain);
            assert_eq!(ready.data["count"], u64::from(admitted), "{path} of {:?}", watch.plain);
            let leave = json!({"op": "unsubscribe", "ref": reference});
            assert_eq!(socket.ask(leave).await["reason"], "unsubscribed");
        }
    }
}

/// The lists of paths in updates name nothing hidden.
fn check_paths(watch: &Watch<'_>, events: &[Value]) {
    for event in events {
        let lists = ["changed", "removed"].map(|name| event[name].as_array());
        for path in lists.into_iter().flatten().flatten() {
            let parts = path.as_str().unwrap().split('.');
            let plain: Vec<_> = parts.filter(|part| part.parse::<u32>().is_err()).collect();
            let leaf = plain.join(".");
            let leaves = ["a", "b.c", "b.d", "e.f", "e.g", "h", "owner", "level", "_id"];
            let shown = leaves
                .iter()
                .filter(|one| **one == leaf || one.starts_with(&format!("{leaf}.")))
                .any(|one| watch.plain.fields.show(one));
            assert!(shown || leaf == "note", "{path} is named to {:?}", watch.plain);
        }
    }
}

async fn query(caller: &Client, body: &Value) -> Value {
    caller.post(&format!("{THINGS}/query"), body).await.expect(200).body
}
