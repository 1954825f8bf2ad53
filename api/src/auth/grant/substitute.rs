//! Substitution: what stands for an expansion takes its place, as a value and never as an operator.
//!
//! Guarantees: a value that was put in is compared as it is: a plain condition becomes `$eq`, a text in an expression
//! becomes `$literal`, and a regular expression or an object of operators within a list of values stands for nothing.
//! Texts that were put in are not looked at again. An expansion stands as the operand of a comparison or within a list of
//! values; anywhere else it is refused.
//! Leaves to others: logical operators and keys of a rule (`template`), what a condition without a value means (`fold`).

use headwater_engine::value::{Object, Value, object_id};
use headwater_engine::{Error, Result};

use super::expansion::{Expansion, Fact, has_any};
use super::facts::Facts;

/// Variables that are of a moment: a compiled rule outlives it.
const MOMENTS: [&str; 2] = ["$$NOW", "$$CLUSTER_TIME"];
/// What `%%prevRoot` is to an expression.
pub(super) const BEFORE: &str = "prevRoot";

/// What stands for expansions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Something, to see whether a rule is well-formed.
    Sample(&'a Value),
    /// What is so.
    Facts(&'a Facts),
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something stands for nothing.
    Undefined,
    /// The rule is malformed.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// A member of an object.
type Member = (String, Value);

impl Source<'_> {
    /// What a fact stands for.
    pub(super) fn fact(self, fact: &Fact) -> Result<Value, Stop> {
        match self {
            Self::Sample(_) if matches!(fact, Fact::Truth(_)) => {
                fact.value(&Facts::default()).ok_or(Stop::Undefined)
            }
            Self::Sample(value) => Ok(value.clone()),
            Self::Facts(facts) => fact.value(facts).ok_or(Stop::Undefined),
        }
    }

    /// The condition of a field.
    pub(super) fn test(self, test: &Value) -> Result<Value, Stop> {
        match operators(test) {
            None if has_any(test) => {
                let member = self.operator("$eq", test, false)?;
                Ok(Value::Object([member].into_iter().collect()))
            }
            None => Ok(test.clone()),
            Some(members) => {
                let has_list = members.iter().any(|(name, _)| name == "$in" || name == "$nin");
                let members =
                    members.iter().map(|(name, value)| self.operator(name, value, has_list));
                Ok(Value::Object(members.collect::<Result<Object, Stop>>()?))
            }
        }
    }

    /// One operator; `$eq` of the user's id becomes a list of both its forms, unless there is a list beside it.
    fn operator(self, name: &str, operand: &Value, has_list: bool) -> Result<Member, Stop> {
        let value = match name {
            "$near" | "$nearSphere" | "$text" | "$where" => return Err(unfit(name)),
            "$eq" | "$ne" => {
                let value = self.value(operand)?;
                match operand_form(operand, &value).filter(|_| !has_list) {
                    Some(text) => {
                        let name = if name == "$eq" { "$in" } else { "$nin" };
                        return Ok((name.to_owned(), Value::Array(vec![value, text])));
                    }
                    None => value,
                }
            }
            "$gt" | "$gte" | "$lt" | "$lte" => self.value(operand)?,
            "$in" | "$nin" | "$all" => self.list(name, operand)?,
            "$not" if operators(operand).is_some() => self.test(operand)?,
            "$elemMatch" => match operators(operand) {
                Some(members) if !members.iter().any(|(name, _)| is_logical(name)) => {
                    self.test(operand)?
                }
                _ => self.filter(operand)?,
            },
            "$exists" => match operand.as_str().map(Expansion::parse).transpose()?.flatten() {
                Some(Expansion::Fact(Fact::Truth(truth))) => Value::Bool(truth),
                _ => plain(name, operand)?,
            },
            _ => plain(name, operand)?,
        };
        Ok((name.to_owned(), value))
    }

    /// A value to compare with.
    fn value(self, value: &Value) -> Result<Value, Stop> {
        Ok(match value {
            Value::String(text) => match Expansion::parse(text)? {
                None => value.clone(),
                Some(Expansion::Fact(fact)) => self.fact(&fact)?,
                Some(_) => return Err(misplaced(text)),
            },
            Value::Array(values) => {
                let values = values.iter().map(|value| self.value(value));
                Value::Array(values.collect::<Result<_, Stop>>()?)
            }
            Value::Object(members) => {
                let members =
                    members.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
                Value::Object(members.collect::<Result<Object, Stop>>()?)
            }
            _ => value.clone(),
        })
    }

    /// A list of values; an expansion in its place stands for a whole list.
    fn list(self, name: &str, operand: &Value) -> Result<Value, Stop> {
        if let Value::String(text) = operand {
            let Some(expansion) = Expansion::parse(text)? else { return Ok(operand.clone()) };
            let Expansion::Fact(fact) = expansion else { return Err(misplaced(text)) };
            let value = match self {
                Self::Sample(value) if !matches!(fact, Fact::Truth(_)) => {
                    return Ok(Value::Array(vec![value.clone()]));
                }
                _ => self.fact(&fact)?,
            };
            return match value {
                Value::Array(values) if values.iter().all(is_plain_value) => {
                    Ok(Value::Array(values))
                }
                _ => Err(Stop::Undefined),
            };
        }
        let Value::Array(elements) = operand else { return Ok(operand.clone()) };
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let value = match operators(element) {
                // `{"$elemMatch": ..}` in `$all`; elsewhere the engine refuses it.
                Some(_) => plain(name, element)?,
                None => self.value(element)?,
            };
            let is_fact = matches!(element, Value::String(_)) && has_any(element);
            if is_fact && !is_plain_value(&value) {
                return Err(Stop::Undefined);
            }
            let text = operand_form(element, &value).filter(|_| name != "$all");
            values.push(value);
            values.extend(text);
        }
        Ok(Value::Array(values))
    }

    /// A filter on the elements of an array.
    fn filter(self, filter: &Value) -> Result<Value, Stop> {
        let Value::Object(members) = filter else { return Ok(filter.clone()) };
        let members = members.iter().map(|(name, value)| {
            if name.starts_with("%%") {
                return Err(misplaced(name));
            }
            let value = match value {
                _ if !name.starts_with('$') => self.test(value)?,
                Value::Array(branches) if is_logical(name) => {
                    let branches = branches.iter().map(|branch| self.filter(branch));
                    Value::Array(branches.collect::<Result<_, Stop>>()?)
                }
                _ if name == "$comment" => value.clone(),
                _ if matches!(name.as_str(), "$where" | "$text") => return Err(unfit(name)),
                _ => plain(name, value)?,
            };
            Ok((name.clone(), value))
        });
        Ok(Value::Object(members.collect::<Result<Object, Stop>>()?))
    }

    /// An expression.
    pub(super) fn expression(self, value: &Value) -> Result<Value, Stop> {
        Ok(match value {
            Value::String(text) => match Expansion::parse(text)? {
                Some(Expansion::Fact(fact)) => literal(self.fact(&fact)?),
                Some(Expansion::Root(path)) => Value::String(format!("${path}")),
                Some(Expansion::Before(path)) => Value::String(format!("$${BEFORE}.{path}")),
                Some(Expansion::BeforeItself) => return Err(misplaced(text)),
                None => value.clone(),
            },
            Value::Array(values) => {
                let values = values.iter().map(|value| self.expression(value));
                Value::Array(values.collect::<Result<_, Stop>>()?)
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| match name.as_str() {
                    "$literal" => Ok((name.clone(), value.clone())),
                    _ => Ok((name.clone(), self.expression(value)?)),
                });
                Value::Object(members.collect::<Result<Object, Stop>>()?)
            }
            _ => value.clone(),
        })
    }
}

/// Refuses what an expression in a rule must not name; whether it names the document before.
pub(super) fn look_over_expression(value: &Value) -> Result<bool> {
    match value {
        Value::String(text) => {
            let variable = text.split('.').next().unwrap_or_default();
            if MOMENTS.contains(&variable) {
                let message =
                    format!("`{variable}` cannot stand in a rule, which is kept compiled");
                return Err(Error::invalid("invalid_operand", message).with("operator", variable));
            }
            if variable.strip_prefix("$$") == Some(BEFORE) {
                let message = format!("`$${BEFORE}` is written `%%{BEFORE}` in a rule");
                return Err(Error::invalid("invalid_operand", message).with("operator", variable));
            }
            Ok(matches!(Expansion::parse(text)?, Some(Expansion::Before(_))))
        }
        Value::Array(values) => values
            .iter()
            .try_fold(false, |before, value| Ok(look_over_expression(value)? || before)),
        Value::Object(members) => members.iter().try_fold(false, |before, (name, value)| {
            if name == "$rand" {
                let message = "`$rand` cannot stand in a rule, which means the same every time";
                return Err(Error::invalid("invalid_operand", message).with("operator", "$rand"));
            }
            Ok((name != "$literal" && look_over_expression(value)?) || before)
        }),
        _ => Ok(false),
    }
}

/// The operators of a condition; `None` where it is a plain value.
pub(super) fn operators(test: &Value) -> Option<&Object> {
    let members = test.as_object()?;
    let (first, _) = members.iter().next()?;
    let is_operator = first.starts_with('$') && !matches!(first.as_str(), "$ref" | "$id" | "$db");
    is_operator.then_some(members)
}

/// `{"$literal": value}`.
pub(super) fn literal(value: Value) -> Value {
    Value::Object([("$literal".to_owned(), value)].into_iter().collect())
}

/// An expansion where none can stand.
pub(super) fn misplaced(text: &str) -> Stop {
    let message = format!("`{text}` cannot stand there");
    Stop::Refused(Error::invalid("invalid_operand", message).with("expansion", text))
}

/// The text of an ObjectId that `%%user.id` stands for: plain JSON has no other form of it.
pub(super) fn other_form(fact: &Fact, value: &Value) -> Option<Value> {
    match (fact, value) {
        (Fact::UserId, Value::ObjectId(id)) => Some(Value::String(object_id::format(id))),
        _ => None,
    }
}

/// The other form of an operand that is the user's id.
fn operand_form(operand: &Value, value: &Value) -> Option<Value> {
    let is_user = operand.as_str() == Some("%%user.id");
    is_user.then(|| other_form(&Fact::UserId, value)).flatten()
}

/// An operator that no rule may have.
pub(super) fn unfit(name: &str) -> Stop {
    let message = format!("`{name}` cannot stand in a rule");
    Stop::Refused(Error::invalid("invalid_operand", message).with("operator", name))
}

/// An operand without expansions.
fn plain(name: &str, operand: &Value) -> Result<Value, Stop> {
    if has_any(operand) {
        let message = format!("`{name}` takes no expansions");
        let error = Error::invalid("invalid_operand", message).with("operator", name);
        return Err(Stop::Refused(error));
    }
    Ok(operand.clone())
}

/// Whether a value within a list is compared as it is, and is something.
fn is_plain_value(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Regex { .. }) && operators(value).is_none()
}

fn is_logical(name: &str) -> bool {
    matches!(name, "$and" | "$or" | "$nor")
}
