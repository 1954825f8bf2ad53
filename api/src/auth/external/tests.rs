//! Tokens of other issuers: a table of attacks, good ones of every family, key sets over HTTP, and users.
#![expect(clippy::disallowed_methods, reason = "a test waits for what it spawns")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Value as Owned, json as engine_json};
use http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::auth::people::store::{self, USERS, document_id};
use crate::auth::people::user::User;
use crate::auth::testing::{self, NOW_MS, Scratch};

const RSA: &str = include_str!("testdata/rsa.pem");
const RSA_PUBLIC: &str = include_str!("testdata/rsa.pub.pem");
const RSA_CERTIFICATE: &str = include_str!("testdata/rsa.cert.pem");
const P256: &str = include_str!("testdata/p256.pem");
const P256_PUBLIC: &str = include_str!("testdata/p256.pub.pem");
const P384: &str = include_str!("testdata/p384.pem");
const P384_PUBLIC: &str = include_str!("testdata/p384.pub.pem");
const ED: &str = include_str!("testdata/ed.pem");
const ED_PUBLIC: &str = include_str!("testdata/ed.pub.pem");
const SECRET: &str = "a secret of thirty-two bytes ok!";
const NOW: u64 = NOW_MS / 1000;

fn encoded(value: &Value) -> Vec<u8> {
    engine_json::parse_value(value.to_string().as_bytes(), &Limits::default()).unwrap()
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap()
}

fn message(header: &Value, claims: &str) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims))
}

fn sign_as(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = message(header, claims);
    format!("{message}.{}", crypto::sign(message.as_bytes(), key, algorithm).unwrap())
}

fn sign(claims: &Value) -> String {
    sign_as(&json!({"alg": "RS256", "kid": "k1"}), &claims.to_string(), &rsa(), Algorithm::RS256)
}

fn claims() -> Value {
    json!({"iss": "https://issuer", "aud": "app", "sub": "s1", "exp": NOW + 600})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(claims.as_object_mut().unwrap().remove(name)),
            false => claims[name] = value.clone(),
        }
    }
    claims
}

fn provider() -> Value {
    json!({
        "algorithms": ["RS256"],
        "public_key": RSA_PUBLIC,
        "issuer": "https://issuer",
        "audience": ["app", "other"],
    })
}

struct World {
    scratch: Scratch,
    external: Arc<External>,
    options: AccessOptions,
    told: u64,
}

impl World {
    async fn new(provider: Value) -> Self {
        let scratch = testing::engine().await;
        let external = External::new(Arc::clone(&scratch.vault));
        let allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
        let options = AccessOptions { allow_networks, ..AccessOptions::default() };
        let mut world = Self { scratch, external, options, told: 0 };
        world.tell("p", Some(provider));
        world
    }

    fn tell(&mut self, name: &str, provider: Option<Value>) {
        self.told += 1;
        let body = provider.map(|given| {
            checked(name, Raw::trusted(&encoded(&given)), &self.scratch.vault).unwrap().to_bytes()
        });
        let id = Owned::String(name.to_owned()).to_bytes();
        let body = body.as_deref().map(Raw::trusted);
        self.external.changed(PROVIDERS, Raw::trusted(&id), body, self.told);
    }

    async fn ask(&self, token: &str) -> Result<Option<Identity>, ApiError> {
        self.external.identify(&self.scratch.engine, token, &self.options).await
    }

    async fn good(&self, token: &str) -> Identity {
        self.ask(token).await.unwrap().unwrap()
    }

    async fn refused(&self, token: &str, reason: &str) {
        let error = self.ask(token).await.expect_err(reason);
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED, "{reason}");
        let body = String::from_utf8(error.body("r")).unwrap();
        assert!(body.contains(reason), "{reason}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_attacks() {
    let world = World::new(provider()).await;
    world.good(&sign(&claims())).await;
    let text = claims().to_string();
    let unsigned = |alg: &str| format!("{}.", message(&json!({"alg": alg}), &text));
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        world.refused(&unsigned(alg), "algorithm is not accepted").await;
    }
    let public = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let confused = sign_as(&json!({"alg": "HS256"}), &text, &public, Algorithm::HS256);
    world.refused(&confused, "algorithm is not accepted").await;
    let wrong = sign_as(&json!({"alg": "RS256"}), &text, &public, Algorithm::HS256);
    world.refused(&wrong, "signature is wrong").await;
    for (alg, algorithm) in [("RS384", Algorithm::RS384), ("PS256", Algorithm::PS256)] {
        let token = sign_as(&json!({"alg": alg}), &text, &rsa(), algorithm);
        world.refused(&token, "algorithm is not accepted").await;
    }
    for (member, value) in [
        ("jwk", json!({"kty": "RSA"})),
        ("jku", json!("https://evil/keys")),
        ("x5u", json!("https://evil/cert")),
        ("x5c", json!(["MII"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jwk", json!(null)),
    ] {
        let mut header = json!({"alg": "RS256"});
        header[member] = value;
        let token = sign_as(&header, &text, &rsa(), Algorithm::RS256);
        world.refused(&token, "header names keys or extensions").await;
    }
    for kid in [json!(7), json!(["a"]), json!("x".repeat(257))] {
        let header = json!({"alg": "RS256", "kid": kid});
        let token = sign_as(&header, &text, &rsa(), Algorithm::RS256);
        world.refused(&token, "`kid` is no text").await;
    }
    // One key: its name is not looked at, and never opened.
    let header = json!({"alg": "RS256", "kid": "../../../dev/null"});
    world.good(&sign_as(&header, &text, &rsa(), Algorithm::RS256)).await;

    for (changes, reason) in [
        (json!({"exp": NOW - 60}), "has expired"),
        (json!({"exp": null}), "no `exp`"),
        (json!({"exp": format!("{}", NOW + 600)}), "`exp` is no number"),
        (json!({"exp": [NOW + 600]}), "`exp` is no number"),
        (json!({"exp": -1}), "`exp` is no number"),
        (json!({"nbf": NOW + 61}), "not yet valid"),
        (json!({"nbf": "0"}), "`nbf` is no number"),
        (json!({"iat": NOW + 3600}), "issued in the future"),
        (json!({"iat": true}), "`iat` is no number"),
        (json!({"aud": "stranger"}), "another audience"),
        (json!({"aud": ["x", "y"]}), "another audience"),
        (json!({"aud": {"app": true}}), "another audience"),
        (json!({"aud": null}), "no audience"),
    ] {
        world.refused(&sign(&with(changes)), reason).await;
    }
    for changes in [
        json!({"exp": NOW - 59}),
        json!({"exp": NOW as f64 + 0.5}),
        json!({"nbf": NOW + 60}),
        json!({"iat": NOW + 60}),
        json!({"aud": ["x", "other"]}),
    ] {
        world.good(&sign(&with(changes))).await;
    }
    // Of another issuer nobody knows anything; a list is no issuer.
    for issuer in [json!("https://evil"), json!(null), json!(["https://issuer"])] {
        assert!(world.ask(&sign(&with(json!({"iss": issuer})))).await.unwrap().is_none());
    }

    let good = sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let long = sign(&with(json!({"pad": "x".repeat(8000)})));
    assert!(long.len() > 8 << 10);
    world.refused(&long, "longer than 8 KiB").await;
    world.refused(&format!("{}.{}", parts[0], parts[1]), "three parts").await;
    world.refused(&format!("{good}.x"), "three parts").await;
    world.refused(&good.replacen("ey", "e!", 1), "header is no JSON").await;
    world.refused(&format!("{}.e30=.{}", parts[0], parts[2]), "claims are no JSON").await;
    world.refused(&format!("{good}="), "signature is wrong").await;
    world.refused(&format!("{}.{}.", parts[0], parts[1]), "signature is wrong").await;
    let twice = text.replacen('{', r#"{"exp":1,"#, 1);
    let token = sign_as(&json!({"alg": "RS256"}), &twice, &rsa(), Algorithm::RS256);
    world.refused(&token, "claims are no JSON").await;
    let other = BASE64.encode(with(json!({"sub": "admin"})).to_string());
    world.refused(&format!("{}.{other}.{}", parts[0], parts[2]), "signature is wrong").await;
    assert!(world.ask("hw_key").await.unwrap().is_none(), "a key is no token");
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_works_with_its_own_keys_alone() {
    let mut world = World::new(provider()).await;
    let key = |pem: &str, algorithm: Algorithm| match provider::family(algorithm) {
        jsonwebtoken::AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
        jsonwebtoken::AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(),
        _ => EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
    };
    let pairs = [
        ("RS256", RSA, RSA_PUBLIC),
        ("RS384", RSA, RSA_CERTIFICATE),
        ("RS512", RSA, RSA_PUBLIC),
        ("PS256", RSA, RSA_PUBLIC),
        ("PS384", RSA, RSA_PUBLIC),
        ("PS512", RSA, RSA_PUBLIC),
        ("ES256", P256, P256_PUBLIC),
        ("ES384", P384, P384_PUBLIC),
        ("EdDSA", ED, ED_PUBLIC),
    ];
    for (name, private, public) in pairs {
        let algorithm = crate::auth::jws::algorithm(name).unwrap();
        world.tell("p", Some(json!({"algorithms": [name], "public_key": public})));
        let header = json!({"alg": name});
        let token = sign_as(&header, &claims().to_string(), &key(private, algorithm), algorithm);
        world.good(&token).await;
        for (_, _, other) in pairs.iter().filter(|(_, other, _)| *other != private) {
            let given = encoded(&json!({"algorithms": [name], "public_key": other}));
            let error = checked("p", Raw::trusted(&given), &world.scratch.vault).unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        }
    }
    world.tell("p", Some(json!({"algorithms": ["HS512"], "secret": SECRET})));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let text = claims().to_string();
    world.good(&sign_as(&json!({"alg": "HS512"}), &text, &key, Algorithm::HS512)).await;
    world.tell("p", None);
    let token = sign_as(&json!({"alg": "HS512"}), &text, &key, Algorithm::HS512);
    assert!(world.ask(&token).await.unwrap().is_none(), "the provider is gone");
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_providers_are_refused_by_member() {
    let scratch = testing::engine().await;
    let cases = [
        (json!({"algorithms": ["none"], "secret": SECRET}), "algorithms"),
        (json!({"algorithms": [], "secret": SECRET}), "algorithms"),
        (json!({"secret": SECRET}), "algorithms"),
        (json!({"algorithms": ["HS256"], "public_key": RSA_PUBLIC}), "algorithms"),
        (json!({"algorithms": ["RS256"], "secret": SECRET}), "algorithms"),
        (json!({"algorithms": ["HS256", "RS256"], "secret": SECRET}), "algorithms"),
        (json!({"algorithms": ["RS256", "ES256"], "public_key": RSA_PUBLIC}), "algorithms"),
        (json!({"algorithms": ["HS256"], "secret": "short"}), "secret"),
        (json!({"algorithms": ["RS256"], "public_key": RSA}), "public_key"),
        (json!({"algorithms": ["RS256"], "public_key": "nonsense"}), "public_key"),
        (json!({"algorithms": ["RS256"]}), "public_key"),
        (json!({"algorithms": ["ES256", "ES384"], "public_key": P256_PUBLIC}), "public_key"),
        (json!({"algorithms": ["RS256"], "jwks_url": "file:///etc/passwd"}), "jwks_url"),
        (json!({"algorithms": ["RS256"], "jwks_url": "https://u:p@h/"}), "jwks_url"),
        (json!({"algorithms": ["HS256"], "secret": SECRET, "issuer": "headwater"}), "issuer"),
        (json!({"algorithms": ["HS256"], "secret": SECRET, "audience": [1]}), "audience"),
        (
            json!({"algorithms": ["HS256"], "secret": SECRET, "leeway_seconds": 61}),
            "leeway_seconds",
        ),
        (
            json!({"algorithms": ["HS256"], "secret": SECRET, "user_fields": {"a.b": "c"}}),
            "user_fields",
        ),
        (json!({"algorithms": ["HS256"], "secret": SECRET, "type": "oidc"}), "type"),
        (json!({"algorithms": ["HS256"], "secret": SECRET, "bogus": 1}), "bogus"),
    ];
    for (given, member) in cases {
        let error = checked("p", Raw::trusted(&encoded(&given)), &scratch.vault).expect_err(member);
        let body: Value = serde_json::from_slice(&error.body("r")).unwrap();
        assert_eq!(body["error"]["code"], "invalid_provider", "{given}");
        assert_eq!(body["error"]["details"]["member"], member, "{given}");
    }
    let given = encoded(&json!({"algorithms": ["HS256"], "secret": SECRET}));
    let stored = checked("p", Raw::trusted(&given), &scratch.vault).unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&stored).contains(SECRET), "it is sealed");
    assert!(provider::read("p", Raw::trusted(&stored), &scratch.vault).is_ok());
    assert!(provider::read("q", Raw::trusted(&stored), &scratch.vault).is_err());
    scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_made_and_told() {
    let mut given = provider();
    given["user_fields"] = json!({"email": "email", "team": "app.team"});
    given["roles_claim"] = json!("roles");
    given["default_roles"] = json!(["guest"]);
    let mut world = World::new(given.clone()).await;
    let token = sign(&with(json!({
        "email": "Ann@example.org", "app": {"team": "a"}, "roles": "x, y"})));
    let stranger = world.good(&token).await;
    assert_eq!((&*stranger.actor, stranger.user.clone()), ("p:s1", None));
    let facts = stranger.facts.unwrap();
    assert!(facts.id.is_empty() && facts.data.get("team").is_some());
    assert_eq!(stranger.source.roles, ["x", "y"]);
    assert_eq!(stranger.expires_ms, Some((NOW + 660) * 1000));
    assert_eq!(stranger.rests_on, [Dependency::Providers]);

    given["create_users"] = json!(true);
    world.tell("p", Some(given));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (external, engine) = (Arc::clone(&world.external), world.scratch.engine.clone());
            let (token, options) = (token.clone(), world.options.clone());
            tokio::spawn(async move { external.identify(&engine, &token, &options).await })
        })
        .collect();
    let mut users = HashSet::new();
    for task in tasks {
        users.insert(task.await.unwrap().unwrap().unwrap().user.unwrap());
    }
    assert_eq!(users.len(), 1, "one identity is one user");
    let id = users.into_iter().next().unwrap();
    let read = |world: &World| {
        let row = store::by_id(&world.scratch.engine.snapshot(), USERS, &id).unwrap().unwrap();
        User::read(row.body()).unwrap()
    };
    assert_eq!(read(&world).email.as_deref(), Some("Ann@example.org"));

    // The same subject, another team and address: the user is told of the team alone, once.
    let moved = sign(&with(json!({"email": "b@example.org", "app": {"team": "b"}})));
    let found = world.good(&moved).await;
    assert_eq!(found.user.as_deref(), Some(&*id));
    assert_eq!(found.source.roles, ["guest"]);
    assert_eq!(read(&world).data.get("team").and_then(|team| team.as_str()), Some("b"));
    assert_eq!(read(&world).email.as_deref(), Some("Ann@example.org"));
    let position = world.scratch.engine.position();
    world.good(&moved).await;
    assert_eq!(world.scratch.engine.position(), position, "nothing new, nothing written");

    // Another subject with the address: another one where the address is not vouched for.
    let unvouched = json!({"sub": "s2", "email": "ann@EXAMPLE.org", "email_verified": false});
    let other = world.good(&sign(&with(unvouched))).await;
    assert_ne!(other.user.as_deref(), Some(&*id));
    let vouched = json!({"sub": "s3", "email": "ann@EXAMPLE.org", "app": {"team": "b"}});
    assert_eq!(world.good(&sign(&with(vouched))).await.user.as_deref(), Some(&*id));
    assert_eq!(read(&world).identities.len(), 2);

    let disable = store::changing(USERS, read(&world).id, |body| {
        Ok(store::with_members(body, vec![("disabled", Some(Owned::Bool(true)))]))
    });
    let command = headwater_engine::write::Command {
        operations: vec![disable],
        actor: Arc::from("test"),
        ..headwater_engine::write::Command::default()
    };
    world.scratch.engine.write(command).await.unwrap();
    assert!(document_id(read(&world).id).raw.len() > 12);
    world.refused(&token, "disabled").await;
    world.scratch.stop().await;
}

/// Puts a user into the collection, as full access or somebody who signed up would.
async fn put(world: &World, user: User) {
    let operations = vec![store::creating(USERS, user.id, user.document())];
    commit(world, operations).await;
}

async fn commit(world: &World, operations: Vec<headwater_engine::write::Operation>) {
    let (actor, request, guard) = (Arc::from("test"), None, None);
    let command = headwater_engine::write::Command {
        operations,
        actor,
        request,
        guard,
        ..headwater_engine::write::Command::default()
    };
    world.scratch.engine.write(command).await.unwrap();
}

fn read_user(world: &World, id: [u8; 12]) -> User {
    let row = store::by_id(
        &world.scratch.engine.snapshot(),
        USERS,
        &headwater_engine::value::object_id::format(&id),
    );
    User::read(row.unwrap().unwrap().body()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registered_an_address_first_does_not_keep_it() {
    let mut given = provider();
    given["user_fields"] = json!({"email": "email"});
    given["create_users"] = json!(true);
    let world = World::new(given).await;
    crate::auth::people::prepare(&world.scratch.engine).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let claimed = User {
        id: [1; 12],
        email: text("ann@example.org"),
        password: text("$argon2id$x"),
        ..User::default()
    };
    put(&world, claimed.clone()).await;
    let vouched = User {
        id: [2; 12],
        email: text("bob@example.org"),
        email_verified: true,
        ..claimed.clone()
    };
    put(&world, vouched.clone()).await;
    // Keys of both, and one of nobody.
    let mut keys = Vec::new();
    for (byte, user) in [(7, Some(&claimed)), (8, Some(&vouched)), (9, None)] {
        let user = user.map(User::shown_id);
        let draft = crate::auth::document::Draft { user, ..draft_of_key([byte; 12]) };
        let body = draft.document(&crate::auth::key::hash("k"));
        keys.push(store::creating("_credentials", [byte; 12], body));
    }
    commit(&world, keys).await;
    let key_left = |byte: u8| {
        let id = headwater_engine::value::object_id::format(&[byte; 12]);
        store::by_id(&world.scratch.engine.snapshot(), "_credentials", &id).unwrap().is_some()
    };

    // What does not say clearly that the address is its own gets no user by it.
    for said in [json!("false"), json!("true"), json!(0), json!(1), json!(false)] {
        let token = json!({"sub": "x", "email": "ann@example.org", "email_verified": said});
        let other = world.good(&sign(&with(token))).await;
        assert_ne!(other.user.as_deref(), Some(&*claimed.shown_id()), "{said}");
    }
    // `with` takes a null out, so it is written here.
    let text_of = claims().to_string().replacen('{', r#"{"email_verified":null,"#, 1);
    let text_of = text_of.replacen('{', r#"{"email":"ann@example.org","#, 1);
    let token = sign_as(&json!({"alg": "RS256"}), &text_of, &rsa(), Algorithm::RS256);
    let other = world.good(&token).await;
    assert_ne!(other.user.as_deref(), Some(&*claimed.shown_id()), "null");
    assert_eq!(read_user(&world, [1; 12]), claimed);

    for (id, email, sub) in [([1; 12], "ann@example.org", "a"), ([2; 12], "bob@example.org", "b")] {
        let token = json!({"sub": sub, "email": email, "email_verified": true});
        let found = world.good(&sign(&with(token))).await;
        let shown = headwater_engine::value::object_id::format(&id);
        assert_eq!(found.user.as_deref(), Some(&*shown));
    }
    let (ann, bob) = (read_user(&world, [1; 12]), read_user(&world, [2; 12]));
    assert_eq!((ann.password.clone(), ann.email_verified), (None, true));
    assert_ne!(ann.era, claimed.era, "its sessions are over");
    assert_eq!((bob.password, bob.era), (vouched.password, vouched.era));
    assert_eq!([key_left(7), key_left(8), key_left(9)], [false, true, true]);
    // Once: a password that it is given later stays.
    let again = store::changing(USERS, [1; 12], |body| {
        Ok(store::with_members(body, vec![("password", Some(Owned::String("new".to_owned())))]))
    });
    commit(&world, vec![again]).await;
    world.good(&sign(&with(json!({"sub": "c", "email": "ann@example.org"})))).await;
    assert_eq!(read_user(&world, [1; 12]).password.as_deref(), Some("new"));
    world.scratch.stop().await;
}

fn draft_of_key(id: [u8; 12]) -> crate::auth::document::Draft {
    crate::auth::document::Draft::key(id, Owned::Object(Object::new()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_name_is_nobody() {
    let mut given = provider();
    given["user_fields"] = json!({"email": "email"});
    let mut world = World::new(given.clone()).await;
    for sub in [json!(null), json!(""), json!(7), json!("x".repeat(1025))] {
        world.refused(&sign(&with(json!({"sub": sub}))), "`sub`").await;
    }
    given["create_users"] = json!(true);
    world.tell("p", Some(given));
    let position = world.scratch.engine.position();
    world.refused(&sign(&with(json!({"sub": null}))), "`sub`").await;
    assert_eq!(world.scratch.engine.position(), position, "no user was made");
    let by_address = json!({"sub": null, "email": "ann@example.org"});
    assert!(world.good(&sign(&with(by_address))).await.user.is_some());
    world.scratch.stop().await;
}

/// A server of one answer, which tests change, with the number of requests it had.
struct Server {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
        let (told, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                counted.fetch_add(1, Ordering::SeqCst);
                let text = told.lock().clone();
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        Self { url, answer, asked }
    }

    fn say(&self, status: &str, body: &str) {
        let head =
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}", body.len());
        *self.answer.lock() = format!("{head}\r\n\r\n{body}");
    }

    /// Publishes the RSA key under names.
    fn publish(&self, names: &[&str]) {
        let jwk = Jwk::from_encoding_key(&rsa(), Algorithm::RS256).unwrap();
        let jwk = serde_json::to_value(&jwk).unwrap();
        let keys = names.iter().map(|name| {
            json!({"kty": "RSA", "n": jwk["n"], "e": jwk["e"], "kid": name, "use": "sig", "alg": "RS256"})
        });
        self.say("200 OK", &json!({"keys": keys.collect::<Vec<_>>()}).to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn by_kid(kid: &str) -> String {
    let header = json!({"alg": "RS256", "kid": kid});
    sign_as(&header, &with(json!({"exp": NOW + 100_000})).to_string(), &rsa(), Algorithm::RS256)
}

#[tokio::test(flavor = "multi_thread")]
async fn key_sets_are_fetched_seldom_and_kept() {
    let server = Server::new().await;
    server.publish(&["a"]);
    let world = World::new(json!({"algorithms": ["RS256"], "jwks_url": server.url})).await;
    let clock = Arc::clone(&world.scratch.clock);
    let first = |world: &World| {
        let (external, engine) = (Arc::clone(&world.external), world.scratch.engine.clone());
        let options = world.options.clone();
        tokio::spawn(async move { external.identify(&engine, &by_kid("a"), &options).await })
    };
    let at_once: Vec<_> = (0..10).map(|_| first(&world)).collect();
    for task in at_once {
        assert!(task.await.unwrap().unwrap().is_some());
    }
    assert_eq!(server.asked(), 1, "those who come at once share a fetch");
    server.publish(&["a", "b"]);
    world.refused(&by_kid("b"), "names no key").await;
    clock.advance_ms(29_999);
    world.refused(&by_kid("b"), "names no key").await;
    assert_eq!(server.asked(), 1, "not again within 30 s");
    clock.advance_ms(1);
    world.good(&by_kid("b")).await;
    assert_eq!(server.asked(), 2);
    for bad in ["500 Oops", "302 Found\r\nlocation: http://127.0.0.1:1/", "200 OK"] {
        server.say(bad, "nonsense");
        clock.advance_ms(11 * 60_000);
        let before = server.asked();
        world.good(&by_kid("b")).await;
        assert_eq!(server.asked(), before + 1, "{bad}");
    }
    server.say("200 OK", &format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(300 << 10)));
    clock.advance_ms(11 * 60_000);
    world.good(&by_kid("b")).await;
    server.publish(&["c"]);
    clock.advance_ms(11 * 60_000);
    world.refused(&by_kid("b"), "names no key").await;
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_provider_does_not_block_the_others() {
    let server = Server::new().await;
    server.say("500 Oops", "");
    // The first that is asked, by its name.
    let mut world = World::new(provider()).await;
    let away = json!({"algorithms": ["RS256"], "jwks_url": server.url, "issuer": "https://issuer"});
    world.tell("a", Some(away));
    world.good(&sign(&claims())).await;
    assert_eq!(server.asked(), 1);
    // Where nobody accepts it, it may have been the one that could not be asked.
    let error = world.ask(&sign(&with(json!({"aud": "stranger"})))).await.unwrap_err();
    assert_eq!(error.status(), 503);
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_longer_published_is_told_of() {
    let server = Server::new().await;
    server.publish(&["a"]);
    let world = World::new(json!({"algorithms": ["RS256"], "jwks_url": server.url})).await;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    world.external.tell_of_lost_keys(Arc::new(move || told.send(()).unwrap()));
    let (engine, clock) = (&world.scratch.engine, Arc::clone(&world.scratch.clock));
    world.external.renew_keys(engine, &world.options);
    world.good(&by_kid("a")).await;
    world.external.renew_keys(engine, &world.options);
    assert_eq!(server.asked(), 1, "neither before it is in use nor while it is fresh");
    // One more key voids nothing.
    server.publish(&["a", "b"]);
    clock.advance_ms(10 * 60_000);
    world.good(&by_kid("b")).await;
    assert!(heard.try_recv().is_err());
    server.publish(&["b"]);
    clock.advance_ms(10 * 60_000);
    world.external.renew_keys(engine, &world.options);
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), heard.recv());
    told.await.expect("nobody was told").unwrap();
    assert_eq!(server.asked(), 3);
    world.refused(&by_kid("a"), "names no key").await;
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_fit_are_not_used() {
    let server = Server::new().await;
    let jwk = Jwk::from_encoding_key(&rsa(), Algorithm::RS256).unwrap();
    let jwk = serde_json::to_value(&jwk).unwrap();
    let key = |member: &str, value: Value| {
        let mut key = json!({"kty": "RSA", "n": jwk["n"], "e": jwk["e"], "kid": "a"});
        key[member] = value;
        key
    };
    let keys = [
        key("use", json!("enc")),
        key("alg", json!("RS512")),
        key("key_ops", json!(["encrypt"])),
        key("kty", json!("EC")),
        key("n", json!("AQAB")),
        json!({"kty": "oct", "k": BASE64.encode(SECRET), "kid": "a"}),
    ];
    server.say("200 OK", &json!({"keys": keys}).to_string());
    let world = World::new(json!({"algorithms": ["RS256"], "jwks_url": server.url})).await;
    world.refused(&by_kid("a"), "names no key").await;
    world.scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_guard_refuses_is_not_reached() {
    let server = Server::new().await;
    server.publish(&["a"]);
    let mut world = World::new(json!({"algorithms": ["RS256"], "jwks_url": server.url})).await;
    world.options.allow_networks = Vec::new();
    for url in [server.url.clone(), server.url.replace("http:", "https:")] {
        world.tell("p", Some(json!({"algorithms": ["RS256"], "jwks_url": url})));
        assert_eq!(world.ask(&by_kid("a")).await.unwrap_err().status(), 503);
    }
    assert_eq!(server.asked(), 0);
    world.scratch.stop().await;
}
