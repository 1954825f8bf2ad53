//! The query language's cases: one a line, over the query module alone.
//!
//! `HEADWATER_QUERY_CASES=FILE` reads another file; `HEADWATER_QUERY_GROUP=find.` runs the groups that begin so. Prints
//! `N passed, N failed`, and every case that failed with what came instead.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test binary fails by panicking, and is its own crate"
)]

mod case;
mod compare;
mod run;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn every_case_gives_what_is_expected() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/query-cases.jsonl");
    let path = std::env::var("HEADWATER_QUERY_CASES").unwrap_or_else(|_| default.to_owned());
    let group = std::env::var("HEADWATER_QUERY_GROUP").unwrap_or_default();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut passed, mut failed) = (0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case = case::Case::read(line);
        if !case.group.starts_with(&group) {
            continue;
        }
        let ran = catch_unwind(AssertUnwindSafe(|| run::run(&case)));
        match ran.unwrap_or_else(|_| Err("panicked".to_owned())) {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                println!("FAILED {}\n  {line}\n  {why}", case.id);
            }
        }
    }
    // Past the test runner's capture: the line is wanted of a run that passes, too.
    writeln!(std::io::stdout(), "{passed} passed, {failed} failed").unwrap();
    assert_eq!(failed, 0, "cases of {path} failed");
    assert!(passed > 0, "{path} has no case of the group");
}
