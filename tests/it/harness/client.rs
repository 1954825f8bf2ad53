//! A small client of the native face. Every answer is held to what the contract says of all answers.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{PATIENCE, Socket, Stream};

/// Requests with one credential.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; null if it is none.
    pub(crate) body: Value,
    /// Whether it is an answer of the native face.
    is_native: bool,
}

impl Answer {
    /// This answer, if it has the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The code of a refusal with a status.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> String {
        self.expect(status).body["error"]["code"].as_str().unwrap().to_owned()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `Headwater-Position`.
    pub(crate) fn position(&self) -> u64 {
        self.header("headwater-position").parse().unwrap()
    }

    /// A member of the body that is a list.
    #[track_caller]
    pub(crate) fn list(&self, name: &str) -> &Vec<Value> {
        self.body[name].as_array().unwrap_or_else(|| panic!("no list {name}: {}", self.text))
    }
}

impl Client {
    /// A client of a server.
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        // No connection is used twice: one that a killed server left behind would fail the next request.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0);
        let http = http.connect_timeout(Duration::from_secs(10));
        Self { http: http.build().unwrap(), url: url.to_owned(), key: key.map(str::to_owned) }
    }

    /// The same with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same without a key.
    pub(crate) fn without_key(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.header("x-apikey", key),
            None => request,
        }
    }

    /// Sends a request, and holds the answer to the contract.
    #[track_caller]
    pub(crate) fn send(&self, request: RequestBuilder) -> impl Future<Output = Answer> + use<> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = try_send(request).await;
            let answer = answer.unwrap_or_else(|error| panic!("{caller}: no answer: {error:?}"));
            check(&answer, caller);
            answer
        }
    }

    /// The same, where the server may be killed meanwhile.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        try_send(self.request("POST", path).json(body)).await.ok()
    }

    /// Sends a request, where the server may be killed meanwhile.
    pub(crate) async fn attempt(&self, request: RequestBuilder) -> Option<Answer> {
        try_send(request).await.ok()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Answer> + use<> {
        self.send(self.request("GET", path))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> impl Future<Output = Answer> + use<> {
        self.send(self.request("DELETE", path))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> impl Future<Output = Answer> + use<> {
        self.send(self.request("POST", path).json(body))
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> impl Future<Output = Answer> + use<> {
        self.send(self.request("PUT", path).json(body))
    }

    #[track_caller]
    pub(crate) fn patch(&self, path: &str, body: &Value) -> impl Future<Output = Answer> + use<> {
        self.send(self.request("PATCH", path).json(body))
    }

    /// A body as it stands, with its content type.
    #[track_caller]
    pub(crate) fn post_text<B: Into<String>>(
        &self,
        path: &str,
        content_type: &str,
        body: B,
    ) -> impl Future<Output = Answer> + use<B> {
        let request = self.request("POST", path).header("content-type", content_type);
        let body: String = body.into();
        self.send(request.body(body))
    }

    /// The status of an answer that may never end; its text, if it is a refusal.
    pub(crate) async fn status(&self, request: RequestBuilder) -> (u16, String) {
        let answer = tokio::time::timeout(PATIENCE, request.send()).await.unwrap().unwrap();
        let status = answer.status().as_u16();
        let text = if status < 400 { String::new() } else { answer.text().await.unwrap() };
        (status, text)
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let mut request = self.request("GET", path).header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = tokio::time::timeout(PATIENCE, request.send()).await.unwrap().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Stream::new(response)
    }

    /// Opens a WebSocket.
    pub(crate) async fn socket(&self) -> Socket {
        let headers: Vec<_> = self.key.iter().map(|key| ("x-apikey", key.as_str())).collect();
        Socket::open(&self.url, "/v1/ws", &headers).await.unwrap()
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same, where the server may be stopping or starting; `None`: it does not answer.
    pub(crate) async fn try_stream(&self, path: &str, headers: &[(&str, &str)]) -> Option<Stream> {
        let mut request = self.request("GET", path).header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = tokio::time::timeout(PATIENCE, request.send()).await.unwrap().ok()?;
        let status = response.status().as_u16();
        if status == 200 {
            return Some(Stream::new(response));
        }
        let text = response.text().await.unwrap_or_default();
        assert_eq!(status, 503, "{path}: {text}");
        None
    }

    /// What opening a stream is refused with.
    pub(crate) async fn refused_stream(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request("GET", path).header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }
}

async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.timeout(PATIENCE).send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let others = ["/rest", "//rest", "/realtime", "/auth/", "/media", "/mail", "/views", "/assets"];
    let is_native = !others.iter().any(|face| response.url().path().starts_with(face));
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, body, is_native })
}

/// What holds for every answer of a face.
fn check(answer: &Answer, caller: &std::panic::Location<'_>) {
    if answer.status >= 400 && !answer.is_native {
        for member in ["message", "name"] {
            assert!(answer.body[member].is_string(), "{caller}: no {member}: {}", answer.text);
        }
        assert_eq!(answer.body["status"], answer.status, "{caller}: {}", answer.text);
        assert!(!answer.header("x-request-id").is_empty(), "{caller}: no id");
    } else if answer.status >= 400 {
        let error = &answer.body["error"];
        for member in ["code", "message", "request_id"] {
            assert!(error[member].is_string(), "{caller}: no {member}: {}", answer.text);
        }
        assert!(error["details"].is_object(), "{caller}: no details: {}", answer.text);
        assert_eq!(error["request_id"], answer.header("x-request-id"), "{caller}");
    }
    if answer.status == 429 || answer.status == 503 {
        assert!(!answer.header("retry-after").is_empty(), "{caller}: no Retry-After");
    }
}
