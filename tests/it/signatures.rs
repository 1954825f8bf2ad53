//! Signatures, verified by the packages that receivers use.

use serde_json::{Value, json};

use crate::harness::{Packages, Received, Receiver, Server};
use crate::webhooks::register;

/// What the programs of `tests/clients` read.
fn delivery(secret: &Value, received: &Received) -> Value {
    json!({"secret": secret, "headers": received.headers, "body": received.body})
}

#[tokio::test]
async fn r16_the_published_packages_accept_every_delivery_and_no_altered_one() {
    let packages = Packages::installed();
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    let first = &answer.body["secret"];
    let path = "/v1/collections/orders/documents";
    client.post(path, &json!({"text": "ä\u{1f600} \"quoted\" \n", "n": 1.5})).await.expect(201);
    let received = receiver.wait(1).await.remove(0);
    let mut altered = received.clone();
    altered.body = altered.body.replace("quoted", "Quoted");
    let mut other_id = received.clone();
    other_id.headers.insert("webhook-id".to_owned(), "msg_other".to_owned());
    let mut other_time = received.clone();
    let time: u64 = received.header("webhook-timestamp").parse().unwrap();
    other_time.headers.insert("webhook-timestamp".to_owned(), (time + 1).to_string());

    let rotated = client.post(&format!("{webhook}/rotate-secret"), &json!({})).await.expect(200);
    let second = &rotated.body["secret"];
    assert_ne!(first, second);
    client.post(path, &json!({})).await.expect(201);
    let after = receiver.wait(2).await.remove(1);

    let cases = [
        (delivery(first, &received), true),
        (delivery(first, &altered), false),
        (delivery(first, &other_id), false),
        (delivery(first, &other_time), false),
        (delivery(second, &received), false),
        (delivery(first, &after), true),
        (delivery(second, &after), true),
    ];
    let input: Vec<Value> = cases.iter().map(|(delivery, _)| delivery.clone()).collect();
    let expected: Vec<Value> = cases
        .iter()
        .map(|(_, good)| if *good { json!(["standardwebhooks", "svix"]) } else { json!([]) })
        .collect();
    assert_eq!(packages.python("verify.py", &input), expected);
    assert_eq!(packages.node("verify.mjs", &input), expected);
}

#[tokio::test]
async fn r16_a_given_secret_signs_and_the_id_stays_over_retries_and_replays() {
    let packages = Packages::installed();
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let secret = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let (webhook, _) = register(&client, &receiver, json!({"secret": secret})).await;
    client.post("/v1/collections/orders/documents", &json!({"n": 1})).await.expect(201);
    receiver.wait(1).await;
    client.post(&format!("{webhook}/replay"), &json!({"from": 0})).await.expect(202);
    let received = receiver.wait(2).await;
    assert_eq!(received[0].id(), received[1].id());
    let input: Vec<Value> = received.iter().map(|one| delivery(&secret, one)).collect();
    let accepted = vec![json!(["standardwebhooks", "svix"]); 2];
    assert_eq!(packages.python("verify.py", &input), accepted);
    assert_eq!(packages.node("verify.mjs", &input), accepted);
}

#[tokio::test]
async fn r16_ed25519_signatures_verify_and_the_published_packages_accept_what_has_both() {
    let packages = Packages::installed();
    let mut server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let path = "/v1/collections/orders/documents";
    let (webhook, answer) =
        register(&client, &receiver, json!({"signatures": ["v1", "v1a"]})).await;
    let (first_secret, first_key) = (&answer.body["secret"], &answer.body["public_key"]);
    assert!(first_key.as_str().unwrap().starts_with("whpk_"), "{}", answer.text);
    assert_eq!(client.get(&webhook).await.expect(200).body["public_key"], *first_key);
    client.post(path, &json!({"text": "ä\u{1f600} \"quoted\" \n"})).await.expect(201);
    let first = receiver.wait(1).await.remove(0);
    assert_eq!(versions(&first), ["v1", "v1a"]);
    let mut altered = first.clone();
    altered.body = altered.body.replace("quoted", "Quoted");

    // A stop saves that it was delivered; after a kill it could come again.
    assert!(server.stop().success());
    server.restart();
    let rotated = client.post(&format!("{webhook}/rotate-secret"), &json!({})).await.expect(200);
    let (second_secret, second_key) = (&rotated.body["secret"], &rotated.body["public_key"]);
    assert_ne!(first_key, second_key);
    assert_eq!(client.get(&webhook).await.expect(200).body["public_key"], *second_key);
    receiver.clear();
    client.post(path, &json!({})).await.expect(201);
    let both = receiver.wait(1).await.remove(0);
    assert_eq!(versions(&both), ["v1", "v1", "v1a", "v1a"]);

    let mut only = Vec::new();
    for (signatures, expected) in [(json!(["v1a"]), "v1a"), (json!(["v1"]), "v1")] {
        receiver.clear();
        let patch = json!({"signatures": signatures});
        let patched = client.patch(&webhook, &patch).await.expect(200).body;
        assert_eq!((&patched["public_key"], &patched["signatures"]), (second_key, &signatures));
        client.post(path, &json!({})).await.expect(201);
        only.push(receiver.wait(1).await.remove(0));
        assert_eq!(versions(only.last().unwrap()), [expected; 2]);
    }
    let cases = [
        (first_key, &first, 1),
        (first_key, &altered, 0),
        (second_key, &first, 0),
        (first_key, &both, 1),
        (second_key, &both, 1),
        (first_key, &only[0], 1),
        (second_key, &only[0], 1),
        (second_key, &only[1], 0),
    ];
    let input = cases
        .map(|(key, one, _)| json!({"public_key": key, "headers": one.headers, "body": one.body}));
    let expected = cases.map(|(_, _, count)| json!(count));
    assert_eq!(packages.plain("ed25519.mjs", &input), expected);
    let cases = [
        (delivery(first_secret, &first), true),
        (delivery(first_secret, &altered), false),
        (delivery(first_secret, &both), true),
        (delivery(second_secret, &both), true),
        (delivery(second_secret, &only[0]), false),
        (delivery(second_secret, &only[1]), true),
    ];
    let input = cases.clone().map(|(delivery, _)| delivery);
    let expected =
        cases.map(|(_, good)| if good { json!(["standardwebhooks", "svix"]) } else { json!([]) });
    assert_eq!(packages.python("verify.py", &input), expected);
    assert_eq!(packages.node("verify.mjs", &input), expected);
}

/// The versions of the signatures, between which there is one space.
fn versions(received: &Received) -> Vec<&str> {
    let all = received.header("webhook-signature").split(' ');
    all.map(|signature| signature.split_once(',').unwrap().0).collect()
}
