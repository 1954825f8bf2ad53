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
        name: "mingo joins a local array to null or by its first element",
        language: "$lookup: local arrays match any element, what is not found is left out (section 8)",
        knows: |operation, _| mentions(operation, "\"localField\":\"t\""),
    },
    Rule {
        name: "$addToSet does not add to what has doubles in mingo",
        language: "$addToSet adds what is not there; existing duplicates stay (section 5)",
        knows: |operation, _| mentions(operation, "$addToSet") && operation["kind"] == "update",
    },
    Rule {
        name: "$regexFindAll counts its places wrongly in mingo",
        language: "idx is in code points from the beginning of the input (section 9)",
        knows: |operation, _| mentions(operation, "$regexFindAll"),
    },
    Rule {
        name: "upper and lower case of null is null in mingo, and beyond ASCII",
        language: "$toUpper and $toLower of null give an empty string (section 9); they know ASCII only",
        knows: |operation, _| mentions(operation, "$toUpper") || mentions(operation, "$toLower"),
    },
    Rule {
        name: "$zip takes the longest input in mingo when the first is empty",
        language: "$zip takes the shortest input unless it is told otherwise (section 9)",
        knows: |operation, _| mentions(operation, "$zip"),
    },
    Rule {
        name: "$firstN and its like take null and missing for arrays in mingo",
        language: "$firstN, $lastN, $maxN and $minN need an array (section 9)",
        knows: |_, answers| {
            answers.ours.as_ref().is_err_and(|error| error.contains("needs an array as input"))
        },
    },
    Rule {
        name: "$push keeps missing values as null in mingo",
        language: "$push and $addToSet skip missing but keep null (section 8)",
        knows: |operation, _| mentions(operation, "$group") && mentions(operation, "$push"),
    },
    Rule {
        name: "several arguments of one that takes one are no error in mingo",
        language: "a wrong count of arguments is refused",
        knows: |_, answers| {
            answers.ours.as_ref().is_err_and(|error| error.contains("needs 1 arguments"))
        },
    },
    Rule {
        name: "sort over objects in mingo",
        language: "documents compare field by field: type, name, value (section 1)",
        knows: |operation, _| sorts_by(operation, &["c"]) || groups_by_object(operation),
    },
    Rule {
        name: "null and missing are one to mingo's $eq, $ne and $in",
        language: "$eq on expressions: null is not missing (section 9)",
        knows: |operation, answers| {
            let asked = ["\"$eq\":[", "\"$ne\":[", "\"$in\":["];
            answers.ours.is_ok()
                && asked.iter().any(|name| mentions(operation, name))
                && !is_plain(operation)
        },
    },
    Rule {
        name: "$dateTrunc by weeks and months begins elsewhere in mingo",
        language: "$dateTrunc gives the beginning of the unit, weeks from Sunday (section 9)",
        knows: |operation, _| mentions(operation, "$dateTrunc"),
    },
    Rule {
        name: "$round does not round half to even in mingo",
        language: "$round rounds half to even (section 9)",
        knows: |operation, _| mentions(operation, "$round"),
    },
    Rule {
        name: "statistics of what is no number are NaN in mingo",
        language: "accumulators ignore what is no number (section 8)",
        knows: |operation, answers| {
            mentions(operation, "$stdDev")
                && answers.theirs.as_ref().is_ok_and(|theirs| mentions(theirs, "NaN"))
        },
    },
    Rule {
        name: "mingo makes no object for a field that stays out",
        language: "$addFields with a dotted name makes the objects on its way (section 8)",
        knows: |operation, _| mentions(operation, "\"c.z\":"),
    },
    Rule {
        name: "null is not least to mingo's $sortArray",
        language: "null and missing sort before numbers (section 1)",
        knows: |operation, _| mentions(operation, "$sortArray"),
    },
    Rule {
        name: "dates of null or missing are true in mingo",
        language: "operators on dates of null or missing give null, which is false (sections 3 and 9)",
        knows: |operation, _| {
            ["$dateAdd", "$dateSubtract", "$dateTrunc"].iter().any(|name| mentions(operation, name))
                && !mentions(&operation["docs"], "\"d\":{")
        },
    },
    Rule {
        name: "mingo does not look at the modifiers of a $push to a new field",
        language: "$push: insert, then $sort, then $slice, also on a new array (section 5)",
        knows: |operation, _| {
            let pushed = operation["update"]["$push"].as_object();
            pushed
                .is_some_and(|all| all.keys().any(|name| operation["docs"][0].get(name).is_none()))
        },
    },
    Rule {
        name: "an element without the field is not missing to mingo",
        language: "each element document that lacks the field yields missing, which null matches (section 2)",
        knows: |operation, _| is_filter(operation) && mentions(operation, "\"r.x\""),
    },
    Rule {
        name: "an index past the end is missing to mingo",
        language: "an empty array yields nothing on a longer path, so null does not match (section 2)",
        knows: |operation, _| is_filter(operation) && mentions(operation, "\"t.0\""),
    },
    Rule {
        name: "_id: 1 makes an inclusion in mingo",
        language: "only _id may be mixed into an inclusion or exclusion (section 4)",
        knows: |_, answers| refuses(answers, &["exclusion and inclusion"]),
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
        knows: |operation, _| sorts_by(operation, &["t", "r.x"]),
    },
    Rule {
        name: "$slice alone is an inclusion in mingo",
        language: "$slice alone does not make the projection an inclusion (section 4)",
        knows: |operation, _| {
            operation.get("projection").is_some_and(|all| mentions(all, "$slice"))
        },
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
            ["$lt", "$lte", "$gt", "$gte", "$cmp", "$max", "$min"]
                .iter()
                .any(|name| mentions(operation, &format!("\"{name}\":[")))
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

/// Whether all of it is data or plain conditions, without expressions.
fn is_plain(operation: &Value) -> bool {
    operation["kind"] == "find" && !mentions(&operation["filter"], "$expr")
}

fn sorts_by(operation: &Value, paths: &[&str]) -> bool {
    let stages = operation["pipeline"].as_array().into_iter().flatten();
    let mut sorts = stages.filter_map(|stage| stage.get("$sort")).chain(operation.get("sort"));
    sorts.any(|sort| paths.iter().any(|path| sort.get(path).is_some()))
}

fn groups_by_object(operation: &Value) -> bool {
    let mut stages = operation["pipeline"].as_array().into_iter().flatten();
    stages.any(|stage| stage["$group"]["_id"].is_object()) && sorts_by(operation, &["_id"])
}
