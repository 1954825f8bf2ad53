//! The account: what a webhook's receiver saw, held against the log and the list of dead deliveries.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headwater_engine::value::date;
use serde_json::Value;

use super::receiver::Request;
use crate::harness::Client;

/// What one webhook's receiver saw, and what it ought to have seen.
pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    /// The events that match, in order.
    pub(super) events: Vec<&'a Value>,
    /// In the order in which they were sent, with their positions.
    pub(super) requests: Vec<(u64, &'a Request)>,
    /// When the last attempt of each dead delivery had ended, UTC ms.
    pub(super) dead: BTreeMap<u64, u64>,
    /// How many attempts a delivery has.
    pub(super) attempts: usize,
}

impl Account<'_> {
    /// Every event that matches was taken or is dead, and nothing else came.
    pub(super) fn check_nothing_is_lost(&self) {
        let wanted: BTreeSet<u64> = self.events.iter().map(|event| position(event)).collect();
        let taken = self.requests.iter().filter(|(_, request)| request.taken_at.is_some());
        let taken: BTreeSet<u64> = taken.map(|(position, _)| *position).collect();
        let settled = |position: &u64| taken.contains(position) || self.dead.contains_key(position);
        let lost: Vec<&u64> = wanted.iter().filter(|position| !settled(position)).collect();
        assert!(lost.is_empty(), "{}: {} unaccounted: {lost:?}", self.name, lost.len());
        let strange = self.requests.iter().map(|(position, _)| position).chain(self.dead.keys());
        let strange: Vec<&u64> = strange.filter(|position| !wanted.contains(position)).collect();
        assert!(strange.is_empty(), "{}: not asked for: {strange:?}", self.name);
    }

    /// Of one document nothing is attempted while an earlier event is not settled: taken, or out of attempts. Between two
    /// marks (the server's deaths) nothing goes back to an earlier event.
    pub(super) fn check_order(&self, marks: &[u64]) {
        let mut documents: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for event in &self.events {
            documents.entry(event["id"].to_string()).or_default().push(position(event));
        }
        let mut requests: HashMap<u64, Vec<&Request>> = HashMap::new();
        for (position, request) in &self.requests {
            requests.entry(*position).or_default().push(request);
        }
        for (document, positions) in &documents {
            for pair in positions.windows(2) {
                let of = |position: &u64| requests.get(position).map_or(&[][..], |all| &all[..]);
                let (earlier, later) = (of(&pair[0]), of(&pair[1]));
                let Some(first) = later.first() else { continue };
                assert!(
                    self.is_settled(pair[0], earlier, first),
                    "{}: {} of {document} was sent before {} was settled: {earlier:?} {first:?}",
                    self.name,
                    pair[1],
                    pair[0],
                );
            }
            let all = positions.iter().flat_map(|position| {
                let all = requests.get(position).into_iter().flatten();
                all.map(|request| (request.at, *position))
            });
            let all: BTreeMap<u64, u64> = all.collect();
            let life = |at: u64| marks.partition_point(|mark| *mark < at);
            for ((one, earlier), (two, later)) in all.iter().zip(all.iter().skip(1)) {
                assert!(
                    earlier <= later || life(*one) < life(*two),
                    "{}: {later} of {document} after {earlier}, without a kill between",
                    self.name
                );
            }
        }
    }

    /// Whether an event was settled when another was first sent.
    fn is_settled(&self, event: u64, requests: &[&Request], then: &Request) -> bool {
        let taken = |one: &&Request| one.taken_at.is_some_and(|taken| taken < then.at);
        let before = requests.iter().filter(|one| one.at < then.at).count();
        requests.iter().any(taken)
            || before >= self.attempts
            || self.dead.get(&event).is_some_and(|end| *end <= then.came_ms)
    }

    /// Requests beyond the first of each event.
    pub(super) fn repeats(&self) -> usize {
        let events: BTreeSet<u64> = self.requests.iter().map(|(position, _)| *position).collect();
        self.requests.len() - events.len()
    }
}

/// Every request of an event at a webhook has one id and one body, and no two events have the same id.
pub(super) fn check_ids(requests: &[(u64, &Request)]) {
    let mut by_event: HashMap<(&str, u64), &Request> = HashMap::new();
    let mut by_id: HashMap<&str, (&str, u64)> = HashMap::new();
    for (position, request) in requests {
        let event = (request.path.as_str(), *position);
        let first = by_event.entry(event).or_insert(request);
        assert_eq!(first.id, request.id, "the ids of {event:?}");
        assert_eq!(first.body, request.body, "the bodies of {event:?}");
        let owner = by_id.entry(&request.id).or_insert(event);
        assert_eq!(*owner, event, "two events with the id {}", request.id);
    }
}

/// The dead deliveries of a webhook: when the last attempt of each had ended, UTC ms.
pub(super) async fn dead(client: &Client, webhook: &str) -> BTreeMap<u64, u64> {
    let mut dead = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{webhook}/deliveries?status=dead&limit=100{cursor}");
        let page = client.get(&path).await.expect(200);
        for delivery in page.list("deliveries") {
            let last = delivery["attempts"].as_array().unwrap().last().unwrap();
            let began = date::parse_ms(last["time"].as_str().unwrap()).unwrap();
            let end = u64::try_from(began).unwrap() + last["duration_ms"].as_u64().unwrap();
            dead.insert(position(delivery), end);
        }
        cursor = match &page.body["next"] {
            Value::Null => return dead,
            next => format!("&cursor={}", next.to_string().trim_matches('"')),
        };
    }
}

pub(super) fn position(event: &Value) -> u64 {
    event["position"].as_u64().unwrap()
}
