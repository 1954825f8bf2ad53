//! A fact that is missing never lets anything be seen that some value of it would not: what a rule matches without the fact,
//! it matches whatever the fact is.

use std::fmt::Write;

use headwater_engine::limits::Limits;
use headwater_engine::query::Filter;
use headwater_engine::value::Raw;

use super::super::Facts;
use super::super::condition::Condition;
use super::super::template::Scope;
use super::{encoded, user};

/// Numbers that a seed replays.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const VALUES: [&str; 9] = [
    "1",
    "2",
    r#""x""#,
    r#"["x",1]"#,
    r#"{"$ne":1}"#,
    "true",
    "[]",
    r#"{"$regularExpression":{"pattern":"x","options":""}}"#,
    r#"[{"$gt":0}]"#,
];

/// The condition of a field.
fn test(random: &mut Random) -> String {
    let operand = random.one(&[r#""%%user.data.f""#, r#""%%user.data.g""#, "1", r#""x""#]);
    let list = random.one(&[r#""%%user.data.f""#, r#"["%%user.data.f",2]"#, r#"["x"]"#]);
    match random.below(9) {
        0..=2 => operand.to_owned(),
        3 => format!(r#"{{"$ne":{operand}}}"#),
        4 => format!(r#"{{"$gt":{operand}}}"#),
        5 => format!(r#"{{"$in":{list}}}"#),
        6 => format!(r#"{{"$nin":{list}}}"#),
        7 => format!(r#"{{"$not":{{"$eq":{operand}}}}}"#),
        _ => format!(r#"{{"$elemMatch":{{"$ne":{operand}}}}}"#),
    }
}

fn rule(random: &mut Random, depth: usize) -> String {
    if depth > 0 && random.below(3) > 0 {
        let operator = random.one(&["$and", "$or", "$nor"]);
        let mut branches = String::new();
        for index in 0..=random.below(2) {
            let comma = if index > 0 { "," } else { "" };
            write!(branches, "{comma}{}", rule(random, depth - 1)).unwrap();
        }
        return format!(r#"{{"{operator}":[{branches}]}}"#);
    }
    let name = random.one(&["a", "b", "%%user.data.f", "%%root.a"]);
    match random.below(6) {
        0 => format!(r#"{{"{name}":"%%root.b"}}"#),
        1 => r#"{"$expr":{"$ne":["$a","%%user.data.f"]}}"#.to_owned(),
        2 => r#"{"$expr":{"$lt":["%%user.data.g","$b"]}}"#.to_owned(),
        _ => format!(r#"{{"{name}":{}}}"#, test(random)),
    }
}

#[test]
fn what_matches_without_a_fact_matches_with_any() {
    let limits = Limits::for_stored_queries();
    let compile = |condition: &Condition, facts: &Facts| {
        condition.fold(facts, &limits).filter(&limits).unwrap()
    };
    let matches =
        |filter: &Filter, document: &[u8]| filter.matches(Raw::trusted(document)).unwrap_or(false);
    let documents: Vec<Vec<u8>> = VALUES
        .iter()
        .flat_map(|a| ["1", r#""x""#, r#"["x"]"#].map(|b| format!(r#"{{"a":{a},"b":{b}}}"#)))
        .chain(["{}".to_owned()])
        .map(|text| encoded(&text))
        .collect();
    let (mut without_all, mut compared) = (0, 0);
    for seed in 0..600 {
        let mut random = Random(seed);
        let text = rule(&mut random, 3);
        let raw = encoded(&text);
        let condition =
            Condition::parse(Raw::trusted(&raw), Scope::Reading, &Limits::default()).unwrap();
        let other = random.one(&VALUES);
        let facts = user(r#""u""#, &format!(r#"{{"g":{other}}}"#));
        let without = compile(&condition, &facts);
        let with = VALUES.map(|value| {
            let facts = user(r#""u""#, &format!(r#"{{"g":{other},"f":{value}}}"#));
            (value, compile(&condition, &facts))
        });
        for document in documents.iter().filter(|document| matches(&without, document)) {
            without_all += 1;
            for (value, filter) in &with {
                compared += 1;
                assert!(
                    matches(filter, document),
                    "seed {seed}: {text} matches {:?} without f, but not with {value}",
                    Raw::trusted(document),
                );
            }
        }
    }
    // The rules say something.
    assert!(without_all > 500 && compared > 5000, "{without_all} {compared}");
}
