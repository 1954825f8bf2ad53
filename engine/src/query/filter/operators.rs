//! The operators of one field.
//!
//! Guarantees: every operator of the reference, section 3, is known here or refused by name.
//! Leaves to others: the operands of single operators (`operands`), the walk.

use std::sync::Arc;

use super::ast::{ElementTest, Node, Test};
use super::operands;
use super::parse::{Parser, Place, no_javascript, refuse, unknown};
use crate::error::{Error, Result};
use crate::query::geo::{GeoTest, Near};
use crate::query::regex::Pattern;
use crate::value::{ArrayIter, Raw};

/// Whether a value is a document of operators: its first name begins with `$`, and it is no reference to a document.
pub(super) fn are_operators(value: Raw<'_>) -> bool {
    let first = value.object_iter().next();
    first.is_some_and(|(name, _)| name.starts_with('$') && !matches!(name, "$ref" | "$id" | "$db"))
}

impl Parser<'_> {
    /// All operators of a field.
    pub(super) fn operators(
        &mut self,
        path: &str,
        value: Raw<'_>,
        depth: u32,
        place: Place,
    ) -> Result<Test> {
        self.check_depth(depth)?;
        let mut tests = Vec::new();
        for (name, operand) in value.object_iter() {
            if !name.starts_with('$') {
                let message = format!(
                    "the condition on `{path}` mixes operators with the plain field `{name}`"
                );
                return Err(Error::invalid("invalid_operand", message)
                    .with("operator", name)
                    .with("path", path));
            }
            if let Some(test) = self.one(path, name, operand, value, depth, place)? {
                self.count()?;
                tests.push(test);
            }
        }
        Ok(match <[Test; 1]>::try_from(tests) {
            Ok([test]) => test,
            Err(tests) => Test::All(tests),
        })
    }

    /// One operator; `None` for one that belongs to another one next to it.
    fn one(
        &mut self,
        path: &str,
        name: &str,
        operand: Raw<'_>,
        siblings: Raw<'_>,
        depth: u32,
        place: Place,
    ) -> Result<Option<Test>> {
        let refused = |what: String| refuse(name, path, &what);
        Ok(Some(match name {
            "$eq" => Test::Equal(operand.as_bytes().into()),
            "$ne" => negate(Test::Equal(plain(name, path, operand)?)),
            "$lt" => Test::Less(plain(name, path, operand)?),
            "$lte" => Test::LessOrEqual(plain(name, path, operand)?),
            "$gt" => Test::Greater(plain(name, path, operand)?),
            "$gte" => Test::GreaterOrEqual(plain(name, path, operand)?),
            "$in" => self.among(name, path, operand)?,
            "$nin" => negate(self.among(name, path, operand)?),
            "$not" => self.not(path, operand, depth, place)?,
            "$exists" => Test::Exists(operands::truth(operand)),
            "$type" => Test::Type(operands::types(operand).map_err(refused)?),
            "$regex" => self.regex(path, operand, siblings)?,
            "$options" if siblings.get("$regex").is_some() => return Ok(None),
            "$options" => return Err(refuse(name, path, "stands next to `$regex` only")),
            "$mod" => {
                let (divisor, remainder) = operands::modulo(operand).map_err(refused)?;
                Test::Modulo { divisor, remainder }
            }
            "$size" => Test::Size(operands::size(operand).map_err(refused)?),
            "$all" => self.all(path, operand, depth)?,
            "$elemMatch" => Test::Element(self.element(path, operand, depth)?),
            "$bitsAllSet" | "$bitsAnySet" | "$bitsAllClear" | "$bitsAnyClear" => {
                Test::Bits(operands::bits(name, operand).map_err(refused)?)
            }
            "$geoWithin" => Test::Geo(Arc::new(GeoTest::within(operand).map_err(refused)?)),
            "$geoIntersects" => Test::Geo(Arc::new(GeoTest::intersects(operand).map_err(refused)?)),
            "$near" | "$nearSphere" => {
                self.near(name, path, place)?;
                let near = Near::parse(path, name == "$nearSphere", operand, siblings);
                Test::Near(Arc::new(near.map_err(refused)?))
            }
            "$maxDistance" | "$minDistance"
                if siblings.get("$near").or_else(|| siblings.get("$nearSphere")).is_some() =>
            {
                return Ok(None);
            }
            "$maxDistance" | "$minDistance" => {
                return Err(refuse(name, path, "stands next to `$near` or `$nearSphere` only"));
            }
            "$where" => return Err(no_javascript(path)),
            "$and" | "$or" | "$nor" | "$expr" | "$jsonSchema" | "$text" => {
                return Err(unknown(
                    name,
                    path,
                    "for a field; it stands where a field's name could",
                ));
            }
            _ => return Err(unknown(name, path, "for a field")),
        }))
    }

    fn not(&mut self, path: &str, operand: Raw<'_>, depth: u32, place: Place) -> Result<Test> {
        let place = if place == Place::Top { Place::Branch } else { place };
        if let Some((pattern, options)) = operand.as_regex() {
            return Ok(negate(self.pattern("$not", path, pattern, options)?));
        }
        if operand.member_count() == 0 || operand.as_object().is_none() {
            return Err(refuse(
                "$not",
                path,
                "takes an object of operators or a regular expression",
            ));
        }
        Ok(negate(self.operators(path, operand, depth + 1, place)?))
    }

    /// Patterns count as conditions, because each has a size of its own.
    fn among(&mut self, name: &str, path: &str, operand: Raw<'_>) -> Result<Test> {
        let mut values = Vec::new();
        let mut tests = Vec::new();
        for value in self.list(name, path, operand)? {
            if are_operators(value) {
                return Err(refuse(name, path, "takes values, not operators"));
            }
            match value.as_regex() {
                Some((pattern, options)) => {
                    self.count()?;
                    tests.push(Test::Regex(self.compile(name, path, pattern, options)?));
                }
                None => values.push(value),
            }
        }
        let values = operands::sorted(values);
        if tests.is_empty() {
            return Ok(Test::In { values });
        }
        if !values.is_empty() {
            tests.insert(0, Test::In { values });
        }
        Ok(Test::Any(tests))
    }

    fn all(&mut self, path: &str, operand: Raw<'_>, depth: u32) -> Result<Test> {
        let is_element = |value: Raw<'_>| {
            value.object_iter().next().is_some_and(|(name, _)| name == "$elemMatch")
        };
        let mixed = || refuse("$all", path, "takes values, or objects of `$elemMatch` alone");
        let elements = operand.at(0).is_some_and(is_element);
        let mut tests = Vec::new();
        for value in self.list("$all", path, operand)? {
            if elements {
                let inner = value.get("$elemMatch").filter(|_| value.member_count() == 1);
                self.count()?;
                let test = self.element(path, inner.ok_or_else(mixed)?, depth)?;
                tests.push(Test::Element(test));
            } else if are_operators(value) {
                return Err(mixed());
            } else if let Some((pattern, options)) = value.as_regex() {
                self.count()?;
                tests.push(self.pattern("$all", path, pattern, options)?);
            } else {
                tests.push(Test::Equal(value.as_bytes().into()));
            }
        }
        Ok(match <[Test; 1]>::try_from(tests) {
            Ok([test]) => test,
            Err(tests) if tests.is_empty() => Test::Any(tests),
            Err(tests) => Test::All(tests),
        })
    }

    fn element(&mut self, path: &str, operand: Raw<'_>, depth: u32) -> Result<ElementTest> {
        if operand.as_object().is_none() {
            return Err(refuse("$elemMatch", path, "takes an object"));
        }
        let first = operand.object_iter().next().map_or("", |(name, _)| name);
        let is_filter = !are_operators(operand)
            || matches!(
                first,
                "$and" | "$or" | "$nor" | "$comment" | "$where" | "$expr" | "$jsonSchema" | "$text"
            );
        if is_filter {
            let mut nodes = Vec::new();
            self.document(operand, depth + 1, Place::Element, path, &mut nodes)?;
            return Ok(ElementTest::Document(Box::new(Node::And(nodes))));
        }
        Ok(ElementTest::Value(match self.operators(path, operand, depth + 1, Place::Element)? {
            Test::All(tests) => tests,
            test => vec![test],
        }))
    }

    /// The values of `$in`, `$nin` or `$all`, which are not too many.
    fn list<'a>(&self, name: &str, path: &str, operand: Raw<'a>) -> Result<ArrayIter<'a>> {
        let Some(values) = operand.as_array() else {
            return Err(refuse(name, path, "takes a list of values"));
        };
        let max = self.context.limits.query_in_values;
        if operand.member_count() > max as usize {
            let message =
                format!("`{name}` at `{path}` has more than {max} values (limits.query_in_values)");
            return Err(Error::limit("limits.query_in_values", u64::from(max), message)
                .with("operator", name)
                .with("path", path));
        }
        Ok(values)
    }

    fn regex(&self, path: &str, operand: Raw<'_>, siblings: Raw<'_>) -> Result<Test> {
        let options = match siblings.get("$options") {
            None => None,
            Some(options) => {
                Some(options.as_str().ok_or_else(|| refuse("$options", path, "takes a text"))?)
            }
        };
        if let Some((pattern, own)) = operand.as_regex() {
            if !own.is_empty() && options.is_some() {
                let what = "stands next to a regular expression that has options of its own";
                return Err(refuse("$options", path, what));
            }
            return self.pattern("$regex", path, pattern, options.unwrap_or(own));
        }
        match operand.as_str() {
            Some(pattern) => self.pattern("$regex", path, pattern, options.unwrap_or_default()),
            None => Err(refuse("$regex", path, "takes a text or a regular expression")),
        }
    }

    pub(super) fn pattern(
        &self,
        name: &str,
        path: &str,
        pattern: &str,
        options: &str,
    ) -> Result<Test> {
        Ok(Test::Regex(self.compile(name, path, pattern, options)?))
    }

    fn compile(&self, name: &str, path: &str, pattern: &str, options: &str) -> Result<Pattern> {
        Pattern::new(pattern, options, self.context.limits).map_err(|error| {
            let message = format!("`{name}` at `{path}`: {}", error.message());
            let mut named = Error::new(error.kind(), error.code(), message);
            for (name, detail) in error.details() {
                named = named.with(name, detail.clone());
            }
            named.with("path", path)
        })
    }
}

fn negate(test: Test) -> Test {
    Test::Not(Box::new(test))
}

/// An operand that is no regular expression.
fn plain(name: &str, path: &str, operand: Raw<'_>) -> Result<Box<[u8]>> {
    if operand.as_regex().is_some() {
        return Err(refuse(name, path, "takes a value, not a regular expression"));
    }
    Ok(operand.as_bytes().into())
}
