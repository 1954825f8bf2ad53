//! From a document to the tree of an expression.
//!
//! Guarantees: unknown operators and variables, malformed paths, wrong arguments and too deep nesting are refused, with the
//! operator and the place in the expression. Calls whose arguments are constants are worked out here; those that fail
//! are refused, unless they stand where they may never be reached.
//! Leaves to others: operators that evaluate their arguments themselves (`forms`).

use super::failure::failed;
use super::forms;
use super::node::{Call, Node, Variable};
use super::operators::{self, Operator, Shape};
use super::scope::{Bounds, Env, Shared};
use super::{Scope, arith, convert, date_format, date_math, zone};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Context, Item};
use crate::value::Raw;
use crate::value::path::Path;

/// Compiles one expression.
pub(super) struct Parser<'p> {
    pub(super) context: &'p Context<'p>,
    outer: &'p [String],
    locals: Vec<Vec<String>>,
    path: Vec<String>,
    depth: u32,
    /// How many operators around may leave this place out.
    lenient: u32,
}

impl<'p> Parser<'p> {
    pub(super) fn new(context: &'p Context<'p>, outer: &'p [String]) -> Self {
        Self { context, outer, locals: Vec::new(), path: Vec::new(), depth: 0, lenient: 0 }
    }

    pub(super) fn whole(mut self, raw: Raw<'_>) -> Result<Node> {
        self.node(raw)
    }

    /// A part of the expression at a step further in.
    pub(super) fn at(&mut self, step: impl Into<String>, raw: Raw<'_>) -> Result<Node> {
        let max = self.context.limits.query_depth;
        if self.depth >= max {
            return Err(self.too_deep());
        }
        self.depth += 1;
        self.path.push(step.into());
        let node = self.node(raw);
        self.path.pop();
        self.depth -= 1;
        node
    }

    /// As [`Self::at`], for a part that may never be evaluated.
    pub(super) fn lazily(&mut self, step: impl Into<String>, raw: Raw<'_>) -> Result<Node> {
        self.lenient += 1;
        let node = self.at(step, raw);
        self.lenient -= 1;
        node
    }

    /// A part that sees more variables; it may be evaluated never or often.
    pub(super) fn inside(
        &mut self,
        step: &str,
        raw: Raw<'_>,
        variables: Vec<String>,
    ) -> Result<Node> {
        self.locals.push(variables);
        let node = self.lazily(step, raw);
        self.locals.pop();
        node
    }

    fn node(&mut self, raw: Raw<'_>) -> Result<Node> {
        if let Some(text) = raw.as_str() {
            return match text.strip_prefix('$') {
                None => Ok(Node::of(raw)),
                Some(rest) => match rest.strip_prefix('$') {
                    Some(variable) => self.variable(variable),
                    None => Ok(Node::Field(self.path_of(rest, text)?)),
                },
            };
        }
        if let Some(elements) = raw.as_array() {
            let nodes = elements
                .enumerate()
                .map(|(place, element)| self.at(place.to_string(), element))
                .collect::<Result<Vec<_>>>()?;
            return Ok(self.fold(Node::Array(nodes)));
        }
        let Some(mut members) = raw.as_object() else { return Ok(Node::of(raw)) };
        match members.next() {
            Some((name, argument)) if name.starts_with('$') => {
                if members.next().is_some() {
                    return Err(self.refuse(name, "must stand alone in its document"));
                }
                self.operator(name, argument)
            }
            _ => self.document(raw),
        }
    }

    fn document(&mut self, raw: Raw<'_>) -> Result<Node> {
        let mut members: Vec<(String, Node)> = Vec::with_capacity(raw.member_count());
        for (name, value) in raw.object_iter() {
            if name.starts_with('$') || name.contains('.') || name.is_empty() {
                let message = "is no name of a field in a document that is made";
                return Err(self.refuse(name, message));
            }
            members.push((name.to_owned(), self.at(name, value)?));
        }
        Ok(self.fold(Node::Object(members)))
    }

    /// A document or array of constants is a constant.
    fn fold(&self, node: Node) -> Node {
        let constant = match &node {
            Node::Array(nodes) => nodes.iter().all(|node| node.constant().is_some()),
            Node::Object(members) => members.iter().all(|(_, node)| node.constant().is_some()),
            _ => false,
        };
        let value = if constant { self.value_of(&node).ok().flatten() } else { None };
        value.unwrap_or(node)
    }

    /// The constant that a node without variables comes to; `None` where it is missing.
    fn value_of(&self, node: &Node) -> Result<Option<Node>> {
        let shared = Shared::new(Bounds::new(self.context.limits));
        let item = node.eval(&Env::new(&Scope::new(Raw::NULL, 0), &shared))?;
        Ok(item.raw().map(Node::of))
    }

    fn variable(&self, text: &str) -> Result<Node> {
        let (name, rest) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
        let path = rest.map(|rest| self.path_of(rest, text)).transpose()?;
        let Some(variable) = self.resolve(name) else {
            return Err(Error::invalid(
                "unknown_variable",
                format!("there is no variable `$${name}`{}", self.place()),
            )
            .with("variable", name)
            .with("path", self.path.join(".")));
        };
        match (variable, path) {
            (Variable::Current, Some(path)) => Ok(Node::Field(path)),
            (variable, path) => Ok(Node::Variable(variable, path)),
        }
    }

    fn resolve(&self, name: &str) -> Option<Variable> {
        for (up, names) in self.locals.iter().rev().enumerate() {
            if let Some(place) = names.iter().position(|known| known == name) {
                return Some(Variable::Local { up, place });
            }
        }
        if let Some(place) = self.outer.iter().position(|known| known == name) {
            return Some(Variable::Outer(place));
        }
        match name {
            "ROOT" => Some(Variable::Root),
            "CURRENT" => Some(Variable::Current),
            "NOW" => Some(Variable::Now),
            "REMOVE" => Some(Variable::Remove),
            _ => None,
        }
    }

    fn path_of(&self, path: &str, whole: &str) -> Result<Path> {
        let wrong = |part: &str| part.is_empty() || part.starts_with('$') || part.contains('\0');
        if path.split('.').any(wrong) {
            return Err(Error::invalid(
                "invalid_operand",
                format!("`{whole}` is no path of a field{}", self.place()),
            )
            .with("path", whole));
        }
        if path.split('.').count() > self.context.limits.nesting as usize {
            return Err(self.too_deep());
        }
        Ok(Path::new(path))
    }

    fn operator(&mut self, name: &str, argument: Raw<'_>) -> Result<Node> {
        if name == "$literal" || name == "$const" {
            return Ok(Node::of(argument));
        }
        self.path.push(name.to_owned());
        let node = self.operator_at(name, argument);
        self.path.pop();
        node
    }

    fn operator_at(&mut self, name: &str, argument: Raw<'_>) -> Result<Node> {
        if let Some(form) = forms::parse(self, name, argument)? {
            return Ok(form);
        }
        if let Some(operator) = operators::find(name) {
            return self.call(operator, argument);
        }
        match name {
            "$meta" => self.meta(argument),
            "$function" | "$accumulator" | "$where" => Err(Error::invalid(
                "operator_not_allowed",
                format!("{name} is not allowed: no code is run here{}", self.place()),
            )
            .with("operator", name)
            .with("path", self.path.join("."))),
            _ => Err(Error::invalid(
                "unknown_operator",
                format!("there is no operator {name} in expressions{}", self.place()),
            )
            .with("operator", name)
            .with("path", self.path.join("."))),
        }
    }

    /// A value that the stage before left, if there is such a variable.
    fn meta(&self, argument: Raw<'_>) -> Result<Node> {
        match argument.as_str() {
            Some(name @ ("textScore" | "searchScore" | "indexKey" | "recordId")) => {
                Ok(Node::Variable(self.resolve(name).unwrap_or(Variable::Remove), None))
            }
            _ => Err(self.refuse("$meta", "takes the name of a value, such as \"textScore\"")),
        }
    }

    fn call(&mut self, operator: &'static Operator, argument: Raw<'_>) -> Result<Node> {
        let name = operator.name;
        let mut arguments = match operator.shape {
            Shape::List(least, most) => self.list(name, argument, least, most)?,
            Shape::Named(names, required) => {
                let raws = self.named(name, argument, names, required)?;
                self.each_named(name, names, &raws)?
            }
            Shape::Either(names) => {
                let named = argument.as_object().is_some_and(|mut members| {
                    members.next().is_some_and(|(first, _)| !first.starts_with('$'))
                });
                if named {
                    let raws = self.named(name, argument, names, 1)?;
                    self.each_named(name, names, &raws)?
                } else {
                    self.list(name, argument, 1, 1)?
                }
            }
        };
        if name == "$getField" && arguments.get(1).is_none_or(Option::is_none) {
            arguments.truncate(1);
            arguments.push(Some(Node::Variable(Variable::Current, None)));
        }
        let constant = arguments.iter().flatten().all(|node| node.constant().is_some());
        let call = Node::Call(Box::new(Call { operator, arguments }));
        if !constant || name == "$rand" {
            return Ok(call);
        }
        match self.value_of(&call) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Ok(Node::Variable(Variable::Remove, None)),
            Err(_) if self.lenient > 0 => Ok(call),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                Err(self.refuse(name, error.message().trim_start_matches(name)))
            }
            Err(error) => Err(error),
        }
    }

    fn list(
        &mut self,
        name: &str,
        argument: Raw<'_>,
        least: usize,
        most: usize,
    ) -> Result<Vec<Option<Node>>> {
        let nodes = match argument.as_array() {
            Some(elements) => elements
                .enumerate()
                .map(|(place, element)| self.at(place.to_string(), element).map(Some))
                .collect::<Result<Vec<_>>>()?,
            None if most == 0 && argument.member_count() == 0 => Vec::new(),
            None => vec![Some(self.at("0", argument)?)],
        };
        if (least..=most).contains(&nodes.len()) {
            return Ok(nodes);
        }
        let needs = match (least, most) {
            (least, most) if least == most => format!("needs {least}"),
            (least, usize::MAX) => format!("needs at least {least}"),
            (least, most) => format!("needs {least} to {most}"),
        };
        Err(self.refuse(name, &format!("{needs} arguments, not {}", nodes.len())))
    }

    /// The arguments of a document, each at the place of its name.
    pub(super) fn named<'r>(
        &self,
        name: &str,
        argument: Raw<'r>,
        names: &[&str],
        required: usize,
    ) -> Result<Vec<Option<Raw<'r>>>> {
        let Some(members) = argument.as_object() else {
            return Err(self.refuse(name, &format!("needs a document of {}", names.join(", "))));
        };
        let mut found = vec![None; names.len()];
        for (key, value) in members {
            let place = names.iter().position(|known| *known == key);
            match place.and_then(|place| found.get_mut(place)) {
                Some(slot) => *slot = Some(value),
                None => return Err(self.refuse(name, &format!("does not know `{key}`"))),
            }
        }
        match names.iter().zip(&found).take(required).find(|(_, value)| value.is_none()) {
            Some((missing, _)) => Err(self.refuse(name, &format!("needs `{missing}`"))),
            None => Ok(found),
        }
    }

    fn each_named(
        &mut self,
        name: &str,
        names: &[&'static str],
        raws: &[Option<Raw<'_>>],
    ) -> Result<Vec<Option<Node>>> {
        let mut nodes = Vec::with_capacity(raws.len());
        for (key, raw) in names.iter().zip(raws) {
            let node = raw.map(|raw| self.at(*key, raw)).transpose()?;
            if let Some(constant) = node.as_ref().and_then(Node::constant) {
                self.check_constant(name, key, constant)?;
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// Judges what is the same for every document.
    fn check_constant(&self, name: &str, key: &str, value: Raw<'_>) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        let text = value.as_str();
        let valid = match key {
            "unit" => text.is_some_and(|text| date_math::Unit::parse(text).is_some()),
            "startOfWeek" => text.is_some_and(|text| date_math::weekday(text).is_some()),
            "timezone" => text.is_some_and(|text| zone::Zone::parse(text).is_some()),
            "format" => {
                text.is_some_and(|text| date_format::check(text, name == "$dateFromString").is_ok())
            }
            "to" if name == "$convert" => convert::is_target(value),
            "n" | "binSize" => arith::integer(&Item::Raw(value)).is_some_and(|size| size > 0),
            "method" => text == Some("approximate"),
            "iso8601" | "useLongestLength" => value.as_bool().is_some(),
            _ => true,
        };
        if valid {
            return Ok(());
        }
        Err(self.refuse(name, &format!("{value:?} is not valid as `{key}`")))
    }

    /// The name that an operator gives a variable.
    pub(super) fn variable_name(&self, operator: &str, name: &str) -> Result<String> {
        let first = name.bytes().next();
        let begins = first.is_some_and(|byte| byte.is_ascii_lowercase() || byte >= 0x80);
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        if begins && name.bytes().all(goes_on) {
            return Ok(name.to_owned());
        }
        Err(self.refuse(operator, &format!("`{name}` is no name of a variable")))
    }

    /// A malformed operand.
    pub(super) fn refuse(&self, operator: &str, message: &str) -> Error {
        let message = message.trim_start_matches(':').trim_start();
        Error::invalid("invalid_operand", format!("{operator}: {message}{}", self.place()))
            .with("operator", operator)
            .with("path", self.path.join("."))
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" (at {})", self.path.join(".")) }
    }

    fn too_deep(&self) -> Error {
        let max = self.context.limits.query_depth;
        Error::limit(
            "limits.query_depth",
            u64::from(max),
            format!("an expression nests deeper than {max} (limits.query_depth)"),
        )
    }
}

/// What an operator makes of a value that it cannot take.
pub(super) fn text_of<'r>(name: &str, what: &str, item: &'r Item<'_>) -> Result<&'r str> {
    match item.raw().and_then(Raw::as_str) {
        Some(text) => Ok(text),
        None => Err(failed(
            name,
            format_args!("needs a string as {what}, not {}", super::failure::kind(item)),
        )),
    }
}
