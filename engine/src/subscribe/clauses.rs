//! Which clause of a filter passes an event over.
//!
//! A clause is a member of the filter; the elements of a `$and` at the top, at any depth of such, are clauses of their own.
//! Leaves to others: whether the filter passes the event over at all ([`BodyFilter::matches`]).

use super::body::BodyFilter;
use crate::limits::Limits;
use crate::value::{Object, Raw, json};

impl BodyFilter {
    /// The first clause that fails on every one of the states, as JSON; where each holds on one of them, the first that
    /// fails on the first state; the first of all where there is no state. The time is that of the event, UTC ms.
    pub fn failing_clause(&self, states: &[Raw<'_>], time_ms: u64) -> String {
        let limits = Limits::for_stored_queries();
        let mut clauses = Vec::new();
        split(Raw::trusted(self.source()), &mut clauses);
        let fails = |clause: &[u8], states: &[Raw<'_>]| {
            // A clause that asks for nothing (`$comment`) holds.
            let Ok(Some(filter)) = Self::parse(Raw::trusted(clause), &limits) else { return false };
            states.iter().all(|state| !filter.matches_state(*state, time_ms))
        };
        let first = &states[..states.len().min(1)];
        let found = [states, first]
            .into_iter()
            .find_map(|states| clauses.iter().find(|clause| fails(clause, states)));
        let found = found.map_or(self.source(), |clause| clause);
        let mut text = Vec::new();
        json::write(Raw::trusted(found), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Splits a filter into its clauses, each encoded.
fn split(filter: Raw<'_>, clauses: &mut Vec<Vec<u8>>) {
    for (name, value) in filter.object_iter() {
        match value.as_array() {
            Some(elements) if name == "$and" => {
                elements.for_each(|element| split(element, clauses));
            }
            _ => {
                let mut clause = Object::new();
                clause.insert(name, value.to_value());
                clauses.push(clause.to_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn failing(filter: &str, states: &[&str]) -> String {
        let limits = Limits::default();
        let filter = BodyFilter::parse(Raw::trusted(&bytes(filter)), &limits).unwrap().unwrap();
        let states: Vec<Vec<u8>> = states.iter().map(|state| bytes(state)).collect();
        let states: Vec<Raw<'_>> = states.iter().map(|state| Raw::trusted(state)).collect();
        filter.failing_clause(&states, 1000)
    }

    #[test]
    fn the_first_clause_that_fails_is_named() {
        let state = [r#"{"a":1,"b":2,"c":3}"#];
        assert_eq!(failing(r#"{"a":1,"b":{"$gt":2},"c":0}"#, &state), r#"{"b":{"$gt":2}}"#);
        let nested = r#"{"$and":[{"a":1},{"$and":[{"b":2,"c":4}]},{"a":0}]}"#;
        assert_eq!(failing(nested, &state), r#"{"c":4}"#);
        assert_eq!(failing(r#"{"$or":[{"a":2},{"b":1}]}"#, &state), r#"{"$or":[{"a":2},{"b":1}]}"#);
        assert_eq!(failing(r#"{"$comment":"x","a":5}"#, &state), r#"{"a":5}"#);
    }

    #[test]
    fn what_fails_on_every_state_comes_before_what_fails_on_the_first() {
        let states = [r#"{"a":1,"b":2,"c":3}"#, r#"{"a":2,"b":1,"c":3}"#];
        assert_eq!(failing(r#"{"a":2,"c":4}"#, &states), r#"{"c":4}"#);
        assert_eq!(failing(r#"{"b":2,"a":2}"#, &states), r#"{"a":2}"#, "each holds on one");
        assert_eq!(failing(r#"{"a":1,"b":2}"#, &[]), r#"{"a":1}"#, "an erased event");
    }
}
