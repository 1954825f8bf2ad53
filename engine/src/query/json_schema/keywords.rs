//! The keywords of schemas.
//!
//! Guarantees: a keyword that its dialect does not know, and one with a malformed operand, is refused by name.
//! Leaves to others: nesting and references.

use super::Dialect;
use super::compile::{At, Compiler, refuse};
use super::format::Format;
use super::rules::{Counted, Properties, Rest, Rule};
use crate::error::{Error, Result};
use crate::query::filter::{TypeSet, double, integral};
use crate::query::regex::Pattern;
use crate::value::compare::compare;
use crate::value::{Raw, ValueKind};

/// What has no effect on a match.
const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$id",
    "id",
    "$comment",
    "$anchor",
    "title",
    "description",
    "default",
    "examples",
    "readOnly",
    "writeOnly",
    "deprecated",
];

/// The keywords of a collection's schema alone.
const LATER: [&str; 17] = [
    "const",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "$ref",
    "definitions",
    "$defs",
    "prefixItems",
    "dependentRequired",
    "dependentSchemas",
    "format",
    "$schema",
    "$id",
    "id",
    "default",
];

impl Compiler<'_> {
    /// The rules of one schema.
    pub(super) fn keywords(&mut self, schema: Raw<'_>, at: At<'_>) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        if schema.get("type").is_some() && schema.get("bsonType").is_some() {
            return Err(refuse("bsonType", at.path, "cannot stand next to `type`"));
        }
        for (keyword, operand) in schema.object_iter() {
            if self.dialect == Dialect::Query && LATER.contains(&keyword) {
                return Err(unknown(keyword, at.path));
            }
            let rule = match self.value_keyword(keyword, operand, schema, at)? {
                Some(rule) => rule,
                None => match self.schema_keyword(keyword, operand, schema, at)? {
                    Some(rule) => rule,
                    None => continue,
                },
            };
            rules.push(rule);
        }
        if let Some(rule) = self.properties(schema, at)? {
            rules.push(rule);
        }
        if let Some(rule) = self.items(schema, at)? {
            rules.push(rule);
        }
        Ok(rules)
    }

    /// Keywords whose operands are values.
    fn value_keyword(
        &mut self,
        keyword: &str,
        operand: Raw<'_>,
        schema: Raw<'_>,
        at: At<'_>,
    ) -> Result<Option<Rule>> {
        let count = |keyword: &'static str, of: Counted, least: bool| {
            let count = integral(operand).and_then(|count| u64::try_from(count).ok());
            match count {
                Some(count) => Ok(Some(Rule::Count { keyword, of, least, count })),
                None => Err(refuse(keyword, at.path, "takes a whole number of at least 0")),
            }
        };
        Ok(Some(match keyword {
            "type" => self.types("type", operand, at)?,
            "bsonType" => self.types("bsonType", operand, at)?,
            "enum" => match operand.as_array().filter(|_| operand.member_count() > 0) {
                Some(values) => Rule::Enum(values.map(|value| value.as_bytes().into()).collect()),
                None => return Err(refuse(keyword, at.path, "takes a list of at least one value")),
            },
            "const" => Rule::Const(operand.as_bytes().into()),
            "minLength" => return count("minLength", Counted::Characters, true),
            "maxLength" => return count("maxLength", Counted::Characters, false),
            "minItems" => return count("minItems", Counted::Elements, true),
            "maxItems" => return count("maxItems", Counted::Elements, false),
            "minProperties" => return count("minProperties", Counted::Members, true),
            "maxProperties" => return count("maxProperties", Counted::Members, false),
            "minimum" => bound("minimum", "exclusiveMinimum", operand, schema, at)?,
            "maximum" => bound("maximum", "exclusiveMaximum", operand, schema, at)?,
            "exclusiveMinimum" | "exclusiveMaximum" => {
                return self.exclusive(keyword, operand, schema, at);
            }
            "multipleOf" => match double(operand).filter(|step| *step > 0.0 && step.is_finite()) {
                Some(step) => Rule::MultipleOf(step, integral(operand)),
                None => return Err(refuse(keyword, at.path, "takes a number above 0")),
            },
            "pattern" => match operand.as_str() {
                Some(pattern) => Rule::Pattern(Pattern::new(pattern, "", self.context.limits)?),
                None => return Err(refuse(keyword, at.path, "takes a text")),
            },
            "format" => match operand.as_str() {
                Some(name) => match Format::named(name) {
                    Some(format) => Rule::Format(format),
                    None => return Ok(None),
                },
                None => return Err(refuse(keyword, at.path, "takes a text")),
            },
            "required" => {
                let names = names(keyword, operand, at)?;
                if names.is_empty() && self.dialect == Dialect::Query {
                    return Err(refuse(keyword, at.path, "takes at least one name"));
                }
                Rule::Required(names)
            }
            "uniqueItems" => match operand.as_bool() {
                Some(true) => Rule::UniqueItems,
                Some(false) => return Ok(None),
                None => return Err(refuse(keyword, at.path, "takes true or false")),
            },
            _ => return Ok(None),
        }))
    }

    /// Keywords whose operands are schemas, and the rest.
    fn schema_keyword(
        &mut self,
        keyword: &str,
        operand: Raw<'_>,
        schema: Raw<'_>,
        at: At<'_>,
    ) -> Result<Option<Rule>> {
        Ok(Some(match keyword {
            "allOf" => Rule::AllOf(self.list(operand, at, keyword)?),
            "anyOf" => Rule::AnyOf(self.list(operand, at, keyword)?),
            "oneOf" => Rule::OneOf(self.list(operand, at, keyword)?),
            "not" => Rule::Not(self.inner(operand, at, keyword, None)?),
            "contains" => Rule::Contains(self.inner(operand, at, keyword, None)?),
            "propertyNames" => Rule::PropertyNames(self.inner(operand, at, keyword, None)?),
            "$ref" => Rule::AllOf(vec![self.reference(operand, at)?]),
            "definitions" | "$defs" => {
                self.define(keyword, operand, at)?;
                return Ok(None);
            }
            "if" => {
                let mut branch = |name: &str| match schema.get(name) {
                    Some(branch) => self.inner(branch, at, name, None).map(Some),
                    None => Ok(None),
                };
                let (then, otherwise) = (branch("then")?, branch("else")?);
                Rule::If { condition: self.inner(operand, at, keyword, None)?, then, otherwise }
            }
            "dependencies" | "dependentRequired" | "dependentSchemas" => {
                return self.dependencies(keyword, operand, at).map(Some);
            }
            "title" | "description" if operand.as_str().is_none() => {
                return Err(refuse(keyword, at.path, "takes a text"));
            }
            // Read together with the ones that they stand next to.
            "then"
            | "else"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "items"
            | "prefixItems"
            | "additionalItems" => return Ok(None),
            // Read as values, and without an effect.
            "format" | "uniqueItems" | "exclusiveMinimum" | "exclusiveMaximum" => return Ok(None),
            "title" | "description" => return Ok(None),
            _ if self.dialect == Dialect::Collection && ANNOTATIONS.contains(&keyword) => {
                return Ok(None);
            }
            _ => return Err(unknown(keyword, at.path)),
        }))
    }

    fn types(&self, keyword: &'static str, operand: Raw<'_>, at: At<'_>) -> Result<Rule> {
        let (mut types, mut whole, mut labels) = (TypeSet::default(), false, Vec::new());
        let mut add = |raw: Raw<'_>| {
            let name = raw.as_str().unwrap_or_default();
            let set = match (keyword, name) {
                ("type", "integer") if self.dialect == Dialect::Collection => {
                    whole = true;
                    Some(TypeSet::default())
                }
                ("type", "string") if self.dialect == Dialect::Collection => {
                    Some(TypeSet::default().with(ValueKind::String).with(ValueKind::ObjectId))
                }
                ("type", "boolean") => TypeSet::from_alias("bool"),
                ("type", "string" | "number" | "object" | "array" | "null") => {
                    TypeSet::from_alias(name)
                }
                ("bsonType", _) => TypeSet::from_alias(name),
                _ => None,
            };
            let known = set.ok_or_else(|| {
                refuse(keyword, at.path, &format!("does not know the type {raw:?}"))
            })?;
            types = types.union(known);
            labels.push(name.to_owned());
            Ok(())
        };
        match operand.as_array() {
            None => add(operand)?,
            Some(_) if operand.member_count() == 0 => {
                return Err(refuse(keyword, at.path, "takes at least one type"));
            }
            Some(mut list) => list.try_for_each(add)?,
        }
        Ok(Rule::Type { keyword, types, whole, label: labels.join(" or ").into() })
    }

    /// As a number a bound of its own; true or false belongs to `minimum` or `maximum`.
    fn exclusive(
        &self,
        keyword: &str,
        operand: Raw<'_>,
        schema: Raw<'_>,
        at: At<'_>,
    ) -> Result<Option<Rule>> {
        let lower = keyword == "exclusiveMinimum";
        let (name, partner) =
            if lower { ("exclusiveMinimum", "minimum") } else { ("exclusiveMaximum", "maximum") };
        if operand.as_bool().is_some() {
            if schema.get(partner).is_none() {
                return Err(refuse(name, at.path, &format!("stands next to `{partner}` only")));
            }
            return Ok(None);
        }
        if self.dialect == Dialect::Query || !operand.kind().is_number() {
            let what = match self.dialect {
                Dialect::Query => "takes true or false",
                Dialect::Collection => "takes a number, or true or false",
            };
            return Err(refuse(name, at.path, what));
        }
        let bound = operand.as_bytes().into();
        Ok(Some(Rule::Bound { keyword: name, bound, lower, exclusive: true }))
    }

    fn dependencies(&mut self, keyword: &str, operand: Raw<'_>, at: At<'_>) -> Result<Rule> {
        let Some(members) = operand.as_object() else {
            return Err(refuse(keyword, at.path, "takes an object"));
        };
        let name_of = match keyword {
            "dependencies" => "dependencies",
            "dependentRequired" => "dependentRequired",
            _ => "dependentSchemas",
        };
        let mut rules = Vec::new();
        for (name, value) in members {
            let is_list = value.as_array().is_some();
            let fits = match keyword {
                "dependentRequired" => is_list,
                "dependentSchemas" => !is_list,
                _ => true,
            };
            if !fits {
                return Err(refuse(
                    keyword,
                    at.path,
                    "takes lists of names, or schemas, as it says",
                ));
            }
            let (needs, schema) = if is_list {
                (names(keyword, value, at)?, None)
            } else {
                (Vec::new(), Some(self.inner(value, at, keyword, Some(name))?))
            };
            rules.push(Rule::Dependency { keyword: name_of, name: name.into(), needs, schema });
        }
        Ok(Rule::AllOf(vec![self.group(rules)]))
    }

    fn properties(&mut self, schema: Raw<'_>, at: At<'_>) -> Result<Option<Rule>> {
        let (named, patterns) = (schema.get("properties"), schema.get("patternProperties"));
        let rest = self.rest("additionalProperties", schema, at)?;
        if named.is_none() && patterns.is_none() && matches!(rest, Rest::Any) {
            return Ok(None);
        }
        let mut properties = Properties { named: Vec::new(), patterns: Vec::new(), rest };
        for (name, inner) in members("properties", named, at)? {
            let id = self.inner(inner, at, "properties", Some(name))?;
            properties.named.push((name.into(), id));
        }
        properties.named.sort();
        for (source, inner) in members("patternProperties", patterns, at)? {
            let pattern = Pattern::new(source, "", self.context.limits)?;
            let id = self.inner(inner, at, "patternProperties", Some(source))?;
            properties.patterns.push((pattern, id));
        }
        Ok(Some(Rule::Properties(properties)))
    }

    fn items(&mut self, schema: Raw<'_>, at: At<'_>) -> Result<Option<Rule>> {
        let (prefix, items) = (schema.get("prefixItems"), schema.get("items"));
        let prefix = prefix.filter(|_| self.dialect == Dialect::Collection);
        let additional = self.rest("additionalItems", schema, at)?;
        if let Some(prefix) = prefix {
            let first = self.list(prefix, at, "prefixItems")?;
            let rest = self.rest("items", schema, at)?;
            return Ok(Some(Rule::Items { first, rest }));
        }
        let Some(items) = items else { return Ok(None) };
        if items.as_array().is_some() {
            let first = match items.member_count() {
                0 => Vec::new(),
                _ => self.list(items, at, "items")?,
            };
            return Ok(Some(Rule::Items { first, rest: additional }));
        }
        let rest = Rest::Schema(self.inner(items, at, "items", None)?);
        Ok(Some(Rule::Items { first: Vec::new(), rest }))
    }

    /// A keyword that is true, false or a schema.
    fn rest(&mut self, keyword: &'static str, schema: Raw<'_>, at: At<'_>) -> Result<Rest> {
        Ok(match schema.get(keyword) {
            None => Rest::Any,
            Some(operand) => match operand.as_bool() {
                Some(true) => Rest::Any,
                Some(false) => Rest::None(keyword),
                None => Rest::Schema(self.inner(operand, at, keyword, None)?),
            },
        })
    }
}

/// `minimum` or `maximum` with what its partner says.
fn bound(
    keyword: &'static str,
    partner: &str,
    operand: Raw<'_>,
    schema: Raw<'_>,
    at: At<'_>,
) -> Result<Rule> {
    if !operand.kind().is_number() {
        return Err(refuse(keyword, at.path, "takes a number"));
    }
    let exclusive = schema.get(partner).and_then(Raw::as_bool).unwrap_or(false);
    let lower = keyword == "minimum";
    Ok(Rule::Bound { keyword, bound: operand.as_bytes().into(), lower, exclusive })
}

/// A list of names without doubles.
fn names(keyword: &str, operand: Raw<'_>, at: At<'_>) -> Result<Vec<Box<str>>> {
    let wrong = || refuse(keyword, at.path, "takes a list of names, each once");
    let mut all: Vec<_> = operand.as_array().ok_or_else(wrong)?.collect();
    let names: Option<Vec<Box<str>>> =
        all.iter().map(|name| name.as_str().map(Into::into)).collect();
    all.sort_by(|a, b| compare(*a, *b));
    if all.windows(2).any(|pair| compare(pair[0], pair[1]).is_eq()) {
        return Err(wrong());
    }
    names.ok_or_else(wrong)
}

/// The members of an operand that has to be an object of schemas.
fn members<'a>(
    keyword: &str,
    operand: Option<Raw<'a>>,
    at: At<'_>,
) -> Result<impl Iterator<Item = (&'a str, Raw<'a>)>> {
    match operand {
        Some(operand) if operand.as_object().is_none() => {
            Err(refuse(keyword, at.path, "takes an object of schemas"))
        }
        operand => Ok(operand.unwrap_or(Raw::NULL).object_iter()),
    }
}

fn unknown(keyword: &str, path: &str) -> Error {
    let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    Error::invalid("unknown_keyword", format!("there is no keyword `{keyword}`{at} in this schema"))
        .with("operator", keyword)
        .with("path", path)
}
