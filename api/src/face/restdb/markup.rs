//! The formats besides JSON: a table of a list's documents, and a script that writes it into a page. Their names, and those
//! of exports.
//!
//! Guarantees: what documents hold is text in the markup, never markup or script.

use std::collections::HashSet;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use super::export;
use crate::error::{ApiError, ApiResult};

/// Most columns of a table; fields beyond them are left out.
const COLUMNS_MAX: usize = 250;

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Markup {
    /// JSON.
    #[default]
    Json,
    /// A table.
    Html,
    /// A script that writes the table.
    Script,
    /// All documents as a file.
    Export(export::Format),
}

impl Markup {
    /// The format of a name, in any case.
    pub(super) fn named(name: &str) -> ApiResult<Self> {
        match name.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "html" => Ok(Self::Html),
            "js" => Ok(Self::Script),
            "csv" => Ok(Self::Export(export::Format::Csv)),
            "ndjson" | "jsonl" => Ok(Self::Export(export::Format::Lines)),
            _ => {
                let shown: String = name.chars().take(40).collect();
                let message =
                    format!("the format `{shown}` is not known: json, html, js, csv or ndjson");
                Err(ApiError::new(StatusCode::NOT_ACCEPTABLE, "unknown_format", message))
            }
        }
    }

    /// A JSON answer in the format.
    pub(super) fn of(self, json: &[u8]) -> Option<Response> {
        if !matches!(self, Self::Html | Self::Script) {
            return None;
        }
        let value = serde_json::from_slice(json).unwrap_or_default();
        let table = table(&value);
        let (kind, body) = match self {
            Self::Script => ("application/javascript; charset=utf-8", script(&table)),
            _ => ("text/html; charset=utf-8", table),
        };
        let mut response = body.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let policy = HeaderValue::from_static("default-src 'none'");
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        let no_sniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, no_sniff);
        Some(response)
    }
}

/// A table with a column for each field of the documents.
fn table(value: &Value) -> String {
    let one = std::slice::from_ref(value);
    let rows = value.get("data").unwrap_or(value).as_array().map_or(one, Vec::as_slice);
    let mut columns: Vec<&str> = Vec::new();
    let mut known = HashSet::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if columns.len() < COLUMNS_MAX && known.insert(name) {
            columns.push(name);
        }
    }
    let cells = |cells: Vec<String>, tag: &str| -> String {
        let cells: String =
            cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", text(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let head = cells(columns.iter().map(|name| (*name).to_owned()).collect(), "th");
    let body: String = rows
        .iter()
        .map(|row| match row.as_object() {
            Some(row) => cells(columns.iter().map(|name| shown(row.get(*name))).collect(), "td"),
            None => cells(vec![shown(Some(row))], "td"),
        })
        .collect();
    format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>\n")
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Text in markup.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A script in which no `<` stands, so that it can stand in a page itself.
fn script(table: &str) -> String {
    let quoted = Value::from(table).to_string().replace('<', "\\u003c");
    let quoted = quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    format!("document.write({quoted});\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_documents_hold_is_text() {
        let rows = json!([{"a": "<script>alert('x')</script>"}, {"b": 2}]);
        let table = table(&rows);
        assert!(!table.contains("<script"), "{table}");
        assert!(table.contains("<tr><th>a</th><th>b</th></tr>"), "{table}");
        assert!(table.contains("<tr><td></td><td>2</td></tr>"), "{table}");
        assert!(!script(&table).contains('<'));
    }
}
