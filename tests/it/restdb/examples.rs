//! The examples of the two documents about RestDB (`tests/clients/restdb/README.md` has the table), as they would be copied:
//! only the base URL and the key are replaced. Programs talk to a server with TLS, pages to one without.

use std::path::Path;

use serde_json::{Value, json};

use super::pattern::difference;
use super::stage::{Stage, web_key};
use super::{issued, provider};
use crate::harness::ROOT;

fn bikes() -> Value {
    json!([
        {"_id": "557eb5ed345a1b27000005e7", "Model": "180 Super Sport", "Year": 2015},
        {"_id": "557eb5ed345a1b27000005ef", "Model": "50 S", "Year": 1998},
    ])
}

#[tokio::test]
async fn s0_programs_with_a_full_key() {
    let mut stage = Stage::secure().await;
    stage.with_tls();
    let printed = stage.run("s0-curl.sh", ROOT);
    let (head, body) = printed.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().next().unwrap().contains(" 200"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), bikes());
    let found = json!([bikes()[0]]);
    for program in ["s0-node.mjs", "s0-python.py"] {
        assert_eq!(json!(stage.told(program, ROOT)), json!([found]), "{program}");
    }
    let times = json!({"_created": "$time", "_changed": "$time", "_createdby": "api",
        "_changedby": "api", "_id": "557eb5ed345a1b27000005f7", "Model": "Mito"});
    let with = |more: Value| {
        let mut all = times.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        Value::Object(all)
    };
    let wanted = json!([
        ["GET", 200, bikes()[0]],
        ["POST", 201, with(json!({"Year": 1990}))],
        ["PUT", 200, with(json!({"Year": 1991}))],
        ["PATCH", 200, with(json!({"Year": 1991, "Color": "red"}))],
        ["DELETE", 200, {"result": ["557eb5ed345a1b27000005f7"]}],
    ]);
    let told = json!(stage.told("s0-full-key.mjs", ROOT));
    assert_eq!(difference(&wanted, &told), None, "{told}");
}

#[tokio::test]
async fn s0_a_server_of_others_has_a_limited_key() {
    let mut stage = Stage::secure().await;
    // The domain is not looked at, since no page asks.
    let grant = json!({"collections": {"*": ["*"]}, "paths": ["/customers/**"],
        "methods": ["GET"], "origins": ["https://shop.example"]});
    let limited = issued(&stage.root, json!({"kind": "web", "grant": grant})).await.key;
    let revoked = issued(&stage.root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    stage.root.delete(&revoked.path).await.expect(200);
    stage.with_tls();
    assert_eq!(stage.told("s0-limited-key.sh", &limited), [200, 200, 403, 403, 403]);
    assert_eq!(stage.told("s0-revoked-token.sh", &revoked.key), [403]);
    assert_eq!(stage.told("s0-revoked-token.sh", "597a2c3d4e5f60718293a4b5"), [403]);
}

#[tokio::test]
async fn s0_a_session_needs_no_key() {
    let mut stage = Stage::secure().await;
    let role = json!({"collections": {"motorbikes": {"read": true, "search": true}}});
    stage.root.put("/v1/roles/editor", &role).await.expect(201);
    let user =
        json!({"email": "ann@example.com", "password": "a long password", "roles": ["editor"]});
    stage.root.post("/v1/users", &user).await.expect(201);
    stage.with_tls();
    assert_eq!(stage.told("s0-session.sh", "unused"), [bikes()]);
}

#[tokio::test]
async fn s0_a_page_asks_with_a_key_for_pages() {
    let stage = Stage::plain().await;
    // The second is the key that the document advises for development: every path, every domain.
    let any = json!({"paths": ["/**"], "origins": ["*"]});
    for more in [json!({"paths": ["/motorbikes/**"], "methods": ["GET"]}), any] {
        let page = stage.page("s0-xhr.html", &web_key(&stage.root, more).await);
        page.wait("the answer", is_answered).await;
        let answer = page.shown()["texts"]["answer"].as_str().unwrap().to_owned();
        let (status, body) = answer.split_once(' ').unwrap();
        assert_eq!(status, "200", "{body}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), bikes());
    }
}

/// Whether a page shows what it was answered.
fn is_answered(found: &Value) -> bool {
    found["texts"]["answer"].as_str().is_some_and(|answer| !answer.is_empty())
}

/// An id token of the identity provider.
fn id_token(secret: &str) -> String {
    let claims = json!({"iss": "https://mydb.eu.auth0.com/", "aud": "client", "sub": "auth0|1",
        "email": "ann@example.com", "exp": provider::now() + 600});
    provider::signed(&claims, secret)
}

#[tokio::test]
async fn s0_a_page_asks_with_a_token_of_an_identity_provider() {
    let stage = Stage::plain().await;
    let role = json!({"collections": {"motorbikes": {"read": true, "search": true}}});
    stage.root.put("/v1/roles/reader", &role).await.expect(201);
    let secret = "the client secret of the provider";
    let provider = json!({"algorithms": ["HS256"], "secret": secret, "audience": ["client"],
        "issuer": "https://mydb.eu.auth0.com/", "default_roles": ["reader"]});
    stage.root.put("/v1/auth/providers/auth0", &provider).await.expect(201);
    for (signed_with, is_let_in) in [(secret, true), ("a wrong secret of the provider", false)] {
        let html = stage.example("s0-auth0.html", "unused");
        let page = stage.page_with(&html.replace("ID_TOKEN_HERE", &id_token(signed_with)));
        page.wait("the page", |found| found["texts"]["answer"] == "").await;
        page.run("document.querySelector('.btn-login').click()");
        page.wait("the answer", is_answered).await;
        let answer = page.shown()["texts"]["answer"].as_str().unwrap().to_owned();
        match is_let_in {
            true => assert_eq!(answer, format!("success {}", bikes())),
            false => assert!(
                answer.starts_with("error ") && answer.contains("\"status\":403"),
                "{answer}"
            ),
        }
    }
}

#[tokio::test]
async fn s1_keys_in_other_places_and_the_header_for_methods() {
    let mut stage = Stage::secure().await;
    stage.with_tls();
    assert_eq!(stage.told("s1-authorization.sh", ROOT), [bikes()]);
    // Two answers in one line.
    let twice = format!("{}{}", bikes(), bikes());
    assert_eq!(stage.run("s1-parameter.sh", ROOT), twice);
    let told = stage.told("s1-override.sh", ROOT);
    assert_eq!((&told[0]["Year"], &told[0]["Model"]), (&json!(2016), &json!("180 Super Sport")));
    assert_eq!((&told[1]["Year"], &told[1]["Color"]), (&json!(2016), &json!("red")));
    assert_eq!(told[2], json!({"result": ["557eb5ed345a1b27000005e7"]}));
}

/// The names of the files of a folder among the clients.
fn files(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(folder);
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|file| file.file_name().into_string().unwrap()).collect()
}

/// The text of all files with an ending in a folder, relative to the repository.
fn texts(folder: &str, ending: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    wanted.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn every_example_is_run_by_a_test() {
    let tests = texts("tests/it/restdb", "rs");
    let table = include_str!("../../clients/restdb/README.md");
    let names = files("restdb/examples");
    assert!(names.len() >= 16, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("\"{name}\"")), "no test runs {name}");
        assert!(table.contains(&format!("`examples/{name}`")), "the table has no {name}");
    }
}

#[test]
fn every_client_is_run_by_a_test() {
    let tests = texts("tests/it/restdb", "rs");
    let programs = texts("tests/clients/restdb", "mjs");
    let table = include_str!("../../clients/restdb/README.md");
    let names = files("restdb");
    assert!(names.iter().filter(|name| name.ends_with(".mjs")).count() >= 6, "{names:?}");
    for name in names.iter().filter(|name| *name != "README.md") {
        let is_imported = programs.contains(&format!("from \"./{name}\""));
        assert!(is_imported || tests.contains(&format!("restdb/{name}\"")), "no test runs {name}");
        assert!(table.contains(&format!("| `{name}` |")), "the table has no {name}");
    }
}
