//! Random filters, sorts, projections, updates and pipelines, by the engine and by mingo, the same language in JavaScript.
//!
//! Guarantees: every difference is one that `judge` knows as a departure of mingo's, or the test fails and prints the
//! operation. Prints how many answers agreed and how many were judged, by rule. `HEADWATER_SEED` replays a run.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test binary fails by panicking, starts plain processes, and is its own crate"
)]

mod compare;
mod draw;
mod expressions;
mod filters;
mod judge;
mod node;
mod ours;
mod pipelines;
#[path = "../support/seed.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod seed;
mod shrink;
mod updates;

use std::collections::BTreeMap;

use serde_json::Value;

/// What the two answer to one operation.
pub struct Answers {
    /// What this engine answers.
    pub ours: Result<Value, String>,
    /// What mingo answers.
    pub theirs: Result<Value, String>,
}

impl Answers {
    fn of(operation: &Value, mingo: &mut node::Mingo) -> Self {
        let ours = ours::run(operation).map_err(|error| error.to_string());
        Self { ours, theirs: mingo.ask(operation) }
    }

    /// Which of the two refuse.
    fn refusals(&self) -> (bool, bool) {
        (self.ours.is_err(), self.theirs.is_err())
    }

    fn agree(&self) -> bool {
        match (&self.ours, &self.theirs) {
            (Ok(ours), Ok(theirs)) => compare::same(ours, theirs),
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }
}

impl std::fmt::Display for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, answer) in [("ours ", &self.ours), ("mingo", &self.theirs)] {
            match answer {
                Ok(result) => writeln!(f, "  {name} {result}")?,
                Err(error) => writeln!(f, "  {name} refuses: {error}")?,
            }
        }
        Ok(())
    }
}

#[test]
fn operations_do_what_mingo_does_but_for_its_known_departures() {
    // The short run is always the same one: a new departure of mingo's is for the long run to find and judge.
    let seed = if seed::is_long() { seed::seeds(1)[0] } else { seed::given().unwrap_or(1) };
    let replay = seed::Replay::of(seed);
    let mut draw = draw::Draw::new(replay.random());
    let mut mingo = node::Mingo::start();
    let (mut agreed, mut judged, mut failed) = (BTreeMap::new(), BTreeMap::new(), 0);
    for _ in 0..seed::count(2_500, 200_000) {
        let operation = draw.operation();
        let answers = Answers::of(&operation, &mut mingo);
        if answers.agree() {
            let kind = operation["kind"].as_str().unwrap().to_owned();
            *agreed.entry((kind, answers.ours.is_ok())).or_insert(0) += 1;
            continue;
        }
        let least = shrink::shrink(&operation, |smaller| {
            let less = Answers::of(smaller, &mut mingo);
            !less.agree() && less.refusals() == answers.refusals()
        });
        let answers = Answers::of(&least, &mut mingo);
        if let Some(rule) = judge::judge(&least, &answers) {
            *judged.entry((rule.name, rule.language)).or_insert(0) += 1;
            continue;
        }
        failed += 1;
        println!("DIFFERENT {}\n{answers}", least);
    }
    for ((kind, answered), count) in &agreed {
        let what = if *answered { "answered alike" } else { "refused by both" };
        println!("{count:>7} {kind}: {what}");
    }
    for ((name, language), count) in &judged {
        println!("{count:>7} judged, {name}: {language}");
    }
    assert_eq!(failed, 0, "differences that no rule knows, of seed {seed}");
}
