//! Rules: what may be done with one collection, compiled from a grant and from the role that is in force there.
//!
//! Guarantees: where a grant and a role both say something, both hold. An action whose condition can hold for no document
//! is not allowed.
//! Leaves to others: which collection it is (`Grant`).

use std::sync::Arc;

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::query::Filter;
use headwater_engine::restrict::{FieldRule, Restriction, Subject};
use headwater_engine::value::Raw;
use headwater_engine::write::Touch;

use super::condition::{Check, Condition};
use super::facts::Facts;
use super::fields::{Fields, check_written};
use super::fold::Folded;
use super::role::{Entry, Role, Said};
use super::source::GrantSource;
use crate::auth::action::{Action, Actions};

const SIGHTS: [Action; 3] = [Action::Read, Action::Search, Action::Subscribe];
const WRITES: [Action; 3] = [Action::Create, Action::Update, Action::Delete];

/// What may be done with a collection.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// What is allowed, on some documents at least.
    pub(super) actions: Actions,
    /// Whether custom events are allowed, which no condition can be asked about.
    pub(super) outside: Actions,
    /// What may be seen by reading, searching and subscribing.
    sights: [Option<Arc<Restriction>>; 3],
    /// What has to hold for creating, updating and deleting.
    checks: [Vec<Check>; 3],
    /// What may be chosen for updating and deleting.
    choosable: [Option<Arc<Filter>>; 3],
    /// Who must have made what is seen, changed or deleted.
    maker: Option<Arc<str>>,
    /// What may not be written of what is shown.
    written: Vec<Arc<FieldRule>>,
    guarded: bool,
    /// What a list of realtime shows of documents, whatever is allowed otherwise; `None`: everything.
    pub(super) heard: Option<Arc<Restriction>>,
}

/// What rules are compiled from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compiler<'a> {
    pub(super) source: &'a GrantSource,
    /// The roles that apply, in order.
    pub(super) roles: &'a [&'a Role],
    pub(super) facts: &'a Facts,
    pub(super) limits: &'a Limits,
}

impl Compiler<'_> {
    /// The rules of a collection, or of everything else (`*`).
    pub(super) fn rules(&self, collection: Option<&str>) -> Result<Rules> {
        let deciding = self.roles.iter().find(|role| role.says(collection).is_some());
        if deciding.is_some_and(|role| !self.source.admits_role(&role.name)) {
            return Ok(Rules::default());
        }
        let entry = match deciding.and_then(|role| role.says(collection)) {
            Some(Said::Entry(entry)) => Some(entry),
            Some(Said::All) => None,
            None if self.source.roles.is_empty() => None,
            None => return self.unsaid(),
        };
        let mut rules = Rules { actions: self.source.actions(collection), ..Rules::default() };
        if let Some(entry) = entry {
            rules.actions = rules.actions.both(entry.actions);
        }
        if entry.is_some_and(|entry| entry.private) {
            // Nobody made what is made by the empty name.
            rules.maker = Some(self.facts.actor.clone().unwrap_or_default());
        }
        self.publishing(entry, &mut rules);
        self.outside(entry, &mut rules);
        let all = [Some(&self.source.fields), entry.map(|entry| &entry.fields)];
        let fields: Vec<&Fields> = all.into_iter().flatten().collect();
        rules.written = fields.iter().filter_map(|fields| fields.written()).cloned().collect();
        let shown = Fields::shown(&fields)?;
        self.sights(entry, shown.as_ref(), &mut rules)?;
        self.writes(entry, &mut rules)?;
        let is_seen_in_part =
            rules.sights.iter().any(Option::is_some) || shown.is_some() || rules.maker.is_some();
        let is_checked = rules.checks.iter().any(|checks| !checks.is_empty());
        rules.guarded = is_seen_in_part || is_checked || !rules.written.is_empty();
        rules.heard = rules.sight(Action::Subscribe);
        Ok(rules)
    }

    /// The rules where roles decide and none of them says anything: what is listed for realtime is cut by the grant alone.
    fn unsaid(&self) -> Result<Rules> {
        let mut own = Rules::default();
        let shown = Fields::shown(&[&self.source.fields])?;
        self.sights(None, shown.as_ref(), &mut own)?;
        Ok(Rules { heard: own.sight(Action::Subscribe), ..Rules::default() })
    }

    fn publishing(&self, entry: Option<&Entry>, rules: &mut Rules) {
        let condition = entry.and_then(|entry| entry.condition_of(Action::Publish));
        if condition.is_some_and(|condition| !condition.holds(self.facts, self.limits)) {
            rules.actions.remove(Action::Publish);
        }
    }

    /// What a role says of documents says nothing of custom events: they are allowed where it says nothing.
    fn outside(&self, entry: Option<&Entry>, rules: &mut Rules) {
        rules.outside = rules.actions;
        let followed = entry.and_then(|entry| {
            entry.condition_of(Action::Subscribe).or_else(|| entry.condition_of(Action::Read))
        });
        let is_private = entry.is_some_and(|entry| entry.private);
        if followed.is_some() || is_private {
            rules.outside.remove(Action::Subscribe);
        }
    }

    /// What may be seen: what the grant and the role let read, and what the role says of searching or subscribing besides.
    fn sights(
        &self,
        entry: Option<&Entry>,
        shown: Option<&Arc<FieldRule>>,
        rules: &mut Rules,
    ) -> Result<()> {
        for (place, action) in rules.sights.iter_mut().zip(SIGHTS) {
            let read = entry.and_then(|entry| entry.condition_of(Action::Read));
            let own = entry.and_then(|entry| entry.condition_of(action));
            let own = own.filter(|_| action != Action::Read);
            let conditions = [self.source.read_filter.as_ref(), read, own];
            let folded = self.fold(conditions.into_iter().flatten());
            let filter = match folded {
                Folded::Fixed(true) => None,
                Folded::Fixed(false) => {
                    rules.actions.remove(action);
                    rules.outside.remove(action);
                    // Nothing is seen, whoever asks regardless.
                    Some(Arc::new(folded.filter(self.limits)?))
                }
                _ => Some(Arc::new(folded.filter(self.limits)?)),
            };
            let (made_by, fields) = (rules.maker.clone(), shown.cloned());
            if made_by.is_some() || filter.is_some() || fields.is_some() {
                *place = Some(Arc::new(Restriction { made_by, filter, fields, metadata: None }));
            }
        }
        Ok(())
    }

    fn writes(&self, entry: Option<&Entry>, rules: &mut Rules) -> Result<()> {
        let reads = rules.actions.contains(Action::Read);
        let seen = rules.sights[0].as_ref().and_then(|seen| seen.filter.as_ref());
        let is_seen = seen.is_some() && reads;
        for (index, action) in WRITES.into_iter().enumerate() {
            let own = entry.and_then(|entry| entry.condition_of(action));
            let mut chosen: Vec<&Condition> = Vec::new();
            for condition in [self.source.write_filter.as_ref(), own].into_iter().flatten() {
                let folded = condition.fold(self.facts, self.limits);
                match folded {
                    Folded::Fixed(true) => continue,
                    Folded::Fixed(false) => rules.actions.remove(action),
                    _ => {}
                }
                let transition = condition.is_of_transition();
                rules.checks[index].push(Check::compile(&folded, transition, self.limits)?);
                if !transition {
                    chosen.push(condition);
                }
            }
            if action == Action::Create || chosen.is_empty() && !is_seen {
                continue;
            }
            if is_seen {
                let role = entry.and_then(|entry| entry.condition_of(Action::Read));
                chosen.extend(self.source.read_filter.as_ref().into_iter().chain(role));
            }
            let folded = self.fold(chosen.into_iter());
            rules.choosable[index] = Some(Arc::new(folded.filter(self.limits)?));
        }
        Ok(())
    }

    fn fold<'c>(&self, conditions: impl Iterator<Item = &'c Condition>) -> Folded {
        Folded::all(conditions.map(|condition| condition.fold(self.facts, self.limits)).collect())
    }
}

impl Rules {
    /// What may be seen through an action; `None`: everything.
    pub(super) fn sight(&self, action: Action) -> Option<Arc<Restriction>> {
        let index = SIGHTS.iter().position(|sight| *sight == action).unwrap_or_default();
        self.sights[index].clone()
    }

    /// Which fields are shown, whether documents may be read or not; `None`: all.
    pub(super) fn shown_fields(&self) -> Option<Arc<FieldRule>> {
        self.sights[0].as_ref().and_then(|seen| seen.fields.clone())
    }

    /// What may be chosen for a write; `None`: everything.
    pub(super) fn choosable(&self, touch: Touch) -> Option<Arc<Filter>> {
        self.choosable[index_of(touch)].clone()
    }

    /// Who must have made what is seen, changed or deleted; `None`: anybody.
    pub(super) fn maker(&self) -> Option<Arc<str>> {
        self.maker.clone()
    }

    /// Whether each write has to be checked.
    pub(super) fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Whether a document as it is may be touched, as far as that can be told before it is known what it will be.
    pub(super) fn allows_touch(&self, touch: Touch, before: Subject<'_>) -> bool {
        let checks = &self.checks[index_of(touch)];
        self.actions.contains(action_of(touch))
            && self.maker.as_ref().is_none_or(|maker| before.is_of(maker))
            && checks
                .iter()
                .filter(|check| touch == Touch::Delete || !check.is_transition())
                .all(|check| check.allows(Some(before.body), None))
    }

    /// Whether a write is allowed by the document before and after it.
    pub(super) fn allows_write(
        &self,
        touch: Touch,
        before: Option<Raw<'_>>,
        after: Option<Raw<'_>>,
    ) -> bool {
        self.actions.contains(action_of(touch))
            && self.checks[index_of(touch)].iter().all(|check| check.allows(before, after))
    }

    /// Refuses what changes fields that may not be written.
    pub(super) fn check_fields(&self, before: Option<Raw<'_>>, after: Raw<'_>) -> Result<()> {
        self.written.iter().try_for_each(|rule| check_written(rule, before, after))
    }
}

/// The action that a touch is.
pub(super) fn action_of(touch: Touch) -> Action {
    match touch {
        Touch::Create => Action::Create,
        Touch::Update => Action::Update,
        Touch::Delete => Action::Delete,
    }
}

fn index_of(touch: Touch) -> usize {
    match touch {
        Touch::Create => 0,
        Touch::Update => 1,
        Touch::Delete => 2,
    }
}
