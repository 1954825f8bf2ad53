//! Expansions: the names beginning with `%%` that stand for something else in a rule.
//!
//! Guarantees: a name is known or refused. A fact that is missing, or null, stands for nothing, which allows nothing.
//! Leaves to others: where an expansion may stand, and what becomes of it there (`substitute`, `template`).

use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Error, Result};

use super::facts::Facts;

/// What every expansion begins with.
const PREFIX: &str = "%%";

/// What an expansion stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expansion {
    /// Something known without a document.
    Fact(Fact),
    /// `%%root.path`: a field of the document.
    Root(String),
    /// `%%prevRoot.path`: a field of the document as it was before.
    Before(String),
    /// `%%prevRoot`.
    BeforeItself,
}

/// Something known without a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// `%%user.id`.
    UserId,
    /// `%%user.email`.
    UserEmail,
    /// `%%user.data.path`.
    UserData(Vec<String>),
    /// `%%values.path`.
    Values(Vec<String>),
    /// `%%request.ip`.
    RequestIp,
    /// `%%request.method`.
    RequestMethod,
    /// `%%true`, `%%false`.
    Truth(bool),
}

impl Expansion {
    /// Reads a text; `None` where it is no expansion, refused where it is an unknown one.
    pub(super) fn parse(text: &str) -> Result<Option<Self>> {
        let Some(name) = text.strip_prefix(PREFIX) else { return Ok(None) };
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let known = match (first, rest) {
            ("true", "") => Some(Self::Fact(Fact::Truth(true))),
            ("false", "") => Some(Self::Fact(Fact::Truth(false))),
            ("user", "id") => Some(Self::Fact(Fact::UserId)),
            ("user", "email") => Some(Self::Fact(Fact::UserEmail)),
            ("user", _) => {
                rest.strip_prefix("data.").and_then(path).map(Fact::UserData).map(Self::Fact)
            }
            ("values", _) => path(rest).map(Fact::Values).map(Self::Fact),
            ("request", "ip") => Some(Self::Fact(Fact::RequestIp)),
            ("request", "method") => Some(Self::Fact(Fact::RequestMethod)),
            ("root", _) => path(rest).map(|_| Self::Root(rest.to_owned())),
            ("prevRoot", "") => Some(Self::BeforeItself),
            ("prevRoot", _) => path(rest).map(|_| Self::Before(rest.to_owned())),
            _ => None,
        };
        // `%%true.` splits like `%%true`.
        match known.filter(|_| !text.ends_with('.')) {
            Some(expansion) => Ok(Some(expansion)),
            None => {
                let message = format!("there is no expansion `{text}`");
                Err(Error::invalid("unknown_expansion", message).with("expansion", text))
            }
        }
    }
}

impl Fact {
    /// What it stands for; `None` for nothing.
    pub(super) fn value(&self, facts: &Facts) -> Option<Value> {
        let user = facts.user.as_ref();
        let request = facts.request.as_ref();
        let value = match self {
            Self::UserId => Raw::trusted(&user?.id).to_value(),
            Self::UserEmail => Value::String(user?.email.clone()?),
            Self::UserData(path) => find(&user?.data, path)?,
            Self::Values(path) => find(&facts.values, path)?,
            Self::RequestIp => Value::String(request?.address.to_canonical().to_string()),
            Self::RequestMethod => Value::String(request?.method.clone()),
            Self::Truth(truth) => Value::Bool(*truth),
        };
        (!matches!(value, Value::Null)).then_some(value)
    }

    /// Whether it belongs to a request.
    pub(super) fn is_of_request(&self) -> bool {
        matches!(self, Self::RequestIp | Self::RequestMethod)
    }
}

/// Whether a value holds anything that looks like an expansion, known or not.
pub(super) fn has_any(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(PREFIX),
        Value::Array(values) => values.iter().any(has_any),
        Value::Object(members) => members.iter().any(|(_, value)| has_any(value)),
        _ => false,
    }
}

fn find(object: &Object, path: &[String]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let mut value = object.get(first)?;
    for part in rest {
        value = value.as_object()?.get(part)?;
    }
    Some(value.clone())
}

/// The parts of a dotted path; none where one is empty or could be read as an operator or a variable.
fn path(text: &str) -> Option<Vec<String>> {
    let sound = |part: &str| !part.is_empty() && !part.starts_with('$') && !part.contains('\0');
    text.split('.').map(|part| sound(part).then(|| part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused() {
        for good in [
            "%%user.id",
            "%%user.email",
            "%%user.data.a",
            "%%user.data.a.b",
            "%%values.x",
            "%%request.ip",
            "%%request.method",
            "%%true",
            "%%false",
            "%%root.a.b",
            "%%prevRoot.a",
            "%%prevRoot",
        ] {
            assert!(Expansion::parse(good).unwrap().is_some(), "{good}");
        }
        for bad in [
            "%%",
            "%%foo",
            "%%user",
            "%%user.",
            "%%user.data",
            "%%user.data.",
            "%%user.data..a",
            "%%user.password",
            "%%values",
            "%%request.headers",
            "%%root",
            "%%root.$a",
            "%%root.a.",
            "%%prevRoot.",
            "%%true.x",
            "%%true.",
            "%%user.id.x",
            "%%USER.ID",
        ] {
            let error = Expansion::parse(bad).unwrap_err();
            assert!(error.message().contains(bad), "{bad}");
        }
        for plain in ["", "%", "% %user.id", "user.id", "a%%user.id"] {
            assert!(Expansion::parse(plain).unwrap().is_none(), "{plain}");
        }
    }
}
