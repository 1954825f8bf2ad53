//! Every operator over odd operands: nothing panics, and what comes back is a valid value.

use super::super::operators::{self, Shape};
use super::super::{Expression, Scope};
use super::NOW;
use crate::limits::Limits;
use crate::query::{Context, Trust};
use crate::value::Raw;
use crate::value::ejson::{self, Mode};

/// Values of all types, and the ends of their ranges.
const VALUES: &[&str] = &[
    "null",
    "-1",
    "3",
    "\"\"",
    "\"\u{1F600}é\"",
    "[]",
    "{}",
    "[1,2,3]",
    "[[\"k\",1]]",
    "[[1],[2]]",
    "{\"k\":\"a\",\"v\":1}",
    "{\"$minKey\":1}",
    "0.5",
    "{\"$numberDouble\":\"NaN\"}",
    "{\"$numberDouble\":\"-Infinity\"}",
    "{\"$numberInt\":\"-2147483648\"}",
    "{\"$numberLong\":\"-9223372036854775808\"}",
    "{\"$numberLong\":\"9223372036854775807\"}",
    "{\"$numberDecimal\":\"9E+6144\"}",
    "{\"$numberDecimal\":\"-1E-6176\"}",
    "{\"$numberDecimal\":\"NaN\"}",
    "{\"$date\":{\"$numberLong\":\"9223372036854775807\"}}",
    "{\"$date\":{\"$numberLong\":\"-9223372036854775808\"}}",
    "{\"$date\":\"2024-02-29T01:02:03Z\"}",
    "{\"$timestamp\":{\"t\":1,\"i\":2}}",
    "{\"$oid\":\"64a000000000000000000001\"}",
    "true",
    "\"month\"",
    "\"week\"",
    "\"Europe/Berlin\"",
    "\"-23:59\"",
    "\"%Y-%m\"",
    "\"approximate\"",
    "\"int\"",
];

/// A simple sequence that is the same each time.
struct Sequence(u64);

impl Sequence {
    fn value(&mut self) -> &'static str {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        VALUES[(self.0 >> 33) as usize % VALUES.len()]
    }
}

/// Whether an expression over fields `p0`, `p1`… with these values gave a value.
fn evaluates(source: &str, fields: &[&str]) -> bool {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let members: Vec<_> =
        fields.iter().enumerate().map(|(i, value)| format!("\"p{i}\":{value}")).collect();
    let document = format!("{{{}}}", members.join(","));
    let document = ejson::parse_value(document.as_bytes(), &limits, Mode::Data).unwrap();
    let source = ejson::parse_value(source.as_bytes(), &limits, Mode::Filter).unwrap();
    let Ok(expression) = Expression::parse(Raw::trusted(&source), &context, &[]) else {
        return false;
    };
    match expression.evaluate(&Scope::new(Raw::trusted(&document), NOW)) {
        Ok(item) => {
            Raw::validated(item.raw_or_null().as_bytes()).unwrap();
            true
        }
        Err(error) => {
            assert!(!error.message().is_empty());
            false
        }
    }
}

#[test]
fn no_operator_panics_on_odd_operands() {
    let mut sequence = Sequence(7);
    let mut evaluated = 0;
    for (name, shape) in operators::shapes() {
        let mut sources = Vec::new();
        let of_names = |names: &[&str]| {
            let members: Vec<_> =
                names.iter().enumerate().map(|(i, name)| format!("\"{name}\":\"$p{i}\"")).collect();
            members.join(",")
        };
        match shape {
            Shape::List(least, most) => {
                for count in least..=most.min(4) {
                    let list: Vec<_> = (0..count).map(|i| format!("\"$p{i}\"")).collect();
                    sources.push(format!("{{\"{name}\":[{}]}}", list.join(",")));
                }
            }
            Shape::Named(names, required) => {
                for count in required..=names.len() {
                    sources.push(format!("{{\"{name}\":{{{}}}}}", of_names(&names[..count])));
                }
            }
            Shape::Either(names) => {
                sources.push(format!("{{\"{name}\":\"$p0\"}}"));
                sources.push(format!("{{\"{name}\":{{{}}}}}", of_names(names)));
            }
        }
        for source in sources {
            for first in VALUES {
                for _ in 0..5 {
                    let mut fields = vec![*first];
                    fields.extend((0..10).map(|_| sequence.value()));
                    evaluated += u32::from(evaluates(&source, &fields));
                }
            }
        }
    }
    println!("{evaluated} of them gave a value");
    assert!(evaluated > 5000, "{evaluated}");
}

#[test]
fn no_form_panics_on_odd_operands() {
    let forms = [
        r#"{"$map":{"input":"$p0","in":{"$add":["$$this","$p1"]}}}"#,
        r#"{"$filter":{"input":"$p0","cond":"$$this","limit":"$p1"}}"#,
        r#"{"$reduce":{"input":"$p0","initialValue":"$p1","in":{"$concatArrays":["$$value",["$$this"]]}}}"#,
        r#"{"$sortArray":{"input":"$p0","sortBy":{"k":1,"v.x":-1}}}"#,
        r#"{"$regexFindAll":{"input":"$p0","regex":"$p1","options":"$p2"}}"#,
        r#"{"$switch":{"branches":[{"case":"$p0","then":"$p1"}],"default":"$p2"}}"#,
        r#"{"$let":{"vars":{"x":"$p0"},"in":{"$ifNull":["$$x.k","$$x"]}}}"#,
    ];
    let mut sequence = Sequence(11);
    for form in forms {
        for first in VALUES {
            for _ in 0..5 {
                let fields = [*first, sequence.value(), sequence.value()];
                evaluates(form, &fields);
            }
        }
    }
}
