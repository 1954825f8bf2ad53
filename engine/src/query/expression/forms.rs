//! Operators that decide themselves what they evaluate: conditions, variables, loops, and those that compile an operand.
//!
//! Guarantees: what is not needed is not evaluated; variables are seen only inside the operator that sets them.
//! Leaves to others: the loops (`loops`), sorting, regular expressions.

use smallvec::SmallVec;

use super::loops::Loop;
use super::node::Node;
use super::parse::Parser;
use super::regex::Search;
use super::scope::{Env, Frame};
use super::sorting::SortArray;
use super::{failure, logic};
use crate::error::Result;
use crate::query::Item;
use crate::value::Raw;

/// Such an operator.
#[derive(Clone, Debug)]
pub(super) enum Form {
    And(Vec<Node>),
    Or(Vec<Node>),
    Cond { condition: Node, yes: Node, no: Node },
    IfNull(Vec<Node>),
    Switch { branches: Vec<(Node, Node)>, default: Option<Node> },
    Let { values: Vec<Node>, body: Node },
    Loop(Loop),
    Sort(SortArray),
    Search(Search),
}

/// The form of a name, if it is one.
pub(super) fn parse(
    parser: &mut Parser<'_>,
    name: &str,
    argument: Raw<'_>,
) -> Result<Option<Node>> {
    let form = match name {
        "$and" => Form::And(many(parser, argument)?),
        "$or" => Form::Or(many(parser, argument)?),
        "$ifNull" => {
            let nodes = many(parser, argument)?;
            if nodes.len() < 2 {
                return Err(parser.refuse(name, "needs at least 2 arguments"));
            }
            Form::IfNull(nodes)
        }
        "$cond" => cond(parser, argument)?,
        "$switch" => switch(parser, argument)?,
        "$let" => let_in(parser, argument)?,
        "$map" | "$filter" | "$reduce" => Form::Loop(Loop::parse(parser, name, argument)?),
        "$sortArray" => Form::Sort(SortArray::parse(parser, argument)?),
        "$regexMatch" => Form::Search(Search::parse(parser, "$regexMatch", argument)?),
        "$regexFind" => Form::Search(Search::parse(parser, "$regexFind", argument)?),
        "$regexFindAll" => Form::Search(Search::parse(parser, "$regexFindAll", argument)?),
        _ => return Ok(None),
    };
    Ok(Some(Node::Form(Box::new(form))))
}

/// A list of parts; the first is always evaluated, the others perhaps.
fn many(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Vec<Node>> {
    match argument.as_array() {
        None => Ok(vec![parser.at("0", argument)?]),
        Some(elements) => {
            elements.enumerate().map(|(i, part)| parser.lazily(i.to_string(), part)).collect()
        }
    }
}

fn cond(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Form> {
    let parts: Vec<_> = match argument.as_array() {
        Some(elements) => elements.map(Some).collect(),
        None => parser.named("$cond", argument, &["if", "then", "else"], 3)?,
    };
    let [Some(condition), Some(yes), Some(no)] = parts.as_slice() else {
        return Err(parser.refuse("$cond", &format!("needs 3 arguments, not {}", parts.len())));
    };
    Ok(Form::Cond {
        condition: parser.at("if", *condition)?,
        yes: parser.lazily("then", *yes)?,
        no: parser.lazily("else", *no)?,
    })
}

fn switch(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Form> {
    let parts = parser.named("$switch", argument, &["branches", "default"], 1)?;
    let [Some(list), default] = parts.as_slice() else {
        return Err(parser.refuse("$switch", "needs branches"));
    };
    let Some(elements) = list.as_array() else {
        return Err(parser.refuse("$switch", "the branches must be an array"));
    };
    let mut branches = Vec::new();
    for branch in elements {
        let parts = parser.named("$switch", branch, &["case", "then"], 2)?;
        let [Some(case), Some(then)] = parts.as_slice() else { continue };
        branches.push((parser.lazily("case", *case)?, parser.lazily("then", *then)?));
    }
    if branches.is_empty() {
        return Err(parser.refuse("$switch", "needs at least one branch"));
    }
    let default = default.map(|default| parser.lazily("default", default)).transpose()?;
    Ok(Form::Switch { branches, default })
}

fn let_in(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Form> {
    let parts = parser.named("$let", argument, &["vars", "in"], 2)?;
    let [Some(variables), Some(body)] = parts.as_slice() else {
        return Err(parser.refuse("$let", "needs vars and in"));
    };
    let Some(members) = variables.as_object() else {
        return Err(parser.refuse("$let", "vars must be a document"));
    };
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in members {
        names.push(parser.variable_name("$let", name)?);
        values.push(parser.at(name, value)?);
    }
    Ok(Form::Let { values, body: parser.inside("in", *body, names)? })
}

impl Form {
    pub(super) fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        env.shared.spend(1)?;
        match self {
            Self::And(nodes) => {
                for node in nodes {
                    if !logic::is_true(&node.eval(env)?) {
                        return Ok(Item::boolean(false));
                    }
                }
                Ok(Item::boolean(true))
            }
            Self::Or(nodes) => {
                for node in nodes {
                    if logic::is_true(&node.eval(env)?) {
                        return Ok(Item::boolean(true));
                    }
                }
                Ok(Item::boolean(false))
            }
            Self::Cond { condition, yes, no } => {
                if logic::is_true(&condition.eval(env)?) {
                    yes.eval(env)
                } else {
                    no.eval(env)
                }
            }
            Self::IfNull(nodes) => {
                let mut last = Item::Missing;
                for node in nodes {
                    last = node.eval(env)?;
                    if !last.is_nullish() {
                        break;
                    }
                }
                Ok(last)
            }
            Self::Switch { branches, default } => {
                for (case, then) in branches {
                    if logic::is_true(&case.eval(env)?) {
                        return then.eval(env);
                    }
                }
                match default {
                    Some(default) => default.eval(env),
                    None => {
                        Err(failure::failed("$switch", "no branch matches and there is no default"))
                    }
                }
            }
            Self::Let { values, body } => {
                let items = values.iter().map(|node| node.eval(env)).collect::<Result<Vec<_>>>()?;
                let values: SmallVec<[_; 4]> = items.iter().map(Item::raw).collect();
                let frame = Frame { values: &values, parent: env.locals };
                Ok(body.eval(&env.inside(&frame))?.into_owned())
            }
            Self::Loop(each) => each.eval(env),
            Self::Sort(sort) => sort.eval(env),
            Self::Search(search) => search.eval(env),
        }
    }
}
