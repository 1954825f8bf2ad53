//! Counting requests: by class of route and status, with a histogram of durations.
//!
//! Guarantees: counting one request is a handful of relaxed additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What kind of route a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteClass {
    /// Reading documents.
    DocumentsRead,
    /// Writing documents and transactions.
    DocumentsWrite,
    /// Queries.
    Query,
    /// Events, pages and streams.
    Events,
    /// Definitions of collections.
    Collections,
    /// Webhooks and replays.
    Webhooks,
    /// Credentials and other access management.
    Access,
    /// Administration.
    Admin,
    /// Health, figures, OpenAPI and what is no route.
    Other,
}

const CLASSES: [(RouteClass, &str); 9] = [
    (RouteClass::DocumentsRead, "documents_read"),
    (RouteClass::DocumentsWrite, "documents_write"),
    (RouteClass::Query, "query"),
    (RouteClass::Events, "events"),
    (RouteClass::Collections, "collections"),
    (RouteClass::Webhooks, "webhooks"),
    (RouteClass::Access, "access"),
    (RouteClass::Admin, "admin"),
    (RouteClass::Other, "other"),
];

const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 429,
    431, 500, 503, 507, 0,
];

/// Upper ends of the histogram's buckets, microseconds.
const BUCKETS_US: [u64; 14] = [
    250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];

impl RouteClass {
    /// The class of a request.
    pub(crate) fn of(method: &http::Method, path: &str) -> Self {
        if let Some(rest) = path.strip_prefix("/rest/") {
            return match (method == http::Method::GET, rest.contains('/')) {
                (true, true) => Self::DocumentsRead,
                (true, false) => Self::Query,
                (false, _) => Self::DocumentsWrite,
            };
        }
        let Some(rest) = path.strip_prefix("/v1/") else { return Self::Other };
        let mut segments = rest.split('/');
        match segments.next().unwrap_or_default() {
            "collections" => match segments.nth(1) {
                Some("documents") if method == http::Method::GET => Self::DocumentsRead,
                Some("documents" | "update" | "delete") => Self::DocumentsWrite,
                Some("query" | "aggregate" | "distinct") => Self::Query,
                _ => Self::Collections,
            },
            "transactions" => Self::DocumentsWrite,
            "events" | "live" | "ws" | "channels" => Self::Events,
            "webhooks" => Self::Webhooks,
            "credentials" | "users" | "sessions" | "roles" | "tokens" | "auth" => Self::Access,
            "admin" => Self::Admin,
            _ => Self::Other,
        }
    }
}

#[derive(Default)]
struct ClassFigures {
    statuses: [AtomicU64; STATUSES.len()],
    buckets: [AtomicU64; BUCKETS_US.len()],
    count: AtomicU64,
    total_us: AtomicU64,
}

/// Counters of requests.
#[derive(Default)]
pub(crate) struct Figures {
    classes: [ClassFigures; CLASSES.len()],
    /// Connections open now.
    pub(crate) connections: AtomicU64,
    /// Connections refused for a limit.
    pub(crate) connections_refused: AtomicU64,
    /// Events written to streams.
    pub(crate) stream_events: AtomicU64,
}

impl Figures {
    /// Counts a finished request.
    pub(crate) fn count(&self, class: RouteClass, status: u16, took: Duration) {
        let figures = &self.classes[class as usize];
        let known = STATUSES.iter().position(|known| *known == status);
        figures.statuses[known.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BUCKETS_US.iter().position(|end| us <= *end) {
            figures.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        figures.count.fetch_add(1, Ordering::Relaxed);
        figures.total_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Writes the figures of requests in the Prometheus text format.
    pub(crate) fn write(&self, out: &mut String) {
        out.push_str("# HELP headwater_http_requests_total Requests answered.\n");
        out.push_str("# TYPE headwater_http_requests_total counter\n");
        for ((_, class), figures) in CLASSES.iter().zip(&self.classes) {
            for (status, count) in STATUSES.iter().zip(&figures.statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = format!("route=\"{class}\",status=\"{status}\"");
                    out.push_str(&format!("headwater_http_requests_total{{{labels}}} {count}\n"));
                }
            }
        }
        out.push_str("# HELP headwater_http_request_seconds Time from headers read to answer.\n");
        out.push_str("# TYPE headwater_http_request_seconds histogram\n");
        for ((_, class), figures) in CLASSES.iter().zip(&self.classes) {
            figures.write_durations(class, out);
        }
    }
}

impl ClassFigures {
    fn write_durations(&self, class: &str, out: &mut String) {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return;
        }
        let name = "headwater_http_request_seconds";
        let mut below = 0;
        for (end, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let end = *end as f64 / 1e6;
            out.push_str(&format!("{name}_bucket{{route=\"{class}\",le=\"{end}\"}} {below}\n"));
        }
        let total = self.total_us.load(Ordering::Relaxed) as f64 / 1e6;
        out.push_str(&format!("{name}_bucket{{route=\"{class}\",le=\"+Inf\"}} {count}\n"));
        out.push_str(&format!("{name}_sum{{route=\"{class}\"}} {total}\n"));
        out.push_str(&format!("{name}_count{{route=\"{class}\"}} {count}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn routes_have_their_class() {
        let path = "/v1/collections/orders/documents/7";
        assert_eq!(RouteClass::of(&Method::GET, path), RouteClass::DocumentsRead);
        assert_eq!(RouteClass::of(&Method::PUT, path), RouteClass::DocumentsWrite);
        assert_eq!(RouteClass::of(&Method::GET, "/v1/collections"), RouteClass::Collections);
        assert_eq!(RouteClass::of(&Method::GET, "/healthz"), RouteClass::Other);
        for (index, (class, _)) in CLASSES.iter().enumerate() {
            assert_eq!(*class as usize, index);
        }
    }

    #[test]
    fn figures_are_written() {
        let figures = Figures::default();
        figures.count(RouteClass::Query, 200, Duration::from_micros(700));
        figures.count(RouteClass::Query, 299, Duration::from_secs(60));
        let mut text = String::new();
        figures.write(&mut text);
        assert!(text.contains("requests_total{route=\"query\",status=\"200\"} 1\n"));
        assert!(text.contains("requests_total{route=\"query\",status=\"0\"} 1\n"));
        assert!(text.contains("le=\"0.001\"} 1\n"));
        assert!(text.contains("le=\"+Inf\"} 2\n"));
    }
}
