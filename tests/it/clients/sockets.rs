//! The same over WebSockets, with a live query beside the events on the same connection.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{follow, received};
use crate::clients::model::Model;
use crate::harness::Server;

async fn receives_what_the_rights_show(name: &str) {
    let mut server = Server::start();
    let (lines, log) = follow(&mut server, name, &["all ", "open "]).await;
    let mut model = Model::default();
    let (mut expected, mut results) = (Vec::new(), BTreeMap::new());
    for event in &log {
        expected.extend(model.told(event));
        results.insert(event["position"].as_u64().unwrap(), model.shown("orders", "open"));
    }
    let received = received(&lines, "all ");
    assert_eq!(received.len(), expected.len());
    for (received, expected) in received.iter().zip(&expected) {
        assert_eq!(received, expected);
    }
    for (position, picture) in pictures(&lines) {
        let (_, result) = results.range(..=position).next_back().unwrap();
        assert_eq!(&picture, result, "the live query at position {position}");
    }
}

/// The pictures that the frames of the live query leave, by position.
fn pictures(lines: &[String]) -> Vec<(u64, BTreeMap<String, Value>)> {
    let (mut shown, mut coming, mut pictures) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for line in lines.iter().filter_map(|line| line.strip_prefix("open ")) {
        let (id, rest) = line.split_once(' ').unwrap();
        let (event, data) = rest.split_once(' ').unwrap();
        let mut data: Value = serde_json::from_str(data).unwrap();
        let document = data["document"].take();
        let name = data["id"].as_str().unwrap_or_default().to_owned();
        match event {
            "snapshot" => {
                drop(coming.insert(document["_id"].as_str().unwrap().to_owned(), document));
            }
            "ready" => shown = std::mem::take(&mut coming),
            "reset" => coming.clear(),
            "enter" | "update" => drop(shown.insert(name, document)),
            "leave" => drop(shown.remove(&name)),
            other => panic!("what is {other}?"),
        }
        // Python's None, JavaScript's null: no id.
        if let Ok(position) = id.parse() {
            pictures.push((position, shown.clone()));
        }
    }
    pictures
}

#[tokio::test]
async fn a_browsers_websocket_receives_what_the_rights_show() {
    receives_what_the_rights_show("many.html").await;
}

#[tokio::test]
async fn npm_ws_receives_what_the_rights_show() {
    receives_what_the_rights_show("many.mjs").await;
}

#[tokio::test]
async fn python_websockets_receives_what_the_rights_show() {
    receives_what_the_rights_show("many.py").await;
}
