//! The published Python package for RestDB.io, unmodified, against the server.

use serde_json::json;

use crate::harness::{Packages, ROOT, Server};

#[tokio::test]
async fn the_python_package_works_as_it_is() {
    let server = Server::start();
    let client = server.client();
    let children = json!({"fields": {"notes": {"type": "child", "collection": "demo_notes"}}});
    client.put("/v1/collections/demo_parents", &children).await.expect(201);
    let asked = json!({"url": client.url(), "key": ROOT});
    let packages = Packages::installed();
    let told = packages.python("restdb_package.py", &[asked]);
    assert_eq!(told, [json!("done")]);
}
