//! Folding: a rule with everything put in that does not depend on a document.
//!
//! Guarantees: a condition with an expansion that stands for nothing is false, and true under an odd number of `$nor`:
//! whatever is missing, nothing more is allowed for it. The condition is the whole pair of name and condition, or the whole
//! `$expr`; so is one that a value does not fit.
//! Leaves to others: documents (`condition`).

use headwater_engine::limits::Limits;
use headwater_engine::query::{Context, Filter, Trust};
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Error, Result};

use super::expansion::Fact;
use super::substitute::{BEFORE, Source, Stop, literal, other_form};
use super::template::{Node, Operand, refused};

/// A rule in which facts are settled.
#[derive(Clone, Debug)]
pub(super) enum Folded {
    /// It holds, or does not, whatever the document.
    Fixed(bool),
    /// All of them.
    All(Vec<Folded>),
    /// At least one of them.
    Any(Vec<Folded>),
    /// None of them.
    Neither(Vec<Folded>),
    /// A filter of the document; an expression in it may name the one before.
    Now(Value),
    /// A filter of the document before.
    Before(Value),
    /// Whether there was a document before.
    WasThere(bool),
}

/// The samples that stand for expansions while a rule is checked: one of them has to fit.
fn samples() -> [Value; 5] {
    let object = || Value::Object([("x".to_owned(), Value::Int32(1))].into_iter().collect());
    [
        Value::String("x".to_owned()),
        Value::Int32(1),
        Value::Array(vec![Value::String("x".to_owned())]),
        object(),
        Value::Date(0),
    ]
}

/// Folds a rule with what is so.
pub(super) fn fold(node: &Node, source: Source<'_>, limits: &Limits) -> Folded {
    let folding = Folding { source, limits };
    folding.node(node, false).unwrap_or(Folded::Fixed(false))
}

/// Folds a rule with samples; whatever is malformed is refused.
pub(super) fn check(node: &Node, limits: &Limits) -> Result<Folded> {
    let samples = samples();
    let [first, ..] = &samples;
    Folding { source: Source::Sample(first), limits }.node(node, false).map_err(refused)
}

struct Folding<'a> {
    source: Source<'a>,
    limits: &'a Limits,
}

impl Folding<'_> {
    fn node(&self, node: &Node, negated: bool) -> Result<Folded, Stop> {
        match node {
            Node::All(nodes) => Ok(Folded::all(self.nodes(nodes, negated)?)),
            Node::Any(nodes) => Ok(Folded::any(self.nodes(nodes, negated)?)),
            Node::Neither(nodes) => Ok(Folded::neither(self.nodes(nodes, !negated)?)),
            _ => match self.atom(node) {
                Err(Stop::Undefined) if matches!(self.source, Source::Facts(_)) => {
                    Ok(Folded::Fixed(negated))
                }
                folded => folded,
            },
        }
    }

    fn nodes(&self, nodes: &[Node], negated: bool) -> Result<Vec<Folded>, Stop> {
        nodes.iter().map(|node| self.node(node, negated)).collect()
    }

    fn atom(&self, node: &Node) -> Result<Folded, Stop> {
        match node {
            Node::Test { of: Operand::Field(path), test } => {
                Ok(Folded::Now(self.sound(pair(path, self.source.test(test)?))?))
            }
            Node::Test { of: Operand::Before(path), test } => {
                Ok(Folded::Before(self.sound(pair(path, self.source.test(test)?))?))
            }
            Node::Test { of: Operand::Fact(fact), test } => {
                let value = self.source.fact(fact)?;
                // Both forms of an id, as an array: a condition on an array looks at its elements.
                let value = match other_form(fact, &value) {
                    Some(text) => Value::Array(vec![value, text]),
                    None => value,
                };
                let filter = self.sound(pair("v", self.source.test(test)?))?;
                let document = pair("v", value).to_bytes();
                let filter = self.parse(&filter)?;
                match filter.matches(Raw::trusted(&document)) {
                    Ok(holds) => Ok(Folded::Fixed(holds)),
                    Err(_) => Err(Stop::Undefined),
                }
            }
            Node::Compare { left, operator, right } => {
                let right = Value::String(reference(right));
                let expression = match left {
                    Operand::Fact(fact) => self.compare_fact(fact, operator, right)?,
                    field => comparison(operator, Value::String(reference(field)), right),
                };
                Ok(Folded::Now(self.sound(pair("$expr", expression))?))
            }
            Node::Expression(expression) => self.expression(expression),
            Node::Schema(schema) => {
                Ok(Folded::Now(self.sound(pair("$jsonSchema", schema.clone()))?))
            }
            Node::WasThere(wanted) => Ok(Folded::WasThere(*wanted)),
            Node::All(_) | Node::Any(_) | Node::Neither(_) => self.node(node, false),
        }
    }

    /// A fact compared with a field.
    fn compare_fact(&self, fact: &Fact, operator: &str, right: Value) -> Result<Value, Stop> {
        let value = self.source.fact(fact)?;
        let text = other_form(fact, &value);
        let first = comparison(operator, literal(value), right.clone());
        let Some(text) = text.filter(|_| matches!(operator, "$eq" | "$ne" | "$in")) else {
            return Ok(first);
        };
        let joint = if operator == "$ne" { "$and" } else { "$or" };
        Ok(call(joint, vec![first, comparison(operator, literal(text), right)]))
    }

    /// `$expr`; a sample of some type has to fit.
    fn expression(&self, expression: &Value) -> Result<Folded, Stop> {
        let Source::Sample(_) = self.source else {
            let filter = pair("$expr", self.source.expression(expression)?);
            return Ok(Folded::Now(self.sound(filter)?));
        };
        let mut refusal = Stop::Undefined;
        for sample in samples().iter().rev() {
            let source = Source::Sample(sample);
            match self.sound(pair("$expr", source.expression(expression)?)) {
                Ok(filter) => return Ok(Folded::Now(filter)),
                Err(stop) => refusal = stop,
            }
        }
        Err(refusal)
    }

    /// The filter, if it compiles; where a value that was put in does not fit, it stands for nothing.
    fn sound(&self, filter: Value) -> Result<Value, Stop> {
        self.parse(&filter)?;
        Ok(filter)
    }

    fn parse(&self, filter: &Value) -> Result<Filter, Stop> {
        parse(filter, self.limits).map_err(|error| match self.source {
            Source::Sample(_) => Stop::Refused(error),
            Source::Facts(_) => Stop::Undefined,
        })
    }
}

impl Folded {
    /// All of some.
    pub(super) fn all(nodes: Vec<Self>) -> Self {
        let mut all = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Fixed(true) => {}
                Self::Fixed(false) => return Self::Fixed(false),
                Self::All(nodes) => all.extend(nodes),
                node => all.push(node),
            }
        }
        match all.len() {
            0 => Self::Fixed(true),
            1 => all.remove(0),
            _ => Self::All(all),
        }
    }

    fn any(nodes: Vec<Self>) -> Self {
        if nodes.iter().any(|node| matches!(node, Self::Fixed(true))) {
            return Self::Fixed(true);
        }
        let mut any = without_fixed(nodes);
        match any.len() {
            0 => Self::Fixed(false),
            1 => any.remove(0),
            _ => Self::Any(any),
        }
    }

    fn neither(nodes: Vec<Self>) -> Self {
        if nodes.iter().any(|node| matches!(node, Self::Fixed(true))) {
            return Self::Fixed(false);
        }
        let neither = without_fixed(nodes);
        if neither.is_empty() { Self::Fixed(true) } else { Self::Neither(neither) }
    }

    /// As a filter of the document; what looks at the document before cannot be one.
    pub(super) fn filter(&self, limits: &Limits) -> Result<Filter> {
        parse(&self.to_value()?, limits)
    }

    fn to_value(&self) -> Result<Value> {
        let list = |nodes: &[Self]| {
            nodes.iter().map(Self::to_value).collect::<Result<Vec<_>>>().map(Value::Array)
        };
        Ok(match self {
            Self::Fixed(true) => Value::Object(Object::new()),
            Self::Fixed(false) => pair("$nor", Value::Array(vec![Value::Object(Object::new())])),
            Self::All(nodes) => pair("$and", list(nodes)?),
            Self::Any(nodes) => pair("$or", list(nodes)?),
            Self::Neither(nodes) => pair("$nor", list(nodes)?),
            Self::Now(filter) => filter.clone(),
            Self::Before(_) | Self::WasThere(_) => {
                let message = "a rule that names `%%prevRoot` is no filter";
                return Err(Error::invalid("invalid_filter", message));
            }
        })
    }
}

/// Compiles a filter; expressions may name the document before, which only `condition` gives them.
pub(super) fn parse(filter: &Value, limits: &Limits) -> Result<Filter> {
    let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
    Filter::parse_with(Raw::trusted(&filter.to_bytes()), &context, &[BEFORE.to_owned()])
}

fn without_fixed(nodes: Vec<Folded>) -> Vec<Folded> {
    nodes.into_iter().filter(|node| !matches!(node, Folded::Fixed(_))).collect()
}

/// A comparison of expressions that matches as a filter would: nothing is less or greater than what is not there, and
/// nothing is in what is no list.
fn comparison(operator: &str, left: Value, right: Value) -> Value {
    match operator {
        "$gt" | "$gte" | "$lt" | "$lte" => {
            let there = |side: &Value| call("$gt", vec![side.clone(), Value::Null]);
            let both = vec![there(&left), there(&right), call(operator, vec![left, right])];
            call("$and", both)
        }
        "$in" => {
            let is_list = call("$isArray", vec![right.clone()]);
            let list = call("$cond", vec![is_list, right, Value::Array(Vec::new())]);
            call("$in", vec![left, list])
        }
        _ => call(operator, vec![left, right]),
    }
}

fn call(operator: &str, operands: Vec<Value>) -> Value {
    pair(operator, Value::Array(operands))
}

/// A field, as an expression names it.
fn reference(operand: &Operand) -> String {
    match operand {
        Operand::Before(path) => format!("$${BEFORE}.{path}"),
        Operand::Field(path) => format!("${path}"),
        Operand::Fact(_) => String::new(),
    }
}

fn pair(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}
