//! The session of a user who logged in with a browser: its cookie works on `/rest`, for the server's own pages alone.

use serde_json::json;

use super::{Scene, log_in, logged_in};
use crate::harness::{Answer, Client};

const NOTES: &str = "/rest/notes";
const EVIL: &str = "https://evil.example";

/// A server's scene, a client without a key, and the cookie of a user with full access.
async fn entered() -> (Scene, Client, String) {
    let scene = Scene::new().await;
    scene.root.put("/v1/roles/boss", &json!({"admin": true})).await.expect(201);
    logged_in(&scene.root, "ann@example.com", &["boss"]).await;
    let begun = log_in(&scene.root, "ann@example.com").await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let nobody = scene.root.without_key();
    (scene, nobody, cookie)
}

/// Sends a request with headers, and a body where the method has one.
async fn ask(nobody: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = nobody.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !["GET", "DELETE"].contains(&method) {
        request = request.json(&json!({"a": 1}));
    }
    nobody.send(request).await
}

#[tokio::test]
async fn the_cookie_of_a_login_works_as_its_user() {
    let (_scene, nobody, cookie) = entered().await;
    let made = ask(&nobody, "POST", NOTES, &[("cookie", &cookie)]).await.expect(201).body;
    assert_eq!(made["_createdby"], "ann@example.com");
    ask(&nobody, "GET", "/rest/people", &[("cookie", &cookie)]).await.expect(200);
    let me = ask(&nobody, "GET", "/auth/userinfo", &[("cookie", &cookie)]).await.expect(200);
    assert_eq!(me.body["email"], "ann@example.com");
    // A key counts before it, also one that may less.
    let key = [("cookie", &*cookie), ("x-apikey", "597a2c3d4e5f60718293a4b5")];
    ask(&nobody, "GET", "/rest/people", &key).await.expect(403);
    let end = [("cookie", &*cookie)];
    ask(&nobody, "DELETE", "/v1/sessions/current", &end).await.expect(200);
    ask(&nobody, "GET", "/rest/people", &end).await.expect(401);
}

#[tokio::test]
async fn pages_of_others_neither_change_nor_read_anything_with_it() {
    let (scene, nobody, cookie) = entered().await;
    let own = scene.list(&[]).await.expect(200).body[0]["_id"].as_str().unwrap().to_owned();
    let one = format!("/rest/people/{own}");
    let foreign: [&[(&str, &str)]; 6] = [
        &[("origin", EVIL)],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("referer", "https://evil.example/page")],
        &[("origin", EVIL), ("sec-fetch-site", "same-origin")],
    ];
    for headers in foreign {
        let mut headers = headers.to_vec();
        headers.push(("cookie", &cookie));
        for (method, path) in [
            ("POST", NOTES),
            ("PUT", &one),
            ("PATCH", &one),
            ("DELETE", &one),
            ("DELETE", "/rest/people/*?q={}"),
            ("POST", "/auth/jwt"),
        ] {
            let answer = ask(&nobody, method, path, &headers).await;
            assert_eq!(answer.status, 403, "{method} {path} {headers:?}: {}", answer.text);
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
        // A plain form may name any method.
        headers.push(("x-http-method-override", "DELETE"));
        assert_eq!(ask(&nobody, "POST", &one, &headers).await.status, 403, "{headers:?}");
    }
    assert_eq!(scene.list(&[]).await.body.as_array().unwrap().len(), 3);
    // What is read is the browser's to keep from other pages: nothing lets them have it.
    for path in ["/rest/people", &one, "/auth/userinfo", "/rest/nothing"] {
        let read = ask(&nobody, "GET", path, &[("cookie", &cookie), ("origin", EVIL)]).await;
        assert_eq!(read.header("access-control-allow-origin"), "", "{path}: {}", read.text);
        assert_eq!(read.header("access-control-allow-credentials"), "", "{path}");
    }
    // Scripts are read by whatever page includes them, and the browser says nothing of that page.
    for path in ["/rest/people.js", "/rest/people?format=js", "/rest/people.JS"] {
        let included = ask(&nobody, "GET", path, &[("cookie", &cookie)]).await.expect(403);
        assert!(!included.text.contains("Joe"), "{path}");
        scene.root.get(path).await.expect(200);
    }
    // Without the cookie, pages of anywhere may send a key.
    let key = [("origin", EVIL), ("x-apikey", crate::harness::ROOT)];
    let read = ask(&nobody, "GET", "/rest/people", &key).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), EVIL);
}
