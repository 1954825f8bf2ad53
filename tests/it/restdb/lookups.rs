//! Lookups: embedded in answers, asked for in `q`; who refers to a document.

use serde_json::{Value, json};

use super::{asked, id, key};
use crate::harness::{Answer, Client, Server};

/// People who work for companies.
pub(super) struct Work {
    pub(super) server: Server,
    pub(super) root: Client,
    pub(super) acme: String,
    zeta: String,
}

impl Work {
    pub(super) async fn new() -> Self {
        let server = Server::start();
        let root = server.client();
        let people = json!({"fields": {
            "company": {"type": "lookup", "collection": "companies"},
            "friends": {"type": "lookup", "collection": "people"},
            "photo": {"type": "image"}, "papers": {"type": "file"}, "age": {"type": "number", "required": false},
        }});
        root.put("/v1/collections/people", &people).await.expect(201);
        let companies = json!({"fields": {
            "founded": {"type": "date"}, "owner": {"type": "lookup", "collection": "people"},
        }});
        root.put("/v1/collections/companies", &companies).await.expect(201);
        let both = json!([
            {"name": "Acme", "town": {"name": "Oslo"}, "founded": "1990-01-01", "size": 5, "secret": "s1"},
            {"name": "Zeta", "town": {"name": "Rome"}, "founded": "2010-01-01", "size": 50, "tags": ["big", "old"]},
        ]);
        let both = root.post("/rest/companies", &both).await.expect(201).body;
        let (acme, zeta) = (id(&both[0]).to_owned(), id(&both[1]).to_owned());
        let people = json!([
            {"name": "Ann", "company": [acme]},
            {"name": "Bob", "company": [zeta, acme]},
            {"name": "Cid", "company": zeta},
            {"name": "Dan", "company": []},
            {"name": "Eve"},
        ]);
        root.post("/rest/people", &people).await.expect(201);
        Self { server, root, acme, zeta }
    }

    pub(super) async fn list(&self, parameters: &[(&str, &str)]) -> Answer {
        self.root.get(&asked("/rest/people", parameters)).await
    }

    /// The names of what `q` finds.
    async fn names(&self, q: &str) -> Vec<String> {
        names(&self.list(&[("q", q), ("sort", "name")]).await.expect(200).body)
    }

    async fn person(&self, name: &str) -> Value {
        let q = format!(r#"{{"name":"{name}"}}"#);
        self.list(&[("q", &q)]).await.expect(200).body[0].clone()
    }

    /// Where a person is.
    pub(super) fn path(person: &Value) -> String {
        format!("/rest/people/{}", id(person))
    }
}

fn names(list: &Value) -> Vec<String> {
    let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap_or_else(|| panic!("{list}")).iter().map(name).collect()
}

#[tokio::test]
async fn lookups_are_read_as_documents() {
    let work = Work::new().await;
    let bob = work.person("Bob").await;
    assert_eq!(names(&bob["company"]), ["Zeta", "Acme"], "in the order of the ids");
    let acme = json!({"_id": work.acme, "name": "Acme", "town": {"name": "Oslo"},
        "founded": "1990-01-01T00:00:00.000Z", "size": 5, "secret": "s1"});
    assert_eq!(bob["company"][1], acme);
    assert_eq!(work.root.get(&Work::path(&bob)).await.expect(200).body, bob);
    let whole =
        work.list(&[("metafields", "true"), ("q", r#"{"name":"Bob"}"#)]).await.expect(200).body;
    assert_eq!((&whole[0]["company"], &whole[0]["_version"]), (&bob["company"], &json!(1)));
    assert_eq!(work.person("Dan").await["company"], json!([]));
    assert!(work.person("Eve").await.get("company").is_none());
    // Always what the document is now.
    work.root
        .put(&format!("/rest/companies/{}", work.acme), &json!({"name": "Apex"}))
        .await
        .expect(200);
    assert_eq!(names(&work.person("Bob").await["company"]), ["Zeta", "Apex"]);
    // The native face has what is stored.
    let native = work.root.get(&format!("/v1/collections/people/documents/{}", id(&bob))).await;
    assert_eq!(native.expect(200).body["company"], json!([work.zeta, work.acme]));
}

#[tokio::test]
async fn every_form_of_writing_a_lookup_means_its_ids() {
    let work = Work::new().await;
    let (acme, zeta) = (&work.acme, &work.zeta);
    for (n, company) in [
        json!(acme),
        json!([acme]),
        json!({"_id": acme}),
        json!([{"_id": acme, "name": "old copy"}]),
    ]
    .into_iter()
    .enumerate()
    {
        let made = work.root.post("/rest/people", &json!({"n": n, "company": company})).await;
        let made = made.expect(201).body;
        assert_eq!(names(&made["company"]), ["Acme"], "{company}");
        let changed = work.root.put(&Work::path(&made), &json!({"company": {"_id": zeta}})).await;
        assert_eq!(names(&changed.expect(200).body["company"]), ["Zeta"]);
    }
    let many = json!([{"company": acme}, {"company": [zeta]}]);
    let many = work.root.post("/rest/people", &many).await.expect(201).body;
    assert_eq!(
        (names(&many[0]["company"]), names(&many[1]["company"])),
        (vec!["Acme".into()], vec!["Zeta".to_owned()])
    );
    let form = work
        .root
        .post_text("/rest/people", "application/x-www-form-urlencoded", format!("company={acme}"))
        .await;
    assert_eq!(names(&form.expect(201).body["company"]), ["Acme"]);
    // Operators compare by ids.
    let path = Work::path(&work.person("Ann").await);
    for (body, wanted) in [
        (json!({"$addToSet": {"company": acme}}), vec!["Acme"]),
        (json!({"$push": {"company": {"_id": zeta, "name": "copy"}}}), vec!["Acme", "Zeta"]),
        (json!({"$pull": {"company": acme}}), vec!["Zeta"]),
        (json!({"$addToSet": {"company": {"$each": [zeta, acme]}}}), vec!["Zeta", "Acme"]),
        (json!({"$pull": {"company": {"$in": [zeta]}}}), vec!["Acme"]),
        (json!({"$pullAll": {"company": [acme]}}), vec![]),
    ] {
        let changed = work.root.put(&path, &body).await.expect(200).body;
        assert_eq!(names(&changed["company"]), wanted, "{body}");
    }
}

#[tokio::test]
async fn a_reference_that_cannot_be_read_is_its_id_and_is_not_lost() {
    let work = Work::new().await;
    let bob = work.person("Bob").await;
    let bare = json!([{"_id": work.zeta}, {"_id": work.acme}]);
    let people = key(&work.root, json!({"grant": {"collections": {"people": ["*"]}}})).await;
    let read = people.get(&Work::path(&bob)).await.expect(200).body;
    assert_eq!(read["company"], bare);
    // Who writes back what it has read changes nothing.
    assert_eq!(people.put(&Work::path(&bob), &read).await.expect(200).body["company"], bare);
    let whole =
        work.root.get(&format!("{}?metafields=true", Work::path(&bob))).await.expect(200).body;
    assert_eq!((&whole["company"], &whole["_version"]), (&bob["company"], &json!(1)));
    // One that is gone looks the same.
    work.root.delete(&format!("/rest/companies/{}", work.zeta)).await.expect(200);
    let read = work.root.get(&Work::path(&bob)).await.expect(200).body;
    assert_eq!((&read["company"][0], &read["company"][1]["name"]), (&bare[0], &json!("Acme")));
    let nobody = "5f1f77bcf86cd79943901122";
    let made = work.root.post("/rest/people", &json!({"company": nobody})).await.expect(201).body;
    assert_eq!(made["company"], json!([{"_id": nobody}]));
}

#[tokio::test]
async fn what_is_embedded_is_what_the_caller_may_read() {
    let work = Work::new().await;
    let all = json!({"read": true, "search": true, "create": true, "update": true});
    let role = json!({"collections": {"people": all, "companies": {"read": {"size": {"$lt": 10}}, "search": {"size": {"$lt": 10}},
        "fields": {"exclude": ["secret", "town"]}}}});
    work.root.put("/v1/roles/some", &role).await.expect(201);
    let some = key(&work.root, json!({"grant": {"roles": ["some"]}})).await;
    let page = some.get("/rest/people?sort=name").await.expect(200);
    assert!(
        !page.text.contains("s1") && !page.text.contains("Oslo") && !page.text.contains("Zeta"),
        "{}",
        page.text
    );
    let acme =
        json!({"_id": work.acme, "name": "Acme", "founded": "1990-01-01T00:00:00.000Z", "size": 5});
    assert_eq!(page.body[1]["company"], json!([{"_id": work.zeta}, acme]));
    // Nor do queries tell what is hidden.
    let found = async |q: &str| {
        names(
            &some.get(&asked("/rest/people", &[("q", q), ("sort", "name")])).await.expect(200).body,
        )
    };
    assert_eq!(found(r#"{"company.name":"Acme"}"#).await, ["Ann", "Bob"]);
    for q in [
        r#"{"company.name":"Zeta"}"#,
        r#"{"company.secret":"s1"}"#,
        r#"{"company.town.name":"Oslo"}"#,
        r#"{"company":{"$elemMatch":{"secret":"s1"}}}"#,
    ] {
        assert!(found(q).await.is_empty(), "{q}");
    }
    // A key whose paths do not cover the companies reads none by writing their ids.
    let web = key(&work.root, json!({"grant": {"paths": ["/people", "/people/*"]}})).await;
    let made = web.post("/rest/people", &json!({"company": [work.acme]})).await.expect(201);
    assert_eq!(made.body["company"], json!([{"_id": work.acme}]));
    assert!(!web.get("/rest/people").await.expect(200).text.contains("Acme"));
    assert_eq!(
        web.get(&asked("/rest/people", &[("q", r#"{"company.name":"Acme"}"#)]))
            .await
            .expect(200)
            .body,
        json!([])
    );
    let web = key(&work.root, json!({"grant": {"paths": ["/**"], "methods": ["POST"]}})).await;
    let made = web.post("/rest/people", &json!({"company": [work.acme]})).await.expect(201);
    assert!(!made.text.contains("Acme"), "{}", made.text);
    let web = key(
        &work.root,
        json!({"grant": {"paths": ["/people", format!("/companies/{}", work.zeta)]}}),
    )
    .await;
    let page = web.get("/rest/people").await.expect(200);
    assert!(page.text.contains("Zeta") && !page.text.contains("Acme"), "{}", page.text);
    // A hidden lookup is not there.
    let role = json!({"collections": {"people": {"read": true, "search": true, "fields": {"exclude": ["company"]}}, "companies": all}});
    work.root.put("/v1/roles/blind", &role).await.expect(201);
    let blind = key(&work.root, json!({"grant": {"roles": ["blind"]}})).await;
    let page = blind.get("/rest/people").await.expect(200);
    assert!(!page.text.contains("company"), "{}", page.text);
    for q in
        [r#"{"company.name":"Acme"}"#.to_owned(), format!(r#"{{"company._id":"{}"}}"#, work.acme)]
    {
        assert_eq!(
            blind.get(&asked("/rest/people", &[("q", &q)])).await.expect(200).body,
            json!([]),
            "{q}"
        );
    }
    assert_eq!(
        blind
            .get(&format!("/rest/companies/{}?referencedby=true", work.acme))
            .await
            .expect(200)
            .body,
        json!([])
    );
}

#[tokio::test]
async fn users_are_embedded_without_their_secrets_and_for_full_access_alone() {
    let work = Work::new().await;
    let fields = json!({"fields": {"by": {"type": "lookup", "collection": "_users"}}});
    work.root.put("/v1/collections/tasks", &fields).await.expect(201);
    let user = json!({"email": "ann@example.com", "password": "a long password"});
    let user = work.root.post("/v1/users", &user).await.expect(201).body;
    let made = work.root.post("/rest/tasks", &json!({"by": user["id"]})).await.expect(201);
    assert_eq!(made.body["by"][0]["email"], "ann@example.com", "{}", made.text);
    assert!(made.body["by"][0].get("password").is_none(), "{}", made.text);
    let most = key(&work.root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    let q = [("q", r#"{"by.email":"ann@example.com"}"#)];
    assert_eq!(
        most.get("/rest/tasks").await.expect(200).body[0]["by"],
        json!([{"_id": user["id"]}])
    );
    assert_eq!(most.get(&asked("/rest/tasks", &q)).await.expect(200).body, json!([]));
    let q = [("q", r#"{"by.password":{"$exists":true}}"#)];
    assert_eq!(work.root.get(&asked("/rest/tasks", &q)).await.expect(200).body, json!([]));
}

#[tokio::test]
async fn lookups_are_asked_for_by_their_ids() {
    let work = Work::new().await;
    let (acme, zeta) = (&work.acme, &work.zeta);
    let rows = [
        (format!(r#"{{"company":"{acme}"}}"#), "Ann Bob"),
        (format!(r#"{{"company._id":"{acme}"}}"#), "Ann Bob"),
        (format!(r#"{{"company.0._id":"{acme}"}}"#), "Ann"),
        (format!(r#"{{"company.0":"{zeta}"}}"#), "Bob Cid"),
        (format!(r#"{{"company._id":{{"$in":["{zeta}","x"]}}}}"#), "Bob Cid"),
        (format!(r#"{{"company._id":{{"$ne":"{acme}"}}}}"#), "Cid Dan Eve"),
        (format!(r#"{{"company._id":{{"$not":"{acme}"}}}}"#), "Cid Dan Eve"),
        (format!(r#"{{"company._id":{{"$all":["{zeta}","{acme}"]}}}}"#), "Bob"),
        (format!(r#"{{"company":{{"_id":"{acme}","name":"a copy"}}}}"#), "Ann Bob"),
        (format!(r#"{{"company":{{"$in":[{{"_id":"{acme}"}}]}}}}"#), "Ann Bob"),
        (format!(r#"{{"company":{{"$elemMatch":{{"_id":"{acme}"}}}}}}"#), "Ann Bob"),
        (format!(r#"{{"company":{{"$elemMatch":{{"_id":{{"$in":["{acme}"]}}}}}}}}"#), "Ann Bob"),
        (format!(r#"{{"company":{{"$not":{{"$elemMatch":{{"_id":"{acme}"}}}}}}}}"#), "Cid Dan Eve"),
        (format!(r#"{{"$or":[{{"company._id":"{acme}"}},{{"name":"Eve"}}]}}"#), "Ann Bob Eve"),
        (format!(r#"{{"$and":[{{"company._id":"{acme}"}},{{"company._id":"{zeta}"}}]}}"#), "Bob"),
        (format!(r#"{{"$nor":[{{"company._id":"{acme}"}}]}}"#), "Cid Dan Eve"),
        (r#"{"company.0":{"$exists":true}}"#.to_owned(), "Ann Bob Cid"),
        (r#"{"company._id":{"$exists":false}}"#.to_owned(), "Dan Eve"),
        (r#"{"company":{"$size":2}}"#.to_owned(), "Bob"),
        (r#"{"company":{"$exists":false}}"#.to_owned(), "Eve"),
    ];
    for (q, wanted) in rows {
        assert_eq!(work.names(&q).await.join(" "), wanted, "{q}");
    }
    let q = format!(r#"{{"company._id":"{acme}"}}"#);
    let counted = work.list(&[("q", &q), ("totals", "true"), ("count", "true")]).await.expect(200);
    assert_eq!(counted.body["totals"]["count"], 2);
    let grouped = work.list(&[("q", &q), ("aggregate", "COUNT:")]).await.expect(200);
    assert_eq!(grouped.body, json!({"COUNT ": 2}));
    let gone = work.root.delete(&asked("/rest/people/*", &[("q", &q)])).await.expect(200);
    assert_eq!(gone.body["result"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_looked_up_documents_hold_can_be_asked_for() {
    let work = Work::new().await;
    let rows = [
        (r#"{"company.name":"Acme"}"#, "Ann Bob"),
        (r#"{"company.0.name":"Acme"}"#, "Ann"),
        (r#"{"company.town.name":"Rome"}"#, "Bob Cid"),
        (r#"{"company.size":{"$gt":5}}"#, "Bob Cid"),
        (r#"{"company.size":{"$bt":[1,10]}}"#, "Ann Bob"),
        (r#"{"company.name":{"$in":["Acme","Nobody"]}}"#, "Ann Bob"),
        (r#"{"company.name":{"$not":"Acme"}}"#, "Cid Dan Eve"),
        (r#"{"company.name":{"$nin":["Acme"]}}"#, "Cid Dan Eve"),
        (r#"{"company.name":{"$not":{"$regex":"^A"}}}"#, "Cid Dan Eve"),
        (r#"{"company.name":{"$regex":"^z","$options":"i"}}"#, "Bob Cid"),
        (r#"{"company.name":{"$all":["Acme","Zeta"]}}"#, "Bob"),
        (r#"{"company.tags":"old"}"#, "Bob Cid"),
        (r#"{"company.tags":{"$exists":true}}"#, "Bob Cid"),
        (r#"{"company.tags":{"$exists":false}}"#, "Ann Dan Eve"),
        (r#"{"company.tags":null}"#, "Ann Bob Eve"),
        (r#"{"company.founded":{"$lt":"2000-01-01"}}"#, "Ann Bob"),
        (r#"{"company.founded":{"$gt":{"$date":"2000-01-01"}}}"#, "Bob Cid"),
        (r#"{"company":{"$elemMatch":{"name":"Zeta","size":{"$gt":5}}}}"#, "Bob Cid"),
        (r#"{"company":{"$elemMatch":{"name":"Zeta","size":5}}}"#, ""),
        (r#"{"company.name":"Acme","company.size":50}"#, "Bob"),
        (r#"{"$or":[{"company.name":"Acme"},{"name":"Eve"}]}"#, "Ann Bob Eve"),
        (r#"{"company.name":"Nobody"}"#, ""),
    ];
    for (q, wanted) in rows {
        assert_eq!(work.names(q).await.join(" "), wanted, "{q}");
    }
    let text = format!(r#"{{"company":{{"$elemMatch":{{"_id":"{}","name":"Acme"}}}}}}"#, work.acme);
    assert_eq!(work.names(&text).await, ["Ann", "Bob"]);
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_lookup_is_refused_by_name() {
    let work = Work::new().await;
    let rows = [
        ("q", r#"{"company._created":{"$gt":"2020"}}"#, "`company._created`"),
        ("q", r#"{"company.owner.name":"Ann"}"#, "`company.owner.name`"),
        ("q", r#"{"company.place":{"$near":[1,2]}}"#, "$near"),
        ("q", r#"{"$expr":{"$eq":["$company.name","Acme"]}}"#, "`company.name`"),
        ("q", r#"{"$distinct":"company.name"}"#, "`company.name`"),
        ("sort", "company.name", "`company.name`"),
        ("groupby", "company.name", "`company.name`"),
        ("aggregate", "SUM:company.size", "`company.size`"),
    ];
    for (name, value, wanted) in rows {
        let refused = work.list(&[(name, value)]).await.expect(400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains(wanted), "{value}: {message}");
    }
    let conditions: Vec<_> = (0..17).map(|n| json!({"company.size": n})).collect();
    let refused = work.list(&[("q", &json!({"$or": conditions}).to_string())]).await.expect(400);
    assert!(refused.text.contains("16 conditions"), "{}", refused.text);
    let many: Vec<_> = (0..1001).map(|n| json!({"n": n, "kind": "x"})).collect();
    work.root.post("/rest/companies", &json!(many)).await.expect(201);
    let refused = work.list(&[("q", r#"{"company.kind":"x"}"#)]).await.expect(400);
    assert!(refused.text.contains("more than 1000 documents of `companies`"), "{}", refused.text);
    assert_eq!(work.names(r#"{"company.kind":"y"}"#).await, [""; 0]);
}

#[tokio::test]
async fn fields_of_looked_up_documents_are_chosen() {
    let work = Work::new().await;
    let bob = ("q", r#"{"name":"Bob"}"#);
    let zeta = json!({"_id": work.zeta, "name": "Zeta"});
    for fields in [r#"{"$fields":{"company.name":1}}"#, r#"{"$fields":{"company.0.name":1}}"#] {
        let shown = work.list(&[bob, ("h", fields)]).await.expect(200).body;
        assert_eq!((&shown[0]["company"][0], shown[0].get("name")), (&zeta, None), "{fields}");
    }
    let hidden = r#"{"$fields":{"company.town":0,"company.founded":0,"company.size":0,"company.tags":0,"company._id":0,"name":0}}"#;
    let shown = work.list(&[bob, ("h", hidden)]).await.expect(200).body;
    assert_eq!((&shown[0]["company"][0], shown[0].get("name")), (&zeta, None));
    let sorted =
        work.list(&[("sort", "company._id"), ("q", r#"{"company.0":{"$exists":true}}"#)]).await;
    assert_eq!(names(&sorted.expect(200).body)[0], "Ann");
    let different = work.list(&[("q", r#"{"$distinct":"company._id"}"#)]).await.expect(200).body;
    assert_eq!(different, json!([work.acme, work.zeta]));
}

#[tokio::test]
async fn documents_tell_who_refers_to_them() {
    let work = Work::new().await;
    let root = &work.root;
    let path = format!("/rest/companies/{}?referencedby=true", work.acme);
    let found = root.get(&path).await.expect(200).body;
    assert_eq!(names(&found), ["Ann", "Bob"]);
    assert_eq!(names(&found[1]["company"]), ["Zeta", "Acme"]);
    assert!(found[0].get("_created").is_none());
    assert_eq!(
        root.get(&format!("{path}&metafields=true")).await.expect(200).body[0]["_version"],
        1
    );
    assert_eq!(names(&root.get(&format!("{path}&max=1")).await.expect(200).body), ["Ann"]);
    // From several collections, by several fields.
    let ann = work.person("Ann").await;
    root.post("/rest/people", &json!({"name": "Fay", "friends": [id(&ann)]})).await.expect(201);
    root.put(&format!("/rest/companies/{}", work.zeta), &json!({"owner": id(&ann)}))
        .await
        .expect(200);
    let path = format!("{}?referencedby=true", Work::path(&ann));
    assert_eq!(names(&root.get(&path).await.expect(200).body), ["Zeta", "Fay"]);
    let people = key(&work.root, json!({"grant": {"collections": {"people": ["*"]}}})).await;
    assert_eq!(names(&people.get(&path).await.expect(200).body), ["Fay"]);
    let by_path = key(&work.root, json!({"grant": {"paths": ["/people/*"]}})).await;
    assert_eq!(by_path.get(&path).await.expect(200).body, json!([]));
    root.get("/rest/people/5f1f77bcf86cd79943901122?referencedby=true").await.expect(404);
}
