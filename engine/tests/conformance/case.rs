//! Reading a case.

use headwater_engine::limits::Limits;
use headwater_engine::value::ejson::{self, Mode};
use headwater_engine::value::{Object, Raw, Value};

/// One case.
pub struct Case {
    pub id: String,
    pub group: String,
    pub kind: String,
    /// The encoded documents.
    pub docs: Vec<Vec<u8>>,
    /// Other collections.
    pub collections: Vec<(String, Vec<Vec<u8>>)>,
    pub op: Object,
    pub expect: Value,
    pub counts: Option<(i64, i64)>,
    pub strict_types: bool,
    pub strict_order: bool,
    pub unordered: bool,
    pub approx: bool,
}

impl Case {
    pub fn read(line: &str) -> Self {
        let whole = parse(line, Mode::Data);
        let op = parse(line, Mode::Filter);
        let text = |name: &str| whole.get(name).and_then(|text| text.as_str()).unwrap().to_owned();
        let flag = |name: &str| whole.get(name).and_then(|flag| flag.as_bool()).unwrap_or(false);
        let counts = whole.get("counts").and_then(|counts| counts.as_object()).map(|counts| {
            let count =
                |name| counts.get(name).and_then(|count| count.as_i64()).unwrap_or_default();
            (count("matched"), count("modified"))
        });
        let others = whole
            .get("collections")
            .and_then(|others| others.as_object())
            .cloned()
            .unwrap_or_default();
        Self {
            id: text("id"),
            group: text("group"),
            kind: text("kind"),
            docs: documents(whole.get("docs").unwrap()),
            collections: others.into_iter().map(|(name, docs)| (name, documents(&docs))).collect(),
            op: op.get("op").and_then(|op| op.as_object()).unwrap().clone(),
            expect: whole.get("expect").unwrap().clone(),
            counts,
            strict_types: flag("strictTypes"),
            strict_order: flag("strictOrder"),
            unordered: flag("unordered"),
            approx: flag("approx"),
        }
    }

    /// A member of the operation, encoded.
    pub fn op(&self, name: &str) -> Option<Vec<u8>> {
        self.op.get(name).map(Value::to_bytes)
    }

    /// Whether the operation must be refused.
    pub fn is_error(&self) -> bool {
        self.expect.as_object().is_some_and(|expect| expect.get("error").is_some())
    }
}

fn parse(line: &str, mode: Mode) -> Object {
    let limits = Limits::default();
    let bytes = ejson::parse_value(line.as_bytes(), &limits, mode).unwrap();
    Raw::trusted(&bytes).to_value().as_object().unwrap().clone()
}

fn documents(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(Value::to_bytes).collect()
}
