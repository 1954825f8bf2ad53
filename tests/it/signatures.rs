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
