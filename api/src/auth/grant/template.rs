//! Templates: rules as they were written, taken apart at their logical operators.
//!
//! Guarantees: what is malformed, unknown or out of place is refused here, so that what was parsed compiles for whatever
//! the expansions come to stand for.
//! Leaves to others: the values (`substitute`), compiling (`fold`).

use headwater_engine::value::Value;
use headwater_engine::{Error, Result};

use super::expansion::{Expansion, Fact, has_any};
use super::substitute::{Stop, look_over_expression, misplaced, operators, unfit};

/// What a rule may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The document, and facts.
    Reading,
    /// The document after and before, and facts.
    Writing,
    /// Facts alone.
    Facts,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// All of them.
    All(Vec<Node>),
    /// At least one of them.
    Any(Vec<Node>),
    /// None of them.
    Neither(Vec<Node>),
    /// A condition of something.
    Test {
        /// Of what.
        of: Operand,
        /// The condition, as a filter would have it for a field.
        test: Value,
    },
    /// A comparison with a field.
    Compare {
        /// What is compared.
        left: Operand,
        /// `$eq` and its like.
        operator: String,
        /// With what: a field after or before.
        right: Operand,
    },
    /// `$expr`.
    Expression(Value),
    /// `$jsonSchema`, whole.
    Schema(Value),
    /// Whether there was a document before.
    WasThere(bool),
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// A field of the document.
    Field(String),
    /// A field of the document before.
    Before(String),
    /// A fact.
    Fact(Fact),
}

/// A rule with what there is to know of it.
#[derive(Debug, PartialEq)]
pub(super) struct Template {
    pub(super) root: Node,
    pub(super) names_before: bool,
    pub(super) names_request: bool,
}

struct Parser {
    scope: Scope,
    names_before: bool,
}

/// Takes a rule apart. Whether it is a sound filter otherwise is for the engine to say.
pub(super) fn parse(rule: &Value, scope: Scope) -> Result<Template> {
    let mut parser = Parser { scope, names_before: false };
    let root = parser.document(rule)?;
    Ok(Template { root, names_before: parser.names_before, names_request: names_request(rule) })
}

impl Parser {
    fn document(&mut self, rule: &Value) -> Result<Node> {
        let Value::Object(members) = rule else {
            return Err(Error::invalid("invalid_filter", "a filter must be an object"));
        };
        let mut nodes = Vec::with_capacity(members.len());
        for (name, value) in members {
            match name.as_str() {
                "$and" => nodes.push(Node::All(self.branches(name, value)?)),
                "$or" => nodes.push(Node::Any(self.branches(name, value)?)),
                "$nor" => nodes.push(Node::Neither(self.branches(name, value)?)),
                "$comment" => {}
                "$expr" | "$jsonSchema" if self.scope == Scope::Facts => {
                    return Err(no_document(name));
                }
                "$expr" => {
                    let before = look_over_expression(value)?;
                    self.names_before(before)?;
                    nodes.push(Node::Expression(value.clone()));
                }
                "$jsonSchema" if has_any(value) => {
                    let message = "`$jsonSchema` takes no expansions";
                    return Err(Error::invalid("invalid_operand", message));
                }
                "$jsonSchema" => nodes.push(Node::Schema(value.clone())),
                "$text" | "$where" => return Err(refused(unfit(name))),
                _ if name.starts_with('$') => {
                    let message = format!("there is no operator `{name}` at the top of a filter");
                    return Err(
                        Error::invalid("unknown_operator", message).with("operator", name.as_str())
                    );
                }
                _ => self.pair(name, value, &mut nodes)?,
            }
        }
        Ok(Node::All(nodes))
    }

    fn branches(&mut self, name: &str, value: &Value) -> Result<Vec<Node>> {
        match value.as_array() {
            Some(branches) if !branches.is_empty() => {
                branches.iter().map(|branch| self.document(branch)).collect()
            }
            _ => {
                let message = format!("`{name}` takes a list of at least one filter");
                Err(Error::invalid("invalid_operand", message).with("operator", name))
            }
        }
    }

    /// A name with its condition; comparisons with fields become nodes of their own.
    fn pair(&mut self, name: &str, test: &Value, nodes: &mut Vec<Node>) -> Result<()> {
        let of = match Expansion::parse(name)? {
            Some(Expansion::BeforeItself) => {
                self.names_before(true)?;
                nodes.push(Node::WasThere(existence(test)?));
                return Ok(());
            }
            Some(Expansion::Fact(fact)) => Operand::Fact(fact),
            Some(Expansion::Before(path)) => Operand::Before(path),
            Some(Expansion::Root(path)) => Operand::Field(path),
            None => Operand::Field(name.to_owned()),
        };
        self.look_at(&of, name)?;
        if let Some(right) = reference(test)? {
            return self.compare(of, "$eq", right, nodes);
        }
        let Some(members) = operators(test) else {
            nodes.push(Node::Test { of, test: test.clone() });
            return Ok(());
        };
        let mut rest = Vec::with_capacity(members.len());
        for (operator, operand) in members {
            match reference(operand)? {
                Some(right) => self.compare(of.clone(), operator, right, nodes)?,
                None => rest.push((operator.clone(), operand.clone())),
            }
        }
        if !rest.is_empty() {
            let test = Value::Object(rest.into_iter().collect());
            nodes.push(Node::Test { of, test });
        }
        Ok(())
    }

    fn compare(
        &mut self,
        left: Operand,
        operator: &str,
        right: Operand,
        nodes: &mut Vec<Node>,
    ) -> Result<()> {
        let known = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in"];
        if !known.contains(&operator) {
            let message = format!("`{operator}` takes no fields (`%%root`, `%%prevRoot`)");
            return Err(Error::invalid("invalid_operand", message).with("operator", operator));
        }
        self.look_at(&right, "%%root")?;
        nodes.push(Node::Compare { left, operator: operator.to_owned(), right });
        Ok(())
    }

    /// Refuses what the scope does not have.
    fn look_at(&mut self, operand: &Operand, name: &str) -> Result<()> {
        match operand {
            Operand::Fact(_) => Ok(()),
            Operand::Field(_) if self.scope == Scope::Facts => Err(no_document(name)),
            Operand::Field(_) => Ok(()),
            Operand::Before(_) => self.names_before(true),
        }
    }

    fn names_before(&mut self, names: bool) -> Result<()> {
        if names && self.scope != Scope::Writing {
            let message = "`%%prevRoot` stands in rules for writing only";
            return Err(Error::invalid("invalid_operand", message).with("expansion", "%%prevRoot"));
        }
        self.names_before |= names;
        Ok(())
    }
}

/// The refusal; a rule is not judged by facts here.
pub(super) fn refused(stop: Stop) -> Error {
    match stop {
        Stop::Refused(error) => error,
        Stop::Undefined => Error::invalid("invalid_filter", "an expansion cannot stand there"),
    }
}

/// The field that a whole operand stands for.
fn reference(operand: &Value) -> Result<Option<Operand>> {
    let Value::String(text) = operand else { return Ok(None) };
    match Expansion::parse(text)? {
        Some(Expansion::Root(path)) => Ok(Some(Operand::Field(path))),
        Some(Expansion::Before(path)) => Ok(Some(Operand::Before(path))),
        Some(Expansion::BeforeItself) => Err(refused(misplaced(text))),
        Some(Expansion::Fact(_)) | None => Ok(None),
    }
}

/// `{"$exists": true}` or `{"%exists": true}`, the only condition of `%%prevRoot` itself.
fn existence(test: &Value) -> Result<bool> {
    let members = test.as_object().filter(|members| members.len() == 1);
    let wanted =
        members.and_then(|members| members.get("$exists").or_else(|| members.get("%exists")));
    let truth = match wanted {
        Some(Value::Bool(truth)) => Some(*truth),
        Some(Value::String(text)) if text == "%%true" => Some(true),
        Some(Value::String(text)) if text == "%%false" => Some(false),
        _ => None,
    };
    truth.ok_or_else(|| {
        let message = "`%%prevRoot` takes `{\"$exists\": true}` or `{\"$exists\": false}`";
        Error::invalid("invalid_operand", message).with("expansion", "%%prevRoot")
    })
}

fn no_document(name: &str) -> Error {
    let message = format!("`{name}` looks at a document, and there is none here");
    Error::invalid("invalid_filter", message).with("path", name)
}

fn names_request(rule: &Value) -> bool {
    let is_of_request = |text: &str| matches!(Expansion::parse(text), Ok(Some(Expansion::Fact(fact))) if fact.is_of_request());
    match rule {
        Value::String(text) => is_of_request(text),
        Value::Array(values) => values.iter().any(names_request),
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_of_request(name) || names_request(value))
        }
        _ => false,
    }
}
