//! The known departures of mingo from the language, each with its sentence of the reference (`docs/query-language.md`).
//!
//! Guarantees: a rule looks at the operation and at both answers; what no rule knows is a failure.

use serde_json::Value;

use super::Answers;

/// A departure: its name, what the language says, and how it is recognized.
pub struct Rule {
    pub name: &'static str,
    pub language: &'static str,
    pub knows: fn(&Value, &Answers) -> bool,
}

/// All rules; the first that knows a difference counts it.
pub const RULES: &[Rule] = &[
    Rule {
        name: "an operand that is null or missing is refused by mingo",
        language: "arithmetic, dates and most operators of null or missing give null (section 9)",
        knows: |_, answers| {
            answers.ours.is_ok()
                && refuses(
                    answers,
                    &["must resolve to", "cannot convert", "expects array(2)", "non-zero array"],
                )
        },
    },
    Rule {
        name: "dates of null or missing are NaN or 1970 in mingo",
        language: "operators on dates of null or missing give null (section 9)",
        knows: |operation, answers| {
            mentions(operation, "$date")
                && answers.theirs.as_ref().is_ok_and(|theirs| {
                    ["NaN", "\"$date\":null", "1970-", "1969-"]
                        .iter()
                        .any(|text| mentions(theirs, text))
                })
        },
    },
    Rule {
        name: "bits of missing and fractional values in mingo",
        language: "only integral numbers and binary match, also for the clear forms (section 3)",
        knows: |operation, _| mentions(operation, "$bits"),
    },
    Rule {
        name: "$mod does not truncate in mingo",
        language: "operands and field values of $mod are truncated toward zero (section 3)",
        knows: |operation, _| mentions(operation, "$mod") && is_filter(operation),
    },
    Rule {
        name: "what counts nothing comes out of mingo",
        language: "$count emits nothing for zero input, and $bucket no empty bucket (section 8)",
        knows: |operation, answers| {
            ["$count", "$bucket"].iter().any(|name| mentions(operation, name))
                && answers.theirs.as_ref().is_ok_and(|theirs| {
                    mentions(theirs, "\"count\":0") || mentions(theirs, "\"c\":0")
                })
        },
    },
    Rule {
        name: "a foreign array is met once for each element in mingo",
        language: "$lookup: foreign arrays match by element, a document is joined once (section 8)",
        knows: |operation, answers| {
            mentions(operation, "\"foreignField\":\"t\"") && answers.theirs.is_ok()
        },
    },
    Rule {
        name: "an index into no array is missing in mingo",
        language: "an empty array yields nothing on a longer path, so null does not match (section 2)",
        knows: |operation, _| is_filter(operation) && mentions(operation, "\"r.0.x\""),
    },
    Rule {
        name: "mingo sets a path through null",
        language: "a path through a scalar or null is an error (section 5)",
        knows: |operation, answers| {
            operation["kind"] == "update"
                && answers.theirs.is_ok()
                && answers.ours.as_ref().is_err_and(|error| error.contains("leads through"))
        },
    },
    Rule {
        name: "$type does not look at elements in mingo",
        language: "$type looks at elements and at the array itself (section 3)",
        knows: |operation, _| mentions(operation, "$type") && is_filter(operation),
    },
    Rule {
        name: "sort over arrays in mingo",
        language: "an array sorts by its smallest or largest element, an empty one below null (section 7)",
        knows: |operation, _| {
            mentions(operation, "$sort") || operation.get("sort").is_some_and(|sort| {
                ["t", "r.x"].iter().any(|path| sort.get(path).is_some())
            })
        },
    },
    Rule {
        name: "$slice alone is an inclusion in mingo",
        language: "$slice alone does not make the projection an inclusion (section 4)",
        knows: |operation, _| operation.get("projection").is_some_and(|all| mentions(all, "$slice")),
    },
    Rule {
        name: "$elemMatch projections of scalars are refused by mingo",
        language: "$elemMatch shows the first matching element, scalars too (sections 3 and 4)",
        knows: |_, answers| refuses(answers, &["unknown top level operator"]),
    },
    Rule {
        name: "values of different types do not compare in mingo's expressions",
        language: "aggregation comparison uses the total order, with missing below null (section 1)",
        knows: |operation, _| {
            ["$lt", "$lte", "$gt", "$gte", "$cmp", "$max", "$min"].iter().any(|name| {
                mentions(operation, &format!("\"{name}\":["))
            })
        },
    },
    Rule {
        name: "updates of a wrong type are not refused by mingo",
        language: "arithmetic on null or a text, and array operators on what is no array, are errors (section 5)",
        knows: |operation, answers| {
            operation["kind"] == "update"
                && answers.theirs.is_ok()
                && answers.ours.as_ref().is_err_and(|error| error.contains("holds a value of type"))
        },
    },
];

/// The rule that knows a difference.
pub fn judge(operation: &Value, answers: &Answers) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.knows)(operation, answers))
}

fn mentions(value: &Value, what: &str) -> bool {
    value.to_string().contains(what)
}

fn refuses(answers: &Answers, messages: &[&str]) -> bool {
    let known = |error: &String| messages.iter().any(|message| error.contains(message));
    answers.theirs.as_ref().is_err_and(known)
}

fn is_filter(operation: &Value) -> bool {
    operation["kind"] == "find" || mentions(operation, "$match")
}
