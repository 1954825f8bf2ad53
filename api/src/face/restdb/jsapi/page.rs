//! The page that documents the JavaScript API for the collections that there are.
//!
//! Guarantees: what comes from definitions is text in it, never markup or script.

use serde_json::Value;

use super::super::markup::text;
use super::super::meta::type_name;
use crate::session::Readable;

const PAGE: &str = include_str!("page.html");
/// What stands for a collection where there is none.
const NO_COLLECTION: &str = "db.contacts";
/// Fields that an example has.
const EXAMPLE_FIELDS: usize = 2;

/// The page.
pub(super) fn page(database: &str, collections: &[Readable]) -> String {
    let links: String = collections
        .iter()
        .enumerate()
        .map(|(place, one)| format!("<a href=\"#c{place}\">{}</a>\n", text(&one.name)))
        .collect();
    let sections: String = collections
        .iter()
        .enumerate()
        .map(|(place, one)| section(place, one, class(one, collections)))
        .collect();
    let links = if links.is_empty() { "<span class=\"soft\">none to show</span>" } else { &links };
    let first = collections
        .iter()
        .reduce(|most, one| if one.fields.len() > most.fields.len() { one } else { most });
    let example = first.map_or(NO_COLLECTION.to_owned(), |one| class(one, collections));
    let properties = first.map_or("{ name: \"Jane\" }".to_owned(), properties);
    fill(&[
        ("{{database}}", &text(database)),
        ("{{links}}", links),
        ("{{example}}", &text(&example)),
        ("{{properties}}", &text(&properties)),
        ("{{collections}}", &sections),
    ])
}

/// The page with every place filled by its value; values are not looked into.
fn fill(values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(PAGE.len() * 2);
    let mut rest = PAGE;
    while let Some(at) = rest.find("{{") {
        let (before, place) = rest.split_at(at);
        out.push_str(before);
        let value = values.iter().find(|(name, _)| place.starts_with(name));
        let (name, value) = value.copied().unwrap_or(("{{", "{{"));
        out.push_str(value);
        rest = &place[name.len()..];
    }
    out.push_str(rest);
    out
}

/// How a program names the class of a collection.
fn class(collection: &Readable, all: &[Readable]) -> String {
    let of = |name: &str| name.replace(['_', '-'], "");
    let name = of(&collection.name);
    // Another one has the name, or the client itself does.
    let is_taken = RESERVED.contains(&name.as_str())
        || *collection.name != *name && all.iter().any(|other| *other.name == *name)
        || all
            .iter()
            .take_while(|other| other.name != collection.name)
            .any(|other| of(&other.name) == name && *collection.name != *name);
    if is_identifier(&name) && !is_taken {
        return format!("db.{name}");
    }
    format!("db.collection({})", Value::from(&*collection.name))
}

/// What a class cannot be called, as the client has it itself.
const RESERVED: [&str; 17] = [
    "apikey",
    "close",
    "collection",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "logging",
    "off",
    "on",
    "propertyIsEnumerable",
    "publish",
    "then",
    "toLocaleString",
    "toString",
    "url",
    "valueOf",
    "",
];

fn section(place: usize, collection: &Readable, class: String) -> String {
    let mut out = format!("<h2 id=\"c{place}\">{}</h2>\n", text(&collection.name));
    let child = collection.fields.iter().find(|(_, definition)| definition["type"] == "child");
    let mut example = format!(
        "const item = new {class}({});\nawait item.save();\nconst found = await {class}.find({{}});",
        properties(collection)
    );
    if let Some((name, _)) = child {
        let name = Value::from(name.as_str());
        example.push_str(&format!("\nconst children = await item[{name}].getChild();"));
    }
    out.push_str(&format!("<pre><code>{}</code></pre>\n", text(&example)));
    if collection.fields.is_empty() {
        out.push_str("<p class=\"soft\">It has no typed fields: documents are stored as they are given.</p>\n");
        return out;
    }
    out.push_str("<div class=\"table\"><table>\n<thead><tr><th>Field</th><th>Type</th><th>Rules</th></tr></thead>\n<tbody>\n");
    for (name, definition) in &collection.fields {
        out.push_str(&row(name, definition));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn row(name: &str, definition: &Value) -> String {
    let kind = type_name(definition["type"].as_str().unwrap_or_default());
    let mut rules = Vec::new();
    let mut rule = |is_there: bool, words: String| {
        if is_there {
            rules.push(words);
        }
    };
    rule(definition["required"] == true, "required".to_owned());
    rule(definition["unique"] == true, "unique".to_owned());
    if let Some(referred) = definition["collection"].as_str() {
        rule(true, format!("of {}", text(referred)));
    }
    if let Some(pattern) = definition["pattern"].as_str() {
        rule(true, format!("matches <code>{}</code>", text(pattern)));
    }
    if let Some(default) = definition.get("default").filter(|value| !value.is_null()) {
        rule(true, format!("default <code>{}</code>", text(&default.to_string())));
    }
    let (name, rules) = (text(name), rules.join(", "));
    format!("<tr><td><code>{name}</code></td><td>{kind}</td><td>{rules}</td></tr>\n")
}

/// Properties of an example, as JavaScript.
fn properties(collection: &Readable) -> String {
    let fields = collection.fields.iter().filter_map(|(name, definition)| {
        let value = example(definition["type"].as_str().unwrap_or_default())?;
        Some(format!("{}: {value}", member(name)))
    });
    let fields: Vec<String> = fields.take(EXAMPLE_FIELDS).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// A name as a member of an object.
fn member(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { Value::from(name).to_string() }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn example(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "text" => "\"some text\"",
        "number" => "42",
        "date" => "\"2026-03-10\"",
        "datetime" => "new Date()",
        "boolean" => "true",
        "json" => "{ a: 1 }",
        "email" => "\"jane@example.com\"",
        "url" => "\"https://example.com\"",
        "phone" => "\"+47 22 00 00 00\"",
        "lookup" => "[\"5f1f77bcf86cd799439011aa\"]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn readable(name: &str, fields: Value) -> Readable {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        Readable { name: name.into(), fields }
    }

    #[test]
    fn what_definitions_hold_is_text() {
        let bad = "</code><script>x</script>{{links}}";
        let fields =
            json!({bad: {"type": "text", "pattern": bad, "default": bad, "collection": bad}});
        let page = page("headwater", &[readable("a", fields)]);
        assert!(!page.contains("<script>x"), "{page}");
        assert!(page.contains("&lt;script&gt;x&lt;/script&gt;{{links}}"), "{page}");
    }

    #[test]
    fn classes_are_named_as_the_client_does() {
        let names = ["a-b", "ab", "a_b", "a.b", "on", "case-data", "case_data", "1st"];
        let all: Vec<_> = names.iter().map(|name| readable(name, json!({}))).collect();
        let found: Vec<String> = all.iter().map(|one| class(one, &all)).collect();
        let other = |name: &str| format!("db.collection(\"{name}\")");
        let wanted = [
            other("a-b"),
            "db.ab".to_owned(),
            other("a_b"),
            other("a.b"),
            other("on"),
            "db.casedata".to_owned(),
            other("case_data"),
            other("1st"),
        ];
        assert_eq!(found, wanted);
    }
}
