//! What the check lets in, by a second description of the types that works on trees and shares no code with the first.

use proptest::prelude::*;

use super::super::FieldType::{self, *};
use super::{Stage, converted, fields, violations};
use crate::value::tests::model::value;
use crate::value::{Object, Raw, Value, check};

const KINDS: [FieldType; 13] =
    [Text, Number, Date, DateTime, Boolean, Json, Email, Url, Phone, Lookup, Child, Image, File];

fn is_id(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Int32(_) | Value::Int64(_) | Value::Double(_) | Value::Decimal(_) => true,
        Value::Bool(_) | Value::Date(_) | Value::ObjectId(_) | Value::Binary { .. } => true,
        _ => false,
    }
}

/// Whether a stored value is one of a type.
fn fits(kind: FieldType, value: &Value) -> bool {
    match (kind, value) {
        (Child, _) => false,
        (_, Value::Null) => true,
        (Text, Value::String(_)) => true,
        (Number, Value::Int32(_) | Value::Int64(_) | Value::Double(_) | Value::Decimal(_)) => true,
        (Date | DateTime, Value::Date(_)) | (Boolean, Value::Bool(_)) => true,
        (Json, Value::Object(_) | Value::Array(_)) => true,
        (Email, Value::String(text)) => text.is_empty() || text.matches('@').count() >= 1,
        (Url, Value::String(text)) => text.is_empty() || text.contains(':') && !text.contains(' '),
        (Phone, Value::String(text)) => {
            text.is_empty() || text.bytes().filter(u8::is_ascii_digit).count() >= 3
        }
        (Lookup, Value::Array(ids)) => ids.iter().all(is_id),
        (Image | File, Value::Array(ids)) => {
            ids.iter().all(|id| matches!(id, Value::String(text) if !text.is_empty()))
        }
        _ => false,
    }
}

fn has_value(kind: FieldType, value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => kind == Json || !list.is_empty(),
        Some(_) => true,
    }
}

/// Values that are likely to be of some type, and any other.
fn given() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        "-?[0-9]{1,20}(\\.[0-9]{1,4})?(e[0-9])?",
        "(true|false|)",
        "20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,3})?)?(Z|\\+01:00)?)?",
        "[a-z]{1,3}@[a-z]{1,3}\\.[a-z]{2}",
        "(http|ftp)://[a-z./ ]{0,8}",
        "[+0-9 ()-]{0,12}",
        "[0-9a-f]{24}",
        "(\\{|\\[)(\"a\":1|1,2|)(\\}|\\])",
    ];
    let texts = texts.prop_map(Value::String).boxed();
    let with_id = (texts.clone(), any::<bool>()).prop_map(|(id, other)| {
        let mut object = Object::new();
        object.insert(if other { "_id" } else { "id" }, id);
        Value::Object(object)
    });
    let lists = prop::collection::vec(prop_oneof![texts.clone(), with_id.clone().boxed()], 0..4);
    prop_oneof![4 => texts, 1 => with_id, 2 => lists.prop_map(Value::Array), 2 => value()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_let_in_fits_its_types_and_stays_as_it_is(
        members in prop::collection::vec((0..KINDS.len(), given()), 0..6),
        required in any::<u16>(),
        other in value(),
        is_new: bool,
    ) {
        let is_required = |at: usize| required >> at & 1 == 1 && KINDS[at] != Child;
        let definition: Vec<_> = KINDS.iter().enumerate().map(|(at, kind)| {
            let refers = if matches!(kind, Lookup | Child) { r#","collection":"x""# } else { "" };
            format!(r#""f{at}":{{"type":"{}","required":{}{refers}}}"#, kind.name(), is_required(at))
        }).collect();
        let fields = fields(&format!("{{{}}}", definition.join(",")));
        let mut document = Object::new();
        document.insert("_id", 1);
        document.insert("other", other);
        for (at, value) in members {
            document.insert(format!("f{at}"), value);
        }
        let given = document.to_bytes();
        let stage = if is_new { Stage::New } else { Stage::Known };
        let stored = converted(&fields, &given, stage);
        prop_assert!(check::validate(&stored).is_ok());
        let after = Raw::trusted(&stored).to_value();
        let after = after.as_object().unwrap();
        prop_assert_eq!(&after.get("other").unwrap().to_bytes(), &document.get("other").unwrap().to_bytes());
        let refused: Vec<_> = violations(&fields, &stored).into_iter().map(|one| one.path).collect();
        for (at, kind) in KINDS.iter().enumerate() {
            let name = format!("f{at}");
            let value = after.get(&name);
            let good = value.is_none_or(|value| fits(*kind, value))
                && (!is_required(at) || has_value(*kind, value));
            let is_refused = refused.contains(&name);
            prop_assert!(good || is_refused, "{:?} let in {:?}", kind, value);
            // The model says of these only what they are at least.
            let is_exact = !matches!(kind, Email | Url | Phone);
            prop_assert!(!is_exact || good != is_refused, "{:?} refused {:?}", kind, value);
        }
        if refused.is_empty() {
            prop_assert!(fields.convert(Raw::trusted(&stored), stage).is_none());
        }
    }

    #[test]
    fn numbers_of_forms_are_the_numbers_of_json(number in prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
    ]) {
        let fields = fields(r#"{"n":{"type":"number"}}"#);
        let mut document = Object::new();
        document.insert("n", number.as_str());
        let stored = converted(&fields, &document.to_bytes(), Stage::New);
        let stored = Raw::trusted(&stored).get("n").unwrap().to_value();
        let read = match &stored {
            Value::Int32(number) => number.to_string(),
            Value::Int64(number) => number.to_string(),
            Value::Double(number) => format!("{number:?}"),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(read.parse::<f64>().unwrap().to_bits(), number.parse::<f64>().unwrap().to_bits());
        prop_assert_eq!(number.parse::<i64>().is_ok(), !matches!(stored, Value::Double(_)));
    }
}
