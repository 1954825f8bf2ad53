//! The page of `examples/live-orders`, in a browser: its list is the collection, whoever writes, whatever happens meanwhile.

use std::path::Path;

use serde_json::{Value, json};

use super::{ORDERS, change, create, delete, web_key};
use crate::harness::{Client, Page, Server};

fn open(server: &Server, key: &str) -> Page {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/live-orders");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let files = [
        ("/", read("index.html")),
        ("/orders.js", read("orders.js")),
        ("/page.css", read("page.css")),
    ];
    Page::open(&files, &format!("/#url={}&key={key}", server.url()))
}

/// The rows that it shows, by id.
fn rows(shown: &Value) -> Vec<Value> {
    let items = shown["items"].as_array().cloned().unwrap_or_default();
    let row = |item: &Value| {
        let id: Value = serde_json::from_str(item["id"].as_str().unwrap()).unwrap();
        let parts = &item["parts"];
        json!([id, parts["customer"], parts["status"], parts["total"]])
    };
    items.iter().map(row).collect()
}

/// The collection, as rows of the page: the newest ids first.
async fn collection(client: &Client) -> Vec<Value> {
    let list = client.get(&format!("{ORDERS}?limit=1000")).await.expect(200);
    let row = |order: &Value| {
        let total = format!("{:.2}", order["total"].as_f64().unwrap());
        json!([order["_id"], order["customer"], order["status"], total])
    };
    let mut rows: Vec<Value> = list.list("documents").iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row[0].to_string()));
    rows
}

async fn agrees(client: &Client, page: &Page, what: &str) {
    let expected = collection(client).await;
    page.wait(what, |shown| rows(shown) == expected).await;
}

fn fill(customer: &str, total: f64, status: &str) -> String {
    let values = json!({"customer": customer, "total": total, "status": status});
    format!(
        "const form = document.getElementById('order');
         for (const [name, value] of Object.entries({values})) form.elements[name].value = value;
         form.requestSubmit();"
    )
}

/// Presses a button of the row of a customer.
fn press(customer: &str, button: &str) -> String {
    format!(
        "[...document.querySelectorAll('#orders li')]
           .find((row) => row.querySelector('.customer').textContent === {})
           .querySelector('.{button}').click();",
        json!(customer)
    )
}

#[tokio::test]
async fn the_list_of_the_example_page_is_the_collection() {
    let mut server = Server::start();
    let client = server.client();
    let actions = ["read", "create", "update", "delete", "subscribe"];
    let key = web_key(&client, json!({"collections": {"orders": actions}})).await;
    create(&client, json!({"_id": "a1", "customer": "Ann", "total": 3, "status": "open"})).await;
    let page = open(&server, &key);
    agrees(&client, &page, "what was there").await;

    for n in 0..10 {
        let order = json!({"customer": format!("Bob {n}"), "total": n, "status": "open"});
        create(&client, order).await;
    }
    let last = change(&client, "a1", json!({"customer": "<b>Ann</b>", "total": 4.5})).await;
    agrees(&client, &page, "what others write").await;
    page.wait("the position", |shown| shown["texts"]["position"] == format!("at position {last}"))
        .await;

    page.run(&fill("Cleo", 7.25, "paid"));
    page.wait("an order of its own", |shown| {
        rows(shown).iter().any(|row| row[1] == "Cleo" && row[3] == "7.25")
    })
    .await;
    page.run(&press("Cleo", "edit"));
    page.wait("the form", |shown| shown["texts"]["order-title"] == "Edit order").await;
    page.run(&fill("Cleo", 8.0, "shipped"));
    page.wait("a change of its own", |shown| {
        rows(shown).iter().any(|row| row[1] == "Cleo" && row[2] == "shipped" && row[3] == "8.00")
    })
    .await;
    page.run(&press("Bob 3", "delete"));
    page.wait("a deletion of its own", |shown| rows(shown).iter().all(|row| row[1] != "Bob 3"))
        .await;
    agrees(&client, &page, "what it wrote").await;

    server.kill();
    server.restart();
    delete(&client, "a1").await;
    create(&client, json!({"_id": "z9", "customer": "Zoe", "total": 1, "status": "open"})).await;
    agrees(&client, &page, "what happened around a restart").await;
    page.wait("a connection", |shown| {
        shown["texts"]["state"].as_str().unwrap().starts_with("Connected")
    })
    .await;
}

#[tokio::test]
async fn the_example_page_says_that_its_key_is_dead() {
    let server = Server::start();
    let client = server.client();
    let key = web_key(&client, json!({"collections": {"orders": ["read", "subscribe"]}})).await;
    let page = open(&server, &key);
    page.wait("an empty list", |shown| shown["texts"]["count"] == "(0)").await;
    page.run(&fill("Ann", 1.0, "open"));
    page.wait("a refusal", |shown| {
        shown["texts"]["problem"].as_str().unwrap().starts_with("Not saved: ")
    })
    .await;
    let listed = client.get("/v1/credentials").await.expect(200);
    let id = listed.list("credentials")[0]["id"].as_str().unwrap().to_owned();
    client.delete(&format!("/v1/credentials/{id}")).await.expect(200);
    page.wait("its end", |shown| {
        shown["texts"]["state"].as_str().unwrap().starts_with("Not connected")
            && shown["texts"]["problem"].as_str().unwrap().contains("revoked")
    })
    .await;
}
