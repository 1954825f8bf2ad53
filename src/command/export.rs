//! `headwater export`: a collection's documents, as of one position, as JSON Lines, JSON or CSV.
//!
//! Guarantees: every page is read at the position of the first, so that writes meanwhile change nothing; one page is
//! in memory. CSV needs the columns first and reads the collection twice, at the same position.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::client::{Client, ServerArgs};
use crate::output::Output;
use crate::progress;

/// Documents asked for at once.
const PAGE: &str = "1000";

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The collection to read
    #[arg(long, short)]
    collection: String,
    /// The output's format
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The file to write; stdout without one
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A format to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A document a line.
    Jsonl,
    /// One array.
    Json,
    /// A header and a row a document; nested values as JSON text.
    Csv,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    documents: Vec<&'a RawValue>,
    position: u64,
    next: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut export = Export::new(&args)?;
    let mut output = Output::open(args.output.as_deref())?;
    let documents = match args.format {
        Format::Jsonl => {
            export
                .read("export", |document| {
                    output.write_all(document.as_bytes())?;
                    Ok(output.write_all(b"\n")?)
                })
                .await?
        }
        Format::Json => write_array(&mut export, &mut output).await?,
        Format::Csv => write_rows(&mut export, &mut output).await?,
    };
    output.finish()?;
    let (seconds, at) = (started.elapsed().as_secs_f64(), export.at.unwrap_or_default());
    eprintln!("exported {documents} documents in {seconds:.1} s, as of position {at}");
    Ok(())
}

struct Export<'a> {
    client: Client,
    collection: &'a str,
    at: Option<u64>,
    total: Option<u64>,
}

impl<'a> Export<'a> {
    fn new(args: &'a ExportArgs) -> anyhow::Result<Self> {
        let client = Client::new(&args.server)?;
        Ok(Self { client, collection: &args.collection, at: None, total: None })
    }

    /// Gives every document's JSON text to `each`, page by page, and how many there were.
    async fn read(
        &mut self,
        what: &'static str,
        mut each: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        if self.total.is_none() {
            let described: Option<Value> =
                self.client.get(&["v1", "collections", self.collection], &[]).await.ok();
            self.total = described.and_then(|collection| collection["count"].as_u64());
        }
        let bar = progress::count(what, self.total);
        let mut cursor: Option<String> = None;
        let mut documents = 0;
        loop {
            let body = self.page(cursor.as_deref()).await?;
            let page: Page<'_> = serde_json::from_slice(&body)
                .context("the server's page of documents can't be read")?;
            self.at.get_or_insert(page.position);
            for document in &page.documents {
                each(document.get())?;
            }
            documents += page.documents.len() as u64;
            bar.set_position(documents);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        bar.finish_and_clear();
        Ok(documents)
    }

    async fn page(&self, cursor: Option<&str>) -> anyhow::Result<bytes::Bytes> {
        let at = self.at.map(|position| position.to_string());
        let mut query = vec![("limit", PAGE), ("export", "true")];
        query.extend(at.as_deref().map(|position| ("at", position)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let segments = ["v1", "collections", self.collection, "documents"];
        Ok(self.client.body(self.client.request(Method::GET, &segments, &query)).await?)
    }
}

async fn write_array(export: &mut Export<'_>, output: &mut Output) -> anyhow::Result<u64> {
    let mut separator: &[u8] = b"[\n";
    let documents = export
        .read("export", |document| {
            output.write_all(std::mem::replace(&mut separator, b",\n"))?;
            Ok(output.write_all(document.as_bytes())?)
        })
        .await?;
    output.write_all(if documents == 0 { b"[]\n" } else { b"\n]\n" })?;
    Ok(documents)
}

async fn write_rows(export: &mut Export<'_>, output: &mut Output) -> anyhow::Result<u64> {
    let mut columns: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    export
        .read("columns", |document| {
            for name in members(document)?.keys() {
                if known.insert(name.clone()) {
                    columns.push(name.clone());
                }
            }
            Ok(())
        })
        .await?;
    let mut rows = csv::Writer::from_writer(output);
    if !columns.is_empty() {
        rows.write_record(&columns)?;
    }
    let documents = export
        .read("export", |document| {
            let members = members(document)?;
            Ok(rows.write_record(columns.iter().map(|name| cell(members.get(name))))?)
        })
        .await?;
    rows.flush()?;
    Ok(documents)
}

fn members(document: &str) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(document).context("the server's document can't be read")
}

/// A value as a cell: text as it is, nothing for null or no value, the rest as JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_text_or_json() {
        assert_eq!(cell(None), "");
        assert_eq!(cell(Some(&json!(null))), "");
        assert_eq!(cell(Some(&json!("a,b"))), "a,b");
        assert_eq!(cell(Some(&json!({"a": [1]}))), "{\"a\":[1]}");
        assert_eq!(cell(Some(&json!(1.5))), "1.5");
    }
}
