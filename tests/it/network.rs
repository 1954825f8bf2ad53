//! Where requests come from: addresses behind proxies, referers, origins, rates, CORS, `HEAD`.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";
const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";
const PASSWORD: &str = "a password of some length";

async fn issue(root: &Client, body: Value) -> Client {
    let issued = root.post("/v1/credentials", &body).await.expect(201);
    root.with_key(issued.body["key"].as_str().unwrap())
}

/// A key for some networks that may read `orders`.
async fn of_networks(root: &Client, networks: Value) -> Client {
    let grant = json!({"collections": {"orders": ["read"]}, "networks": networks});
    issue(root, json!({"grant": grant})).await
}

async fn get(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request("GET", ORDERS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await
}

#[tokio::test]
async fn s6_forwarded_addresses_of_strangers_are_not_believed() {
    let server = Server::start();
    let root = server.client();
    let inside = of_networks(&root, json!(["10.0.0.0/8"])).await;
    let here = of_networks(&root, json!(["127.0.0.1"])).await;
    let forgeries = [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("x-forwarded-for", "127.0.0.1, 10.0.0.1"),
        ("x-forwarded-for", "::ffff:10.0.0.1"),
        ("x-forwarded-for", "[::ffff:10.0.0.1]:80"),
        ("forwarded", "for=10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("x-client-ip", "10.0.0.1"),
        ("true-client-ip", "10.0.0.1"),
        ("cf-connecting-ip", "10.0.0.1"),
    ];
    for forgery in forgeries {
        let refused = get(&inside, &[forgery]).await;
        assert_eq!(refused.refused(403), "address_not_allowed", "{forgery:?}");
        get(&here, &[forgery]).await.expect(200);
    }
    assert_eq!(get(&inside, &[]).await.refused(403), "address_not_allowed");
}

#[tokio::test]
async fn s6_a_trusted_proxy_is_believed_for_one_hop() {
    let server = Server::with(&[("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    let root = server.client();
    let inside = of_networks(&root, json!(["10.0.0.0/8", "2001:db8::/32"])).await;
    let here = of_networks(&root, json!(["127.0.0.1"])).await;
    for (forwarded, is_inside) in [
        ("10.0.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("10.0.0.1:4711", true),
        ("2001:db8::1", true),
        ("[2001:db8::1]:443", true),
        ("6.6.6.6, 10.0.0.1", true),
        ("10.0.0.1, 127.0.0.1", true),
        ("10.0.0.1, 6.6.6.6", false),
        ("10.0.0.1, nonsense", false),
        ("10.0.0.1,", false),
        ("2001:db9::1", false),
        ("0x0a.0.0.1", false),
        ("010.0.0.1", false),
        ("", false),
    ] {
        let answer = get(&inside, &[("x-forwarded-for", forwarded)]).await;
        assert_eq!(
            answer.status,
            if is_inside { 200 } else { 403 },
            "{forwarded}: {}",
            answer.text
        );
    }
    let lines = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "6.6.6.6")];
    get(&inside, &lines).await.expect(403);
    get(&inside, &[("forwarded", "for=10.0.0.1")]).await.expect(403);
    get(&inside, &[("x-real-ip", "10.0.0.1")]).await.expect(403);
    get(&here, &[]).await.expect(200);
    get(&here, &[("x-forwarded-for", "10.0.0.1")]).await.expect(403);
}

#[tokio::test]
async fn s6_sessions_and_guesses_belong_to_the_forwarded_address() {
    let server = Server::with(&[("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    let root = server.client();
    let user = json!({"email": "ann@example.com", "password": PASSWORD});
    let user = root.post("/v1/users", &user).await.expect(201);
    let login = root.without_key().request("POST", "/v1/sessions");
    let login = login.header("x-forwarded-for", "203.0.113.7");
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    root.send(login.json(&body)).await.expect(201);
    let id = user.body["id"].as_str().unwrap();
    let page = root.get(&format!("/v1/sessions?user={id}")).await.expect(200);
    assert_eq!(page.list("sessions")[0]["address"], "203.0.113.7", "{}", page.text);
}

#[tokio::test]
async fn s6_all_of_one_family_is_not_all_of_the_other() {
    let server = Server::start();
    let root = server.client();
    get(&of_networks(&root, json!(["0.0.0.0/0"])).await, &[]).await.expect(200);
    get(&of_networks(&root, json!(["::/0"])).await, &[]).await.expect(403);
    get(&of_networks(&root, json!(["::ffff:127.0.0.0/104"])).await, &[]).await.expect(200);
    get(&of_networks(&root, json!([])).await, &[]).await.expect(403);
    for wrong in ["127.0.0.1/33", "localhost", "127.1", "*", ""] {
        let grant = json!({"grant": {"admin": true, "networks": [wrong]}});
        let refused = root.post("/v1/credentials", &grant).await.expect(400);
        assert!(refused.text.contains("networks"), "{}", refused.text);
    }
}

#[tokio::test]
async fn s6_referers_bind_every_kind() {
    let server = Server::start();
    let root = server.client();
    let mut grant = json!({
        "collections": {"orders": ["read"]}, "referers": ["https://shop.example/*"],
    });
    for kind in ["key", "web"] {
        if kind == "web" {
            grant["origins"] = json!([SHOP]);
        }
        let client = issue(&root, json!({"kind": kind, "grant": grant})).await;
        for good in ["https://shop.example/", "https://shop.example/a/b?c#d"] {
            let answer = get(&client, &[("referer", good)]).await;
            assert_eq!(answer.status, 200, "{kind} {good}: {}", answer.text);
        }
        for bad in [
            "https://evil.example/",
            "https://evil.example/https://shop.example/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://evil.example/?https://shop.example/",
            "https://evilshop.example/",
            "http://shop.example/",
            "https://shop.example:8443/",
            "",
        ] {
            let answer = get(&client, &[("referer", bad)]).await;
            assert_eq!(answer.status, 403, "{kind} {bad}: {}", answer.text);
        }
        assert_eq!(get(&client, &[]).await.refused(403), "referer_not_allowed");
    }
}

#[tokio::test]
async fn s5_origins_bind_web_keys_alone() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({
        "collections": {"orders": ["read"]}, "origins": [SHOP, "https://*.pages.example"],
    });
    let web = issue(&root, json!({"kind": "web", "grant": grant})).await;
    for good in [SHOP, "https://a.pages.example"] {
        let answer = get(&web, &[("origin", good)]).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), good);
        assert!(answer.header("vary").to_lowercase().contains("origin"), "{good}");
    }
    for bad in [
        EVIL,
        "null",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://shop.example:8443",
        "https://evilshop.example",
        "https://pages.example.evil.example",
        "https://shop.example/",
        "*",
        "",
    ] {
        let refused = get(&web, &[("origin", bad)]).await;
        assert_eq!(refused.header("access-control-allow-origin"), "", "{bad}");
        assert_eq!(refused.refused(403), "origin_not_allowed", "{bad}");
    }
    get(&web, &[]).await.expect(200);
    let key = issue(&root, json!({"grant": {"collections": {"orders": ["read"]}}})).await;
    let answer = get(&key, &[("origin", EVIL)]).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn s5_cookies_cross_no_origin_that_is_not_named() {
    let named = [("HEADWATER_AUTH__COOKIE_ORIGINS", SHOP)];
    for (settings, shop_may) in [(&[][..], false), (&named[..], true)] {
        let server = Server::with(settings);
        let root = server.client();
        root.put("/v1/roles/all", &json!({"admin": true})).await.expect(201);
        let user = json!({"email": "ann@example.com", "password": PASSWORD, "roles": ["all"]});
        root.post("/v1/users", &user).await.expect(201);
        let nobody = root.without_key();
        let login = json!({"email": "ann@example.com", "password": PASSWORD});
        let begun = nobody.post("/v1/sessions", &login).await.expect(201);
        let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
        let own = server.url();
        for (origin, may) in
            [(own.as_str(), true), (SHOP, shop_may), (EVIL, false), ("null", false)]
        {
            let headers = [("cookie", cookie.as_str()), ("origin", origin)];
            let read = get(&nobody, &headers).await.expect(200);
            let (allowed, with) = match may {
                true => (origin, "true"),
                false => ("", ""),
            };
            assert_eq!(read.header("access-control-allow-origin"), allowed, "{origin}");
            assert_eq!(read.header("access-control-allow-credentials"), with, "{origin}");
            assert!(read.header("vary").to_lowercase().contains("origin"), "{origin}");
            let write = nobody.request("POST", ORDERS).header("cookie", &cookie);
            let write = nobody.send(write.header("origin", origin).json(&json!({}))).await;
            assert_eq!(write.status, if may { 201 } else { 403 }, "{origin}: {}", write.text);
            // Before anybody is known: a page may log in where it may use the cookie.
            let preflight = preflight(&nobody, origin).await;
            let credentials = preflight.header("access-control-allow-credentials");
            assert_eq!(credentials == "true", origin == SHOP && shop_may, "{origin}");
            let allowed = preflight.header("access-control-allow-origin");
            assert!(allowed != "*" || credentials.is_empty(), "{origin}");
        }
    }
}

async fn preflight(nobody: &Client, origin: &str) -> Answer {
    let request = nobody
        .request("OPTIONS", ORDERS)
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "x-apikey, content-type");
    nobody.send(request).await
}

#[tokio::test]
async fn s5_preflights_are_answered_without_a_credential() {
    let server = Server::start();
    let nobody = server.client().without_key();
    let answer = preflight(&nobody, EVIL).await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let methods = answer.header("access-control-allow-methods");
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(methods.contains(method), "{methods}");
    }
    assert!(answer.header("access-control-allow-headers").contains("x-apikey"));
    // One that is none is a method that nothing answers.
    let plain = nobody.send(nobody.request("OPTIONS", ORDERS)).await;
    assert_eq!(plain.refused(405), "method_not_allowed");
}

#[tokio::test]
async fn s6_rates_are_counted_by_key_and_address() {
    let server = Server::with(&[("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1")]);
    let root = server.client();
    let grant = json!({
        "collections": {"orders": ["read"]}, "rate_limit": {"per_ip_per_hour": 3},
    });
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = root.with_key(issued.body["key"].as_str().unwrap());
    let from = |address: &'static str| [("x-forwarded-for", address)];
    for left in ["2", "1", "0"] {
        let answer = get(&key, &from("203.0.113.1")).await.expect(200);
        assert_eq!(answer.header("ratelimit-limit"), "3");
        assert_eq!(answer.header("ratelimit-remaining"), left);
        let reset: u64 = answer.header("ratelimit-reset").parse().unwrap();
        assert!((1..=3600).contains(&reset), "{reset}");
    }
    let over = get(&key, &from("203.0.113.1")).await.expect(429);
    let wait: u64 = over.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(over.header("ratelimit-remaining"), "0");
    // A forgery further left is no other address; another address has its own count.
    get(&key, &from("9.9.9.9, 203.0.113.1")).await.expect(429);
    get(&key, &from("203.0.113.2")).await.expect(200);
    // A network of one customer counts as one.
    for (address, status) in
        [("2001:db8::1", 200), ("2001:db8::2", 200), ("2001:db8::3", 200), ("2001:db8::4", 429)]
    {
        get(&key, &from(address)).await.expect(status);
    }
    get(&key, &from("2001:db8:0:1::1")).await.expect(200);
    // A token of the key is no way round.
    let made = key.request("POST", "/v1/tokens").header("x-forwarded-for", "203.0.113.9");
    let token = key.send(made).await.expect(200).body["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let nobody = root.without_key();
    let by_token = [("authorization", bearer.as_str()), ("x-forwarded-for", "203.0.113.1")];
    get(&nobody, &by_token).await.expect(429);
    // Others are not counted with it.
    root.get(ORDERS).await.expect(200);
}

#[tokio::test]
async fn s4_guesses_and_floods_of_an_address_are_held_up() {
    let server = Server::with(&[
        ("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("HEADWATER_AUTH__FAILURES_PER_ADDRESS_PER_MINUTE", "5"),
        ("HEADWATER_AUTH__REQUESTS_PER_ADDRESS_PER_MINUTE", "20"),
    ]);
    let root = server.client();
    let wrong = root.with_key("hw_wrong");
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(get(&wrong, &[("x-forwarded-for", "203.0.113.1")]).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    // Somebody else at that address is not locked out by it, nor is another address.
    get(&root, &[("x-forwarded-for", "203.0.113.1")]).await.expect(200);
    get(&wrong, &[("x-forwarded-for", "203.0.113.2")]).await.expect(401);
    let mut last = 0;
    for _ in 0..21 {
        last = get(&root, &[("x-forwarded-for", "203.0.113.3")]).await.status;
    }
    assert_eq!(last, 429);
    get(&root, &[("x-forwarded-for", "203.0.113.4")]).await.expect(200);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body_and_needs_the_same() {
    let server = Server::start();
    let root = server.client();
    root.post(ORDERS, &json!({"_id": "a"})).await.expect(201);
    let grant = json!({"collections": {"orders": ["read"]}, "methods": ["GET"]});
    let reads = issue(&root, json!({"grant": grant})).await;
    let grant = json!({"collections": {"orders": ["read"]}, "methods": ["POST"]});
    let posts = issue(&root, json!({"grant": grant})).await;
    let creates = issue(&root, json!({"grant": {"collections": {"orders": ["create"]}}})).await;
    let path = format!("{ORDERS}/a");
    for (client, status) in
        [(&root, 200), (&reads, 200), (&posts, 403), (&creates, 403), (&root.without_key(), 401)]
    {
        let head = client.request("HEAD", &path).send().await.unwrap();
        let get = client.get(&path).await;
        assert_eq!((head.status().as_u16(), get.status), (status, status));
        assert_eq!(head.headers().get("etag"), get.headers.get("etag"));
        assert_eq!(head.bytes().await.unwrap().len(), 0);
    }
    for path in ["/v1/credentials", "/v1/users", "/v1/admin/stats", "/metrics"] {
        let head = reads.request("HEAD", path).send().await.unwrap();
        assert_eq!(head.status(), 403, "{path}");
    }
}
