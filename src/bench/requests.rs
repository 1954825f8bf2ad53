//! The workloads of one request after another: `create`, `bulk`, `read`, `query`.

use std::time::Instant;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::Value;
use tokio::task::unconstrained;

use super::connection::Connection;
use super::document::GROUPS;
use super::writer::{self, Numbers, Pace, Tally};
use super::{Plan, Report};

/// Documents in a request of `bulk`.
const BULK: usize = 500;
/// Documents in an answer of `query`.
const LIST: usize = 20;
/// What `query` looks for, where `{n}` stands for a group's number.
const FILTER: &str = "{\"group\":{n}}";

/// Single documents, one a request.
pub(crate) async fn create(plan: &Plan) -> Report {
    write(plan, 1, "documents").await
}

/// Arrays of documents.
pub(crate) async fn bulk(plan: &Plan) -> Report {
    write(plan, BULK, "documents").await
}

/// Documents by id, chosen in turn from `plan.documents` of the collection.
pub(crate) async fn read(plan: &Plan) -> anyhow::Result<Report> {
    let paths = match &plan.path {
        Some(path) => vec![path.clone()],
        None => {
            let path = |id| format!("/v1/collections/{}/documents/{id}", plan.collection);
            ids(plan).await?.into_iter().map(path).collect()
        }
    };
    Ok(get(plan, &paths, "documents").await)
}

/// Lists of 20 that an index finds: by [`FILTER`], or by the filter that is given.
pub(crate) async fn query(plan: &Plan) -> anyhow::Result<Report> {
    if let Some(path) = &plan.path {
        return Ok(get(plan, std::slice::from_ref(path), "lists").await);
    }
    ids(plan).await?;
    index(plan).await?;
    let filter = plan.filter.as_deref().unwrap_or(FILTER);
    let path = format!("/v1/collections/{}/query", plan.collection);
    let request = |group: u64| {
        let filter = filter.replace("{n}", &(1000 + group).to_string());
        let body = format!("{{\"filter\":{filter},\"limit\":{LIST}}}");
        let mut request = plan.target.head("POST", &path, Some(body.len()), "");
        request.extend_from_slice(body.as_bytes());
        request
    };
    let requests: Vec<_> = (0..GROUPS).map(request).collect();
    Ok(send(plan, &requests, "lists").await)
}

/// Makes the index over the groups, and waits for it.
async fn index(plan: &Plan) -> anyhow::Result<()> {
    let segments = ["v1", "collections", plan.collection.as_str(), "indexes", "bench_group"];
    let request = plan.client.request(Method::PUT, &segments, &[]);
    let definition = serde_json::json!({"keys": {"group": 1}});
    let mut index: Value = plan.client.json(request.json(&definition)).await?;
    while index["state"] == "building" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        index = plan.client.get(&segments, &[]).await?;
    }
    anyhow::ensure!(index["state"] == "ready", "the index could not be built: {index}");
    Ok(())
}

async fn write(plan: &Plan, documents: usize, unit: &'static str) -> Report {
    let origin = Instant::now();
    let pace = Pace {
        writers: plan.concurrency,
        rate: 0,
        started: origin,
        deadline: origin + plan.duration,
        origin,
        numbers: &Numbers::endless(),
        written: &|_| {},
        may_go_on: &|| true,
    };
    report(plan, writer::write(plan, documents, &pace).await, origin, unit)
}

async fn get(plan: &Plan, paths: &[String], unit: &'static str) -> Report {
    let requests: Vec<Vec<u8>> =
        paths.iter().map(|path| plan.target.head("GET", path, None, "")).collect();
    send(plan, &requests, unit).await
}

async fn send(plan: &Plan, requests: &[Vec<u8>], unit: &'static str) -> Report {
    let origin = Instant::now();
    let deadline = origin + plan.duration;
    let mut connections: FuturesUnordered<_> = (0..plan.concurrency)
        .map(|index| unconstrained(send_in_turn(plan, requests, index, deadline)))
        .collect();
    let mut all = Tally::new();
    while let Some(tally) = connections.next().await {
        all.merge(tally);
    }
    report(plan, all, origin, unit)
}

async fn send_in_turn(plan: &Plan, requests: &[Vec<u8>], index: usize, deadline: Instant) -> Tally {
    let mut tally = Tally::new();
    let mut connection = match Connection::open(&plan.target).await {
        Ok(connection) => connection,
        Err(error) => {
            tally.fail(error.to_string());
            return tally;
        }
    };
    // A large odd stride visits every request, in an order that no cache likes.
    let mut next = index.wrapping_mul(7919);
    while Instant::now() < deadline {
        let request = &requests[next % requests.len()];
        next = next.wrapping_add(104_729);
        if tally.exchange(plan, &mut connection, request, 1).await.is_none() {
            break;
        }
    }
    tally
}

fn report(plan: &Plan, all: Tally, origin: Instant, unit: &'static str) -> Report {
    Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: origin.elapsed(),
        operations: all.operations,
        unit,
        latencies: all.latencies,
        more: Vec::new(),
        errors: all.errors,
        first_error: all.first_error,
    }
}

/// The ids of `plan.documents` documents; what the collection lacks is written first.
pub(super) async fn ids(plan: &Plan) -> anyhow::Result<Vec<String>> {
    let segments = ["v1", "collections", plan.collection.as_str(), "documents"];
    let mut ids = Vec::with_capacity(plan.documents);
    let mut cursor: Option<String> = None;
    while ids.len() < plan.documents {
        let mut query = vec![("limit", "1000")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Value = plan.client.get(&segments, &query).await?;
        ids.extend(ids_of(&page));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    while ids.len() < plan.documents {
        let mut request = super::document::WriteRequest::new(BULK, |_| Vec::new());
        let body = request.prepare(ids.len() as u64, 0).to_vec();
        let request = plan.client.request(Method::POST, &segments, &[]);
        let request = request.header("content-type", "application/json").body(body);
        let before = ids.len();
        ids.extend(ids_of(&plan.client.json(request).await?));
        anyhow::ensure!(ids.len() > before, "the server made documents without ids");
    }
    ids.truncate(plan.documents);
    (!ids.is_empty()).then_some(ids).context("--documents is 0; there is nothing to read")
}

fn ids_of(page: &Value) -> Vec<String> {
    let documents = page["documents"].as_array().into_iter().flatten();
    documents.filter_map(|document| document["_id"].as_str()).map(encoded).collect()
}

/// Percent-encoded for a path or a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_for_paths_and_queries() {
        assert_eq!(encoded("a-1/é {"), "a-1%2F%C3%A9%20%7B");
    }
}
