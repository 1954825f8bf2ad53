//! Checking a value against a compiled schema.
//!
//! Guarantees: ends after a bounded number of steps and at a bounded depth, with no match where that was not enough.
//! Without a list for violations it stops at the first and allocates for `uniqueItems` alone.
//! Leaves to others: what a violation does.

use super::Violation;
use super::rules::{Id, Properties, Rest, Rule};
use crate::query::filter::{double, integral};
use crate::value::Raw;
use crate::value::compare::{compare, equal};

/// Most schemas that are applied to one value and its parts.
const STEPS: u32 = 2_000_000;
/// Deepest nesting of schemas within schemas.
const DEPTH: u32 = 300;
/// Most violations that are listed.
const VIOLATIONS: usize = 1000;

/// Checks a value; lists the violations if there is a list.
pub(super) fn check(
    nodes: &[Vec<Rule>],
    value: Raw<'_>,
    violations: Option<&mut Vec<Violation>>,
) -> bool {
    let mut check = Check { nodes, steps: STEPS, ended: false, violations, path: String::new() };
    let valid = check.node(0, value, 0);
    if check.ended {
        check.fail("$ref", || "needs too many steps to be checked against its schema".to_owned());
    }
    valid && !check.ended
}

struct Check<'s, 'v> {
    nodes: &'s [Vec<Rule>],
    steps: u32,
    /// Whether steps or depth were not enough.
    ended: bool,
    violations: Option<&'v mut Vec<Violation>>,
    path: String,
}

impl Check<'_, '_> {
    fn node(&mut self, id: Id, value: Raw<'_>, depth: u32) -> bool {
        if self.steps == 0 || depth > DEPTH {
            self.ended = true;
        }
        if self.ended {
            return false;
        }
        self.steps -= 1;
        let mut valid = true;
        for rule in self.nodes.get(id).map_or(&[][..], Vec::as_slice) {
            if !self.rule(rule, value, depth + 1) {
                valid = false;
                if self.violations.is_none() {
                    break;
                }
            }
        }
        valid
    }

    /// As [`Check::node`] without listing anything.
    fn quiet(&mut self, id: Id, value: Raw<'_>, depth: u32) -> bool {
        let violations = self.violations.take();
        let valid = self.node(id, value, depth);
        self.violations = violations;
        valid
    }

    fn fail(&mut self, keyword: &'static str, what: impl FnOnce() -> String) -> bool {
        if let Some(violations) = &mut self.violations
            && violations.len() < VIOLATIONS
        {
            let subject = match self.path.as_str() {
                "" => "the document".to_owned(),
                path => format!("`{path}`"),
            };
            let message = format!("{subject} {}", what());
            violations.push(Violation { path: self.path.clone(), keyword, message });
        }
        false
    }

    fn rule(&mut self, rule: &Rule, value: Raw<'_>, depth: u32) -> bool {
        match rule {
            Rule::Never => self.fail("false", || "is not allowed".to_owned()),
            Rule::Type { keyword, types, whole, label } => {
                types.contains(value.kind())
                    || *whole && integral_number(value)
                    || self.fail(keyword, || {
                        format!("must be {label}, but is {}", value.kind().alias())
                    })
            }
            Rule::Enum(values) => {
                values.iter().any(|other| equal(Raw::trusted(other), value))
                    || self.fail("enum", || {
                        let all: Vec<_> = values.iter().map(|value| shown(value)).collect();
                        format!("must be one of {}", short(&all.join(", ")))
                    })
            }
            Rule::Const(other) => {
                equal(Raw::trusted(other), value)
                    || self.fail("const", || format!("must be {}", shown(other)))
            }
            Rule::Bound { keyword, bound, lower, exclusive } => {
                !value.kind().is_number()
                    || in_bound(value, Raw::trusted(bound), *lower, *exclusive)
                    || self.fail(keyword, || {
                        let side = match (lower, exclusive) {
                            (true, false) => "at least",
                            (true, true) => "more than",
                            (false, false) => "at most",
                            (false, true) => "less than",
                        };
                        format!("must be {side} {}", shown(bound))
                    })
            }
            Rule::MultipleOf(step, whole) => {
                is_multiple(value, *step, *whole)
                    || self.fail("multipleOf", || format!("must be a multiple of {step}"))
            }
            Rule::Count { keyword, of, least, count } => {
                let Some(found) = of.count(value) else { return true };
                let fits = if *least { found >= *count } else { found <= *count };
                fits || self.fail(keyword, || {
                    let side = if *least { "at least" } else { "at most" };
                    format!("must have {side} {count} {}, but has {found}", of.noun())
                })
            }
            Rule::Pattern(pattern) => {
                let Some(text) = value.as_str() else { return true };
                pattern.is_match(text).unwrap_or(false)
                    || self.fail("pattern", || format!("must match the pattern {pattern:?}"))
            }
            Rule::Format(format) => {
                let Some(text) = value.as_str() else { return true };
                format.test(text)
                    || self.fail("format", || format!("must be of the format {}", format.name()))
            }
            _ => self.structure(rule, value, depth),
        }
    }

    /// The rules about members, elements and other schemas.
    fn structure(&mut self, rule: &Rule, value: Raw<'_>, depth: u32) -> bool {
        match rule {
            Rule::Required(names) if value.as_object().is_some() => {
                self.required("required", names, value)
            }
            Rule::Dependency { keyword, name, needs, schema } => {
                if value.get(name).is_none() {
                    return true;
                }
                let named = self.required(keyword, needs, value);
                named & schema.is_none_or(|id| self.node(id, value, depth))
            }
            Rule::Properties(properties) => self.properties(properties, value, depth),
            Rule::PropertyNames(id) => self.names(*id, value, depth),
            Rule::Items { first, rest } => self.items(first, rest, value, depth),
            Rule::Contains(id) => {
                let Some(mut elements) = value.as_array() else { return true };
                elements.any(|element| self.quiet(*id, element, depth))
                    || self.fail("contains", || "has no element that it must contain".to_owned())
            }
            Rule::UniqueItems => self.unique(value),
            Rule::AllOf(ids) => {
                let mut valid = true;
                for id in ids {
                    valid &= self.node(*id, value, depth);
                    if !valid && self.violations.is_none() {
                        return false;
                    }
                }
                valid
            }
            Rule::AnyOf(ids) => {
                ids.iter().any(|id| self.quiet(*id, value, depth))
                    || self
                        .fail("anyOf", || format!("matches none of the {} alternatives", ids.len()))
            }
            Rule::OneOf(ids) => {
                let matching = ids.iter().filter(|id| self.quiet(**id, value, depth)).count();
                matching == 1
                    || self.fail("oneOf", || {
                        format!(
                            "must match one of the {} alternatives, but matches {matching}",
                            ids.len()
                        )
                    })
            }
            Rule::Not(id) => {
                !self.quiet(*id, value, depth)
                    || self.fail("not", || "matches what it must not match".to_owned())
            }
            Rule::If { condition, then, otherwise } => {
                let branch = if self.quiet(*condition, value, depth) { then } else { otherwise };
                branch.is_none_or(|id| self.node(id, value, depth))
            }
            _ => true,
        }
    }

    fn required(&mut self, keyword: &'static str, names: &[Box<str>], value: Raw<'_>) -> bool {
        let mut valid = true;
        for name in names {
            if value.get(name).is_some() {
                continue;
            }
            valid = self.fail(keyword, || format!("needs the member `{name}`"));
            if self.violations.is_none() {
                return false;
            }
        }
        valid
    }

    fn properties(&mut self, properties: &Properties, value: Raw<'_>, depth: u32) -> bool {
        let mut valid = true;
        for (name, member) in value.object_iter() {
            let start = self.enter(name);
            let mut known = false;
            let named = properties.named.binary_search_by(|(other, _)| (**other).cmp(name));
            if let Some((_, id)) = named.ok().and_then(|at| properties.named.get(at)) {
                known = true;
                valid &= self.node(*id, member, depth);
            }
            for (pattern, id) in &properties.patterns {
                if pattern.is_match(name).unwrap_or(false) {
                    known = true;
                    valid &= self.node(*id, member, depth);
                }
            }
            valid &= known || self.rest(&properties.rest, member, depth);
            self.leave(start);
            if !valid && self.violations.is_none() {
                return false;
            }
        }
        valid
    }

    fn names(&mut self, id: Id, value: Raw<'_>, depth: u32) -> bool {
        let mut valid = true;
        let mut encoded = Vec::new();
        for (name, _) in value.object_iter() {
            encoded.clear();
            crate::value::encode::write_str(name, &mut encoded);
            if !self.quiet(id, Raw::trusted(&encoded), depth) {
                valid = self.fail("propertyNames", || {
                    format!("has the member `{name}`, whose name is not allowed")
                });
            }
        }
        valid
    }

    fn items(&mut self, first: &[Id], rest: &Rest, value: Raw<'_>, depth: u32) -> bool {
        let mut valid = true;
        for (index, element) in value.array_iter().enumerate() {
            let start = match &self.violations {
                Some(_) => self.enter(&index.to_string()),
                None => 0,
            };
            valid &= match first.get(index) {
                Some(id) => self.node(*id, element, depth),
                None => self.rest(rest, element, depth),
            };
            self.leave(start);
            if !valid && self.violations.is_none() {
                return false;
            }
        }
        valid
    }

    fn rest(&mut self, rest: &Rest, value: Raw<'_>, depth: u32) -> bool {
        match rest {
            Rest::Any => true,
            Rest::None(keyword) => self.fail(keyword, || "is not in the schema".to_owned()),
            Rest::Schema(id) => self.node(*id, value, depth),
        }
    }

    fn unique(&mut self, value: Raw<'_>) -> bool {
        let mut elements: Vec<_> = value.array_iter().collect();
        elements.sort_by(|a, b| compare(*a, *b));
        let doubled = elements.windows(2).find(|pair| compare(pair[0], pair[1]).is_eq());
        let Some(doubled) = doubled else { return true };
        let element = doubled.first().copied().unwrap_or(Raw::NULL);
        self.fail("uniqueItems", || format!("has {} more than once", shown(element.as_bytes())))
    }

    /// Goes to a member, and gives what [`Check::leave`] needs.
    fn enter(&mut self, name: &str) -> usize {
        let start = self.path.len();
        if self.violations.is_some() {
            if start > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
        }
        start
    }

    fn leave(&mut self, start: usize) {
        if self.violations.is_some() {
            self.path.truncate(start);
        }
    }
}

fn integral_number(value: Raw<'_>) -> bool {
    match value.as_double() {
        // Beyond 2^63 every double is whole.
        Some(number) => number.is_finite() && number.fract() == 0.0,
        None => integral(value).is_some(),
    }
}

fn in_bound(value: Raw<'_>, bound: Raw<'_>, lower: bool, exclusive: bool) -> bool {
    if double(value).is_some_and(f64::is_nan) {
        return false;
    }
    let order = compare(value, bound);
    if order.is_eq() { !exclusive } else { order.is_gt() == lower }
}

fn is_multiple(value: Raw<'_>, step: f64, whole: Option<i64>) -> bool {
    if let (Some(value), Some(step)) = (integral(value), whole) {
        return value.wrapping_rem(step) == 0;
    }
    let Some(value) = double(value) else { return true };
    let ratio = value / step;
    ratio.is_finite() && (ratio - ratio.round()).abs() <= 1e-9 * ratio.abs().max(1.0)
}

/// A value for a message.
fn shown(value: &[u8]) -> String {
    short(&format!("{:?}", Raw::trusted(value)))
}

fn short(text: &str) -> String {
    const MAX: usize = 120;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
