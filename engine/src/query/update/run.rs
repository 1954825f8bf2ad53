//! Applying a plan to a document, from the root down.
//!
//! Guarantees: only arrays and objects on the way to a change are opened; members come in name order, elements in order;
//! an error leaves the caller's document as it was, as only the opened copy is worked on. An index may be at most
//! [`PADDING_MAX`] past the end, in all of an update together.
//! Leaves to others: what operators do (`action`), `_id`, limits of the whole document.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::action::{Action, Fate, Leaf};
use super::filters::ArrayFilter;
use super::node::{Members, Node, Opened, Room};
use super::path::Part;
use super::plan::{Step, conflict};
use crate::error::{Error, Result};

/// How many nulls an update may put between the end of an array and a new element.
pub(super) const PADDING_MAX: usize = 1_500_000;

/// From so many members and changes on, members are found by a table.
const LINEAR_MEMBERS_MAX: usize = 16;

/// One application of a plan.
pub(super) struct Run<'a> {
    /// Whether an upsert inserts.
    pub(super) insert: bool,
    /// What the positional `$` stands for, as a number and as a name.
    pub(super) position: Option<(usize, &'a str)>,
    /// The array filters.
    pub(super) filters: &'a [ArrayFilter],
    /// The values on their way to their new names, by the number of the `$rename`.
    pub(super) renamed: Vec<Option<Node<'a>>>,
    /// The nulls that may still be put into arrays.
    pub(super) padding: usize,
    /// What may still be put into the document.
    pub(super) room: Room<'a>,
}

/// Where the steps of a group go on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Index(usize, &'a str),
    Name(&'a str),
    All,
    Filter(usize),
}

/// Steps that act on the same value; more than one only where `$[a]` and `$[b]`, or `$` and a number, meet.
type Steps<'a> = SmallVec<[&'a Step; 1]>;

impl<'a> Run<'a> {
    /// Applies steps to a value that is there.
    pub(super) fn apply(&mut self, steps: &[&'a Step], node: &mut Node<'a>) -> Result<Fate<'a>> {
        if let [Step::Leaf(leaf)] = steps {
            return self.leaf(leaf, node);
        }
        let groups = self.groups(steps)?;
        match node.open() {
            Opened::Object(members) => self.object(groups, members)?,
            Opened::Array(elements) => self.array(groups, elements)?,
            Opened::Scalar => {
                for (key, steps) in &groups {
                    let leaf = match key {
                        Key::All | Key::Filter(_) => self.active(steps),
                        _ => self.blocked(steps),
                    };
                    if let Some(leaf) = leaf {
                        return Err(no_way(
                            leaf,
                            "leads through a value that is neither object nor array",
                        ));
                    }
                }
            }
        }
        Ok(Fate::Keep)
    }

    fn leaf(&mut self, leaf: &'a Leaf, node: &mut Node<'a>) -> Result<Fate<'a>> {
        if self.is_idle(leaf) {
            return Ok(Fate::Keep);
        }
        if let Action::RenameTo(number) = leaf.action {
            let value = self.renamed.get_mut(number).and_then(Option::take);
            return Ok(value.map_or(Fate::Keep, Fate::Last));
        }
        leaf.apply(node, &self.room)
    }

    fn object(
        &mut self,
        groups: Vec<(Key<'a>, Steps<'a>)>,
        members: &mut Members<'a>,
    ) -> Result<()> {
        let find = find_member(members, groups.len());
        for (key, steps) in groups {
            let Some(name) = key.name() else {
                match self.active(&steps) {
                    Some(leaf) => return Err(not_an_array(leaf)),
                    None => continue,
                }
            };
            match find(name, members).and_then(|place| members.get_mut(place)) {
                Some((_, node)) => match self.apply(&steps, node)? {
                    Fate::Keep => {}
                    Fate::Remove => *node = Node::Gone,
                    Fate::Last(value) => {
                        *node = Node::Gone;
                        members.push((name, value));
                    }
                },
                None => {
                    if let Some(node) = self.make(&steps)? {
                        self.room.take(name.len() + 1)?;
                        members.push((name, node));
                    }
                }
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        groups: Vec<(Key<'a>, Steps<'a>)>,
        elements: &mut Vec<Node<'a>>,
    ) -> Result<()> {
        if groups.first().is_some_and(|(key, _)| matches!(key, Key::All | Key::Filter(_))) {
            return self.elements(&groups, elements);
        }
        for (key, steps) in groups {
            if let Some(leaf) = self.find(&steps, &|leaf| leaf.is_rename()) {
                return Err(no_way(leaf, "leads through an array"));
            }
            let Key::Index(index, _) = key else {
                match self.blocked(&steps) {
                    Some(leaf) => return Err(no_way(leaf, "names a member of an array")),
                    None => continue,
                }
            };
            if let Some(element) = elements.get_mut(index) {
                if !matches!(self.apply(&steps, element)?, Fate::Keep) {
                    *element = Node::NULL;
                }
            } else if let Some(node) = self.make(&steps)? {
                self.pad(elements, index, &steps)?;
                elements.push(node);
            }
        }
        Ok(())
    }

    /// `$[]` and `$[id]`.
    fn elements(
        &mut self,
        groups: &[(Key<'a>, Steps<'a>)],
        elements: &mut [Node<'a>],
    ) -> Result<()> {
        for element in elements {
            let mut matching = Steps::new();
            for (key, steps) in groups {
                let wanted = match key {
                    Key::Filter(number) => match self.filters.get(*number) {
                        Some(filter) => filter.matches(element.raw(self.room.limits)?)?,
                        None => false,
                    },
                    _ => true,
                };
                if wanted {
                    matching.extend(steps.iter().copied().filter(|step| !self.is_idle_step(step)));
                }
            }
            if !matching.is_empty() && !matches!(self.apply(&matching, element)?, Fate::Keep) {
                *element = Node::NULL;
            }
        }
        Ok(())
    }

    fn pad(
        &mut self,
        elements: &mut Vec<Node<'a>>,
        index: usize,
        steps: &[&'a Step],
    ) -> Result<()> {
        let missing = index.saturating_sub(elements.len());
        let Some(left) = self.padding.checked_sub(missing) else {
            let what = format!("is an index more than {PADDING_MAX} past the end of its array");
            return Err(match self.active(steps) {
                Some(leaf) => leaf.refused("index_too_large", &what),
                None => Error::invalid("index_too_large", what),
            });
        };
        self.padding = left;
        elements.resize_with(index, || Node::NULL);
        Ok(())
    }

    /// What steps make where nothing is.
    pub(super) fn make(&mut self, steps: &[&'a Step]) -> Result<Option<Node<'a>>> {
        if let [Step::Leaf(leaf)] = steps {
            if self.is_idle(leaf) {
                return Ok(None);
            }
            if let Action::RenameTo(number) = leaf.action {
                return Ok(self.renamed.get_mut(number).and_then(Option::take));
            }
            return leaf.create(&self.room);
        }
        let mut members = Members::new();
        for (key, steps) in self.groups(steps)? {
            let Some(name) = key.name() else {
                match self.active(&steps) {
                    Some(leaf) => return Err(not_an_array(leaf)),
                    None => continue,
                }
            };
            if let Some(node) = self.make(&steps)? {
                self.room.take(name.len() + 2)?;
                members.push((name, node));
            }
        }
        Ok(if members.is_empty() { None } else { Some(Node::Object(members)) })
    }

    /// The next parts of all steps together, in order.
    fn groups(&self, steps: &[&'a Step]) -> Result<Vec<(Key<'a>, Steps<'a>)>> {
        if let [Step::Branch(branch)] = steps
            && branch.children().all(|(part, _)| *part != Part::Position)
        {
            return branch
                .children()
                .map(|(part, step)| Ok((self.key(part)?, Steps::from_elem(step, 1))))
                .collect();
        }
        let mut groups: BTreeMap<Key<'a>, Steps<'a>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Branch(branch) => {
                    for (part, step) in branch.children() {
                        if !self.is_idle_step(step) {
                            groups.entry(self.key(part)?).or_default().push(step);
                        }
                    }
                }
                Step::Leaf(leaf) => return Err(conflict(leaf)),
            }
        }
        Ok(groups.into_iter().collect())
    }

    fn key(&self, part: &'a Part) -> Result<Key<'a>> {
        Ok(match part {
            Part::Index(index, name) => Key::Index(*index, name),
            Part::Name(name) => Key::Name(name),
            Part::All => Key::All,
            Part::Filter(number) => Key::Filter(*number),
            Part::Position => {
                let (index, name) = self.position.ok_or_else(|| {
                    Error::invalid(
                        "positional_without_array",
                        "the positional operator `$` needs a filter that was satisfied by an element \
                         of an array",
                    )
                    .with("operator", "$")
                })?;
                Key::Index(index, name)
            }
        })
    }

    /// Whether an operator does nothing in this run.
    fn is_idle(&self, leaf: &Leaf) -> bool {
        match leaf.action {
            Action::RenameFrom(_) => true,
            Action::RenameTo(number) => self.renamed.get(number).is_none_or(Option::is_none),
            _ => leaf.insert_only && !self.insert,
        }
    }

    fn is_idle_step(&self, step: &Step) -> bool {
        matches!(step, Step::Leaf(leaf) if self.is_idle(leaf))
    }

    fn find(&self, steps: &[&'a Step], wanted: &dyn Fn(&Leaf) -> bool) -> Option<&'a Leaf> {
        steps
            .iter()
            .copied()
            .find_map(|step| step.find_leaf(&|leaf| !self.is_idle(leaf) && wanted(leaf)))
    }

    /// The first operator that does something.
    fn active(&self, steps: &[&'a Step]) -> Option<&'a Leaf> {
        self.find(steps, &|_| true)
    }

    /// The first operator that needs its path to lead somewhere.
    fn blocked(&self, steps: &[&'a Step]) -> Option<&'a Leaf> {
        self.find(steps, &|leaf| !leaf.is_unset())
    }
}

impl<'a> Key<'a> {
    fn name(self) -> Option<&'a str> {
        match self {
            Self::Index(_, name) | Self::Name(name) => Some(name),
            Self::All | Self::Filter(_) => None,
        }
    }
}

/// How members of an object are found when `count` of them are looked for; members that come later are not, nor are those
/// that are gone.
pub(super) fn find_member<'a>(
    members: &Members<'a>,
    count: usize,
) -> impl Fn(&str, &Members<'a>) -> Option<usize> + use<'a> {
    let many = count > LINEAR_MEMBERS_MAX && members.len() > LINEAR_MEMBERS_MAX;
    let table: Option<HashMap<&'a str, usize>> =
        many.then(|| members.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect());
    move |name, members| {
        let place = match &table {
            Some(table) => table.get(name).copied(),
            None => members.iter().position(|(member, node)| *member == name && !node.is_gone()),
        };
        place.filter(|place| members.get(*place).is_some_and(|(_, node)| !node.is_gone()))
    }
}

fn no_way(leaf: &Leaf, what: &str) -> Error {
    leaf.refused("path_not_viable", what)
}

fn not_an_array(leaf: &Leaf) -> Error {
    leaf.refused("positional_without_array", "has a positional operator where no array is")
}
