//! The groups in memory.
//!
//! Guarantees: finding a group and feeding its accumulators allocates nothing, unless an accumulator grows. All memory is
//! counted, and given back when cleared or dropped.
//! Leaves to others: groups that do not fit (`spill`).

use std::collections::HashMap;

use super::super::stream::{Env, Held, OVERHEAD};
use super::Field;
use super::accumulator::{Input, Spec};
use super::hash::FastHash;
use super::state::State;
use crate::error::Result;
use crate::query::Encoded;
use crate::value::{Raw, encode};

/// Groups by their keys.
pub(in super::super) struct Table<'a> {
    fields: &'a [Field],
    places: HashMap<Box<[u8]>, usize, FastHash>,
    ids: Vec<Encoded>,
    /// The states of all groups, one group after another.
    states: Vec<State>,
    held: Held<'a>,
    env: Env<'a>,
    grows: bool,
}

impl<'a> Table<'a> {
    pub(in super::super) fn new(fields: &'a [Field], env: Env<'a>) -> Self {
        Self {
            fields,
            places: HashMap::default(),
            ids: Vec::new(),
            states: Vec::new(),
            held: Held::new(env.budget),
            env,
            grows: fields.iter().any(|field| field.spec.grows()),
        }
    }

    /// The group with this key.
    #[inline]
    pub(in super::super) fn find(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }

    fn cost(&self, key: &[u8], id: Raw<'_>) -> usize {
        key.len() + id.as_bytes().len() + OVERHEAD + self.fields.len() * size_of::<State>()
    }

    /// Whether a new group fits, and leaves room for the others to grow.
    pub(in super::super) fn has_room(&self, key: &[u8], id: Raw<'_>) -> bool {
        let reserve = if self.grows { self.held.bytes() } else { self.held.bytes() / 16 };
        self.ids.is_empty() || self.env.budget.has_memory(self.cost(key, id) + reserve)
    }

    /// A new group.
    pub(in super::super) fn insert(&mut self, key: &[u8], id: Raw<'_>) -> Result<usize> {
        self.held.take(self.cost(key, id))?;
        let group = self.ids.len();
        for field in self.fields {
            self.states.push(State::new(&field.spec, id, &self.env)?);
        }
        self.ids.push(Encoded::from_slice(id.as_bytes()));
        self.places.insert(key.into(), group);
        Ok(group)
    }

    /// Feeds the accumulators of a group.
    #[inline]
    pub(in super::super) fn add<'i>(
        &mut self,
        group: usize,
        mut input: impl FnMut(&'a Spec) -> Result<Input<'i>>,
    ) -> Result<()> {
        let first = group * self.fields.len();
        let states = self.states.iter_mut().skip(first);
        for (field, state) in self.fields.iter().zip(states) {
            let grown = state.add(&input(&field.spec)?)?;
            if grown > 0 {
                self.held.take(grown)?;
            }
        }
        Ok(())
    }

    /// The document of a group, if there are so many.
    pub(in super::super) fn document(&self, group: usize) -> Option<Vec<u8>> {
        let id = self.ids.get(group)?;
        let mut out = Vec::with_capacity(id.len() + 16 * (self.fields.len() + 1));
        encode::write_object_header(self.fields.len() + 1, &mut out);
        encode::write_str("_id", &mut out);
        out.extend_from_slice(id);
        let states = self.states.iter().skip(group * self.fields.len());
        for (field, state) in self.fields.iter().zip(states) {
            encode::write_str(&field.name, &mut out);
            state.write(&mut out);
        }
        Some(out)
    }

    /// Forgets all groups.
    pub(in super::super) fn clear(&mut self) {
        self.places = HashMap::default();
        self.ids = Vec::new();
        self.states = Vec::new();
        self.held.give_all();
    }
}
