//! Compiling a schema: its nesting and its references.
//!
//! Guarantees: nests no deeper than the limit; every reference leads to a definition.
//! Leaves to others: the single keywords (`keywords`).

use std::collections::BTreeMap;

use super::Dialect;
use super::rules::{Id, Rule};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::value::Raw;

/// The state of compiling.
pub(super) struct Compiler<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) dialect: Dialect,
    nodes: Vec<Vec<Rule>>,
    /// Definitions by the name that a reference has, and whether each was seen.
    definitions: BTreeMap<String, (Id, bool)>,
}

/// Where in the schema something stands.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    pub(super) path: &'p str,
    pub(super) depth: u32,
}

/// Compiles a whole schema.
pub(super) fn compile(
    schema: Raw<'_>,
    context: &Context<'_>,
    dialect: Dialect,
) -> Result<Vec<Vec<Rule>>> {
    let mut compiler =
        Compiler { context, dialect, nodes: Vec::new(), definitions: BTreeMap::new() };
    compiler.schema(schema, At { path: "", depth: 0 })?;
    if let Some((name, _)) = compiler.definitions.iter().find(|(_, (_, seen))| !seen) {
        return Err(refuse("$ref", "", &format!("names `{name}`, which is not defined")));
    }
    Ok(compiler.nodes)
}

impl Compiler<'_> {
    /// Compiles a schema at a new place.
    pub(super) fn schema(&mut self, schema: Raw<'_>, at: At<'_>) -> Result<Id> {
        let id = self.reserve();
        self.fill(id, schema, at)?;
        Ok(id)
    }

    /// A schema of rules that are compiled already.
    pub(super) fn group(&mut self, rules: Vec<Rule>) -> Id {
        self.nodes.push(rules);
        self.nodes.len() - 1
    }

    fn reserve(&mut self) -> Id {
        self.nodes.push(Vec::new());
        self.nodes.len() - 1
    }

    fn fill(&mut self, id: Id, schema: Raw<'_>, at: At<'_>) -> Result<()> {
        let limits = self.context.limits;
        let (name, max) = match self.dialect {
            Dialect::Query => ("limits.query_depth", limits.query_depth),
            Dialect::Collection => ("limits.nesting", limits.nesting),
        };
        if at.depth > max {
            let message = format!("a schema nested deeper than {max} levels ({name})");
            return Err(Error::limit(name, u64::from(max), message));
        }
        let rules = match schema.as_bool().filter(|_| self.dialect == Dialect::Collection) {
            Some(true) => Vec::new(),
            Some(false) => vec![Rule::Never],
            None if schema.as_object().is_some() => self.keywords(schema, at)?,
            None => {
                let message = match at.path {
                    "" => "a schema must be an object".to_owned(),
                    path => format!("the schema at `{path}` must be an object"),
                };
                return Err(Error::invalid("invalid_schema", message)
                    .with("operator", "$jsonSchema")
                    .with("path", at.path));
            }
        };
        if let Some(node) = self.nodes.get_mut(id) {
            *node = rules;
        }
        Ok(())
    }

    /// A schema that is the operand of a keyword, or has a name under it.
    pub(super) fn inner(
        &mut self,
        schema: Raw<'_>,
        at: At<'_>,
        keyword: &str,
        name: Option<&str>,
    ) -> Result<Id> {
        let mut path = at.path.to_owned();
        for part in [Some(keyword), name].into_iter().flatten() {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
        }
        self.schema(schema, At { path: &path, depth: at.depth + 1 })
    }

    /// A list of schemas.
    pub(super) fn list(&mut self, list: Raw<'_>, at: At<'_>, keyword: &str) -> Result<Vec<Id>> {
        let Some(schemas) = list.as_array().filter(|_| list.member_count() > 0) else {
            return Err(refuse(keyword, at.path, "takes a list of at least one schema"));
        };
        schemas.map(|schema| self.inner(schema, at, keyword, None)).collect()
    }

    /// `definitions` or `$defs`.
    pub(super) fn define(&mut self, keyword: &str, all: Raw<'_>, at: At<'_>) -> Result<()> {
        let Some(members) = all.as_object().filter(|_| at.depth == 0) else {
            return Err(refuse(
                keyword,
                at.path,
                "takes an object of schemas, at the top of the schema",
            ));
        };
        for (name, schema) in members {
            let id = self.definition(format!("#/{keyword}/{name}"), true);
            let path = format!("{keyword}.{name}");
            self.fill(id, schema, At { path: &path, depth: 1 })?;
        }
        Ok(())
    }

    /// What a `$ref` leads to.
    pub(super) fn reference(&mut self, target: Raw<'_>, at: At<'_>) -> Result<Id> {
        let target = target.as_str().unwrap_or_default();
        if target == "#" {
            return Ok(0);
        }
        let name = target
            .strip_prefix("#/definitions/")
            .map(|name| ("definitions", name))
            .or_else(|| target.strip_prefix("#/$defs/").map(|name| ("$defs", name)))
            .filter(|(_, name)| !name.contains('/'));
        let Some((container, name)) = name else {
            let what = "takes `#`, `#/definitions/NAME` or `#/$defs/NAME`";
            return Err(refuse("$ref", at.path, what));
        };
        let name = name.replace("~1", "/").replace("~0", "~");
        Ok(self.definition(format!("#/{container}/{name}"), false))
    }

    fn definition(&mut self, name: String, seen: bool) -> Id {
        if let Some((id, known)) = self.definitions.get_mut(&name) {
            *known = *known || seen;
            return *id;
        }
        let id = self.reserve();
        self.definitions.insert(name, (id, seen));
        id
    }
}

/// A keyword whose operand is malformed.
pub(super) fn refuse(keyword: &str, path: &str, what: &str) -> Error {
    let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    Error::invalid("invalid_schema", format!("the schema's keyword `{keyword}`{at} {what}"))
        .with("operator", keyword)
        .with("path", path)
}
