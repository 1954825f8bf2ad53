//! Roles: named rules, as documents of `_roles`.
//!
//! Guarantees: whatever is malformed is refused by name (`invalid_role`, with `member`); what was accepted compiles.
//! Leaves to others: which role wins, and what a grant besides allows (`rules`).

use std::collections::HashMap;

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::value::Raw;

use super::condition::Condition;
use super::facts::Facts;
use super::fields::Fields;
use super::reader::Reader;
use super::template::Scope;
use crate::auth::action::{Action, Actions};

/// A role, checked but not compiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) name: String,
    /// Full access.
    admin: bool,
    apply_when: Option<Condition>,
    named: HashMap<String, Entry>,
    others: Option<Entry>,
}

/// What a role says of a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// What is allowed, on some documents at least.
    pub(super) actions: Actions,
    /// On which documents; all where there is no condition.
    conditions: Vec<(Action, Condition)>,
    /// Which fields.
    pub(super) fields: Fields,
    /// Whether only documents that the caller made are there for it.
    pub(super) private: bool,
}

/// What a role says, if it says something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    /// Everything is allowed.
    All,
    /// This.
    Entry(&'a Entry),
}

impl Role {
    /// Checks an encoded role; malformed parts are refused by name (`invalid_role`, with `member`). `_id` is passed over.
    pub(crate) fn parse(name: &str, role: Raw<'_>, limits: &Limits) -> Result<Self> {
        Self::read(name, role, limits).map_err(|error| error.with("role", name))
    }

    fn read(name: &str, role: Raw<'_>, limits: &Limits) -> Result<Self> {
        let reader = Reader::ROLE;
        let name = name.to_owned();
        let mut parsed =
            Self { name, admin: false, apply_when: None, named: HashMap::new(), others: None };
        for (member, value) in role.as_object().ok_or_else(|| reader.not_an_object())? {
            match member {
                "_id" => {}
                "admin" => parsed.admin = reader.truth(member, value)?,
                "apply_when" => {
                    let condition = Condition::parse(value, Scope::Facts, limits);
                    parsed.apply_when =
                        Some(condition.map_err(|error| reader.within(member, &error))?);
                }
                "collections" => parsed.collections(reader, value, limits)?,
                _ => return Err(reader.refuse(member, "is not known")),
            }
        }
        if parsed.admin && (parsed.others.is_some() || !parsed.named.is_empty()) {
            let what = "allows everything, so `collections` cannot stand beside it";
            return Err(reader.refuse("admin", what));
        }
        Ok(parsed)
    }

    fn collections(&mut self, reader: Reader, entries: Raw<'_>, limits: &Limits) -> Result<()> {
        let malformed = || reader.refuse("collections", "must map names to rules");
        for (name, rules) in entries.as_object().ok_or_else(malformed)? {
            if name != "*" && !crate::collection_name::is_user_collection(name) {
                let what = format!("names `{name}`, which is no collection");
                return Err(reader.refuse("collections", what).with("entry", name));
            }
            let entry = Entry::parse(reader, name, rules, limits)
                .map_err(|error| error.with("entry", name))?;
            if name == "*" {
                self.others = Some(entry);
            } else {
                self.named.insert(name.to_owned(), entry);
            }
        }
        Ok(())
    }

    /// Whether it applies as things are.
    pub(super) fn applies(&self, facts: &Facts, limits: &Limits) -> bool {
        self.apply_when.as_ref().is_none_or(|condition| condition.holds(facts, limits))
    }

    /// What it says of a collection, or of everything else (`*`).
    pub(super) fn says(&self, collection: Option<&str>) -> Option<Said<'_>> {
        if self.admin {
            return Some(Said::All);
        }
        let named = collection.and_then(|name| self.named.get(name));
        named.or(self.others.as_ref()).map(Said::Entry)
    }

    /// Whether it is full access.
    pub(super) fn is_full(&self) -> bool {
        self.admin
    }

    /// The collections that it names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// Whether it looks at the request.
    pub(super) fn needs_request(&self) -> bool {
        let entries = self.named.values().chain(&self.others);
        let mut conditions = entries
            .flat_map(|entry| entry.conditions.iter().map(|(_, condition)| condition))
            .chain(&self.apply_when);
        conditions.any(Condition::needs_request)
    }
}

impl Entry {
    fn parse(reader: Reader, name: &str, rules: Raw<'_>, limits: &Limits) -> Result<Self> {
        let path = format!("collections.{name}");
        let malformed = || reader.refuse(&path, "must be an object");
        let mut entry = Self::default();
        let mut said = Actions::default();
        for (member, value) in rules.as_object().ok_or_else(malformed)? {
            let inner = format!("{path}.{member}");
            if member == "fields" {
                entry.fields = Fields::parse(reader, &inner, value)?;
                continue;
            }
            if member == "private" {
                entry.private = reader.truth(&inner, value)?;
                continue;
            }
            let action = Action::ALL.into_iter().find(|action| action.as_str() == member);
            let Some(action) = action.filter(|action| *action != Action::Admin) else {
                let what = format!("names the unknown action `{member}`");
                return Err(reader.refuse(&path, what).with("action", member));
            };
            said = said.either(Actions::of(&[action]));
            let allowed = match value.as_bool() {
                Some(allowed) => allowed,
                None => entry.condition(reader, &inner, action, value, limits)?,
            };
            if allowed {
                entry.actions = entry.actions.either(Actions::of(&[action]));
            }
        }
        for (action, default) in [
            (Action::Search, Action::Read),
            (Action::Subscribe, Action::Read),
            (Action::Bulk, Action::Create),
        ] {
            if !said.contains(action) && entry.actions.contains(default) {
                entry.actions = entry.actions.either(Actions::of(&[action]));
            }
        }
        Ok(entry)
    }

    /// Reads a rule that is a filter.
    fn condition(
        &mut self,
        reader: Reader,
        member: &str,
        action: Action,
        rule: Raw<'_>,
        limits: &Limits,
    ) -> Result<bool> {
        let scope = match action {
            Action::Read | Action::Search | Action::Subscribe => Scope::Reading,
            Action::Create | Action::Update | Action::Delete => Scope::Writing,
            // A custom event is no document.
            Action::Publish => Scope::Facts,
            Action::Bulk | Action::Settings | Action::Admin => {
                return Err(reader.refuse(member, "must be true or false"));
            }
        };
        if rule.as_object().is_none() {
            return Err(reader.refuse(member, "must be true, false or a filter"));
        }
        let condition = Condition::parse(rule, scope, limits);
        let condition = condition.map_err(|error| reader.within(member, &error))?;
        self.conditions.push((action, condition));
        Ok(true)
    }

    /// On which documents an action is allowed; `None`: all.
    pub(super) fn condition_of(&self, action: Action) -> Option<&Condition> {
        self.conditions.iter().find(|(of, _)| *of == action).map(|(_, condition)| condition)
    }
}
