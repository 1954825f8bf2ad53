//! Objects of another owner, by every route that could show or change them: nothing of the other's comes, nothing changes.

use serde_json::{Value, json};

use super::text;
use crate::harness::{Client, Receiver, Server, eventually};

const THINGS: &str = "/v1/collections/things";
/// What stands in every document of the other's, and in their ids.
const SECRET: &str = "bensecret";

/// A server with documents of two owners, and their keys.
struct Scene {
    server: Server,
    root: Client,
    ann: Client,
    /// The documents of the other as they should stay.
    before: Value,
}

/// What keeps one caller from what is the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Filters of the grant, over a member of the documents.
    Filters,
    /// A role by which only what the caller made is there for it.
    Maker,
}

impl Scene {
    async fn new(by: By) -> Self {
        let server = Server::start();
        let root = server.client();
        let index = json!({"keys": {"words": "text"}});
        root.put(&format!("{THINGS}/indexes/words"), &index).await.expect(201);
        root.put(&format!("{THINGS}/indexes/owner"), &json!({"keys": {"owner": 1}})).await;
        let of = |id: &str, owner: &str, n: i64| {
            let words = if owner == "ben" { SECRET } else { "annword" };
            json!({"_id": id, "owner": owner, "n": n, "words": words})
        };
        let documents = json!([
            of("a1", "ann", 1),
            of("a2", "ann", 2),
            of("bensecret1", "ben", 3),
            of("bensecret2", "ben", 4),
        ]);
        let grant = match by {
            By::Filters => json!({
                "collections": {"things": ["*"]},
                "read_filter": {"owner": "ann"}, "write_filter": {"owner": "ann"},
            }),
            By::Maker => json!({"roles": ["own"], "collections": {"things": ["*"]}}),
        };
        let own = ["read", "create", "update", "delete", "settings", "private"];
        let own: Value = own.iter().map(|name| ((*name).to_owned(), json!(true))).collect();
        root.put("/v1/roles/own", &json!({"collections": {"things": own}})).await.expect(201);
        let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
        let ann = root.with_key(&text(&issued.body, "key"));
        let documents = documents.as_array().unwrap();
        ann.post(&format!("{THINGS}/documents"), &json!(documents[..2])).await.expect(201);
        root.post(&format!("{THINGS}/documents"), &json!(documents[2..])).await.expect(201);
        // A past of the other's, too.
        let other = format!("{THINGS}/documents/bensecret2");
        root.patch(&other, &json!({"words": "bensecret again"})).await.expect(200);
        let gone = format!("{THINGS}/documents");
        root.post(&gone, &of("bensecret3", "ben", 5)).await.expect(201);
        root.delete(&format!("{THINGS}/documents/bensecret3")).await.expect(200);
        let before = others(&root).await;
        Self { server, root, ann, before }
    }

    /// Holds an answer to showing nothing of the other's.
    #[track_caller]
    fn clean(what: &str, answer: &str) {
        assert!(!answer.contains(SECRET), "{what} tells: {answer}");
    }

    async fn unchanged(&self, what: &str) {
        assert_eq!(others(&self.root).await, self.before, "{what} changed them");
    }
}

/// All that is the other's, with its versions.
async fn others(root: &Client) -> Value {
    let body = json!({"filter": {"owner": "ben"}});
    let found = root.post(&format!("{THINGS}/query"), &body).await.expect(200);
    let mut all = vec![found.body["documents"].clone()];
    for id in ["bensecret1", "bensecret2"] {
        let one = root.get(&format!("{THINGS}/documents/{id}")).await.expect(200);
        all.push(json!(one.header("etag")));
    }
    Value::Array(all)
}

#[tokio::test]
async fn s2_nothing_of_another_owner_is_read() {
    for by in [By::Filters, By::Maker] {
        nothing_is_read(Scene::new(by).await).await;
    }
}

async fn nothing_is_read(scene: Scene) {
    let ann = &scene.ann;
    for id in ["bensecret1", "bensecret2", "bensecret3"] {
        let path = format!("{THINGS}/documents/{id}");
        for path in [path.clone(), format!("{path}?at=5"), format!("{path}/history")] {
            let answer = ann.get(&path).await;
            let shown = answer.body["events"].as_array().map_or(0, Vec::len);
            assert!(answer.status == 404 || shown == 0, "{path}: {}", answer.text);
        }
    }
    for path in [
        format!("{THINGS}/documents"),
        format!("{THINGS}/documents?at=6"),
        format!("{THINGS}/documents?sort={{\"words\":-1}}&limit=1"),
        format!("{THINGS}/documents?filter={{\"words\":{{\"$regex\":\"ben\"}}}}"),
        THINGS.to_owned(),
        format!("{THINGS}/indexes"),
        "/v1/collections".to_owned(),
        "/v1/events".to_owned(),
        "/v1/events?collections=things&filter={\"owner\":\"ben\"}".to_owned(),
        "/v1/events?kinds=document.deleted".to_owned(),
        "/v1/webhooks".to_owned(),
    ] {
        Scene::clean(&path, &ann.get(&path).await.expect(200).text);
    }
    for (route, body) in [
        ("query", json!({"count": true})),
        ("query", json!({"filter": {"owner": "ben"}, "count": true})),
        ("query", json!({"filter": {"$or": [{"owner": "ben"}, {"n": {"$gt": 0}}]}})),
        ("query", json!({"filter": {"$text": {"$search": SECRET}}})),
        ("query", json!({"filter": {"_id": {"$in": ["bensecret1", "a1"]}}})),
        ("query", json!({"filter": {"$expr": {"$eq": ["$owner", "ben"]}}})),
        ("query", json!({"at": 6})),
        (
            "aggregate",
            json!({"pipeline": [{"$group": {"_id": "$owner", "w": {"$push": "$words"}}}]}),
        ),
        (
            "aggregate",
            json!({"pipeline": [{"$limit": 1}, {"$lookup":
            {"from": "things", "pipeline": [], "as": "all"}}]}),
        ),
        ("aggregate", json!({"pipeline": [{"$unionWith": "things"}]})),
        ("aggregate", json!({"pipeline": [{"$facet": {"x": [{"$match": {"owner": "ben"}}]}}]})),
        ("distinct", json!({"field": "words"})),
        ("distinct", json!({"field": "_id"})),
    ] {
        let answer = ann.post(&format!("{THINGS}/{route}"), &body).await.expect(200);
        // What was asked is not told back.
        Scene::clean(&body.to_string(), &answer.text);
        if let Some(count) = answer.body["count"].as_u64() {
            assert!(count <= 2, "{body}: {}", answer.text);
        }
    }
    let mut stream = ann.stream("/v1/events?from=earliest", &[]).await;
    ann.post(&format!("{THINGS}/documents"), &json!({"_id": "end", "owner": "ann"})).await;
    loop {
        let frame = stream.next().await.unwrap();
        Scene::clean("a stream", &frame.data.to_string());
        if frame.data["id"] == "end" {
            break;
        }
    }
}

#[tokio::test]
async fn s2_nothing_of_another_owner_is_written() {
    for by in [By::Filters, By::Maker] {
        nothing_is_written(Scene::new(by).await, by).await;
    }
}

async fn nothing_is_written(scene: Scene, by: By) {
    let ann = &scene.ann;
    for id in ["bensecret1", "bensecret2"] {
        let path = format!("{THINGS}/documents/{id}");
        let mine = json!({"owner": "ann", "n": 9});
        ann.put(&path, &mine).await.expect(404);
        let upsert = ann.put(&format!("{path}?upsert=true"), &mine).await;
        assert!([403, 404, 409].contains(&upsert.status), "{}", upsert.text);
        ann.patch(&path, &mine).await.expect(404);
        ann.patch(&path, &json!({"$set": {"owner": "ann"}})).await.expect(404);
        ann.delete(&path).await.expect(404);
        let matching = ann.request("DELETE", &path).header("if-match", "\"1\"");
        ann.send(matching).await.expect(404);
        let whole = json!({"_id": id, "owner": "ann"});
        let taken = ann.post(&format!("{THINGS}/documents"), &whole).await;
        assert!([403, 404, 409].contains(&taken.status), "{}", taken.text);
        for operation in [
            json!({"op": "replace", "collection": "things", "id": id, "document": mine}),
            json!({"op": "replace", "collection": "things", "id": id, "document": mine,
                "upsert": true}),
            json!({"op": "update", "collection": "things", "id": id, "update": mine}),
            json!({"op": "delete", "collection": "things", "id": id}),
        ] {
            let own = json!({"op": "update", "collection": "things", "id": "a1",
                "update": {"marked": true}});
            let body = json!({"operations": [own, operation]});
            let refused = ann.post("/v1/transactions", &body).await;
            assert!([403, 404, 409].contains(&refused.status), "{body}: {}", refused.text);
        }
        scene.unchanged(id).await;
    }
    let own = ann.get(&format!("{THINGS}/documents/a1")).await.expect(200);
    assert!(own.body.get("marked").is_none(), "half a transaction: {}", own.text);
    // By filter: what it cannot see it does not match.
    let body = json!({"filter": {}, "update": {"$set": {"hit": 1}}, "multi": true});
    let updated = ann.post(&format!("{THINGS}/update"), &body).await.expect(200);
    assert_eq!(updated.body["matched"], 2, "{}", updated.text);
    for filter in [json!({"owner": "ben"}), json!({"_id": "bensecret1"}), json!({"n": {"$gt": 2}})]
    {
        for multi in [true, false] {
            let update = json!({"$set": {"owner": "ann"}});
            let body = json!({"filter": filter, "update": update, "multi": multi});
            let updated = ann.post(&format!("{THINGS}/update"), &body).await.expect(200);
            assert_eq!(updated.body["matched"], 0, "{filter}");
            let body = json!({"filter": filter, "multi": multi});
            let deleted = ann.post(&format!("{THINGS}/delete"), &body).await.expect(200);
            assert_eq!(deleted.body["deleted"], 0, "{filter}");
        }
    }
    scene.unchanged("an update by filter").await;
    if by == By::Filters {
        nothing_is_given_away(&scene).await;
    }
    let deleted = ann.post(&format!("{THINGS}/delete"), &json!({"filter": {}, "multi": true}));
    assert_eq!(deleted.await.expect(200).body["deleted"], 2);
    scene.unchanged("a deletion of everything").await;
    drop(scene.server);
}

/// Its own cannot be given away, nor made for the other.
async fn nothing_is_given_away(scene: &Scene) {
    let ann = &scene.ann;
    let given = ann.patch(&format!("{THINGS}/documents/a1"), &json!({"owner": "ben"})).await;
    given.expect(403);
    let body = json!({"filter": {"_id": "a1"}, "update": {"$set": {"owner": "ben"}}});
    ann.post(&format!("{THINGS}/update"), &body).await.expect(403);
    let planted = json!({"_id": "planted", "owner": "ben"});
    ann.post(&format!("{THINGS}/documents"), &planted).await.expect(403);
    ann.post(&format!("{THINGS}/documents"), &json!([{"owner": "ann"}, planted])).await.expect(403);
    let create = json!({"op": "create", "collection": "things", "document": planted});
    ann.post("/v1/transactions", &json!({"operations": [create]})).await.expect(403);
    let upsert = json!({"filter": {"_id": "planted"}, "update": {"$set": {"owner": "ben"}},
        "upsert": true});
    ann.post(&format!("{THINGS}/update"), &upsert).await.expect(403);
    scene.unchanged("what was planted").await;
}

#[tokio::test]
async fn s2_webhooks_and_their_replays_tell_nothing_of_another_owner() {
    for by in [By::Filters, By::Maker] {
        nothing_is_delivered(Scene::new(by).await).await;
    }
}

async fn nothing_is_delivered(scene: Scene) {
    let ann = &scene.ann;
    let receiver = Receiver::start();
    let body = json!({"url": receiver.url("/"), "collections": ["things"], "from": "earliest"});
    let webhook = ann.post("/v1/webhooks", &body).await.expect(201);
    let path = format!("/v1/webhooks/{}", text(&webhook.body, "id"));
    receiver.wait(2).await;
    // Live ones of both.
    let other = format!("{THINGS}/documents/bensecret1");
    scene.root.patch(&other, &json!({"n": 30})).await.expect(200);
    ann.patch(&format!("{THINGS}/documents/a1"), &json!({"n": 10})).await.expect(200);
    receiver.wait(3).await;
    let replay = json!({"from": 0});
    let replayed = ann.post(&format!("{path}/replay"), &replay).await.expect(202);
    let started = format!("/v1/admin/replay/{}", text(&replayed.body, "replay"));
    eventually("the end of the replay", async || {
        let shown = scene.root.get(&started).await.expect(200);
        (shown.body["status"] == "done").then_some(())
    })
    .await;
    for received in receiver.received() {
        Scene::clean("a delivery", &received.body);
    }
    let deliveries = ann.get(&format!("{path}/deliveries")).await.expect(200);
    Scene::clean("the deliveries", &deliveries.text);
    assert!(receiver.received().len() >= 6, "its own came, and came again");
    // Another's webhook over everything is not its own to change by way of its rights.
    let all = json!({"url": receiver.url("/all"), "collections": ["*"]});
    let all = scene.root.post("/v1/webhooks", &all).await.expect(201);
    let all = format!("/v1/webhooks/{}", text(&all.body, "id"));
    ann.get(&all).await.expect(403);
    ann.patch(&all, &json!({"url": receiver.url("/mine")})).await.expect(403);
    ann.delete(&all).await.expect(403);
    ann.post(&format!("{all}/replay"), &replay).await.expect(403);
    // One over the same collection that full access made is full access's, too.
    let wide = json!({"url": receiver.url("/wide"), "collections": ["things"], "active": false});
    let wide = scene.root.post("/v1/webhooks", &wide).await.expect(201);
    let wide = format!("/v1/webhooks/{}", text(&wide.body, "id"));
    ann.get(&wide).await.expect(403);
    ann.patch(&wide, &json!({"url": receiver.url("/turned")})).await.expect(403);
    ann.delete(&wide.to_uppercase().replace("/V1/WEBHOOKS", "/v1/webhooks")).await.expect(404);
    let listed = ann.get("/v1/webhooks").await.expect(200);
    assert!(!listed.text.contains("/wide"), "{}", listed.text);
}
