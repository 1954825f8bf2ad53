//! A thin client of the native face, for the commands.
//!
//! Guarantees: every request carries the key; a refusal becomes `server refused: STATUS code: message`; nothing is
//! tried again here. Leaves to others: retries, paging, and what the answers mean.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Where the server is and how to be let in; shared by every command that talks to it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server's base URL
    #[arg(long, env = "HEADWATER_URL", default_value = "http://127.0.0.1:7117")]
    pub(crate) url: String,
    /// A key of the server
    #[arg(long, env = "HEADWATER_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

/// A connection pool to one server, with a key.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<header::HeaderValue>,
}

/// Why a request has no answer that can be used.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No answer: whether the request took effect is unknown.
    Connection(String),
    /// An answer that is a refusal.
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The server's stable code, or the status' own name.
        code: String,
        /// The server's words.
        message: String,
        /// The server's facts.
        details: Value,
        /// When to come again, if the server says so.
        retry_after: Option<Duration>,
    },
}

impl Client {
    /// A client of the server named by `args`.
    pub(crate) fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let base = Url::parse(&args.url).with_context(|| format!("--url {}", args.url))?;
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https"),
            "--url {}: only http and https are spoken",
            args.url
        );
        let key = match &args.key {
            Some(key) => {
                let mut value = header::HeaderValue::from_str(key)
                    .map_err(|_| anyhow::anyhow!("the key has characters that no key has"))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no HTTP client")?;
        Ok(Self { http, base, key })
    }

    /// A request to the path made of `segments`, each encoded as needed.
    pub(crate) fn request(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.key {
            Some(key) => request.header("x-apikey", key.clone()),
            None => request,
        }
    }

    /// Sends `request` and gives the answer if it is a success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Failure::of_response(response).await)
        }
    }

    /// Sends `request` and reads the answer's JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> anyhow::Result<T> {
        let body = self.body(request).await?;
        serde_json::from_slice(&body).context("the server's answer is not what was expected")
    }

    /// Sends `request` and reads the whole answer.
    pub(crate) async fn body(&self, request: RequestBuilder) -> Result<bytes::Bytes, Failure> {
        let response = self.send(request).await?;
        response.bytes().await.map_err(|error| self.unreachable(&error))
    }

    /// `GET` with a JSON answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        self.json(self.request(Method::GET, segments, query)).await
    }

    /// `POST` of JSON with a JSON answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        body: &Value,
    ) -> anyhow::Result<T> {
        self.json(self.request(Method::POST, segments, &[]).json(body)).await
    }

    /// `DELETE`, whatever the answer holds.
    pub(crate) async fn delete(&self, segments: &[&str]) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, segments, &[])).await.map(drop)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut message = String::new();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(error) = cause {
            message = error.to_string();
            cause = error.source();
        }
        if message.is_empty() {
            message = error.to_string();
        }
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or_default();
        Failure::Connection(format!("no answer from {host}:{port}: {message}"))
    }
}

impl Failure {
    /// The refusal that `response` is.
    pub(crate) async fn of_response(response: Response) -> Self {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let body = response.bytes().await.unwrap_or_default();
        Self::of_parts(status, retry_after, &body)
    }

    fn of_parts(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let mut parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = parsed["error"].take();
        let code = match error["code"].as_str() {
            Some(code) => code.to_owned(),
            None => status.canonical_reason().unwrap_or("unknown").to_lowercase(),
        };
        let message = match error["message"].as_str() {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(body).chars().take(300).collect(),
        };
        Self::Refused { status, code, message, details: error["details"].clone(), retry_after }
    }

    /// Whether the same request may succeed later: no connection, too many requests, not available now.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Connection(_) => true,
            Self::Refused { status, .. } => matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(message) => f.write_str(message),
            Self::Refused { status, code, message, .. } => {
                write!(f, "server refused: {} {code}: {message}", status.as_u16())
            }
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_status_code_and_message() {
        let body =
            br#"{"error":{"code":"duplicate_id","message":"`a` exists","details":{"index":3}}}"#;
        let failure = Failure::of_parts(StatusCode::CONFLICT, None, body);
        assert_eq!(failure.to_string(), "server refused: 409 duplicate_id: `a` exists");
        assert!(!failure.is_passing());
        let Failure::Refused { details, .. } = failure else { panic!("not a refusal") };
        assert_eq!(details["index"], 3);
    }

    #[test]
    fn a_refusal_by_something_else_keeps_its_words() {
        let failure = Failure::of_parts(StatusCode::BAD_GATEWAY, None, b"upstream is down");
        assert_eq!(failure.to_string(), "server refused: 502 bad gateway: upstream is down");
        assert!(failure.is_passing());
    }

    #[test]
    fn paths_are_encoded_by_segment() {
        let args = ServerArgs { url: "http://127.0.0.1:1/base/".to_owned(), key: None };
        let client = Client::new(&args).unwrap();
        let request = client.request(Method::GET, &["v1", "a/b c"], &[("at", "1&2")]);
        let url = request.build().unwrap().url().to_string();
        assert_eq!(url, "http://127.0.0.1:1/base/v1/a%2Fb%20c?at=1%262");
    }
}
