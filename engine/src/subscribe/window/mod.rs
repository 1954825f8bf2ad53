//! The window of a live query: the first documents of its result in an order, kept by the changes of documents alone.
//!
//! Behind the documents that are told of stands a reserve, so that one that leaves is followed by the next without a query.
//! The window knows all documents of the result up to a place; only when so many left that fewer are known than it should
//! tell, while others lie beyond that place, does it have to be filled again.
//!
//! Guarantees: after each change it holds exactly what the first documents of the whole result are, and says by which steps
//! they came to be; a change that cannot be followed changes nothing. Bytes and documents are bounded.
//! Leaves to others: which documents are in the result ([`LiveQuery`](super::live::LiveQuery)), the query that fills it,
//! how it is told.

mod order;
mod steps;

use bytes::Bytes;

use super::live::Reason;
use crate::error::{Error, Result};
use crate::query::find::Place;
use crate::value::Raw;

pub use order::{Order, WindowRow};
pub use steps::{Step, difference};

/// Bytes of documents that a window holds at most.
pub const WINDOW_BYTES_MAX: usize = 8 << 20;
/// The name of that limit.
pub const WINDOW_BYTES: &str = "live_window_bytes";
/// Fewest documents in reserve, where there are as many.
const RESERVE_MIN: usize = 32;

/// How many documents a window of so many is filled with.
pub fn capacity(limit: usize) -> usize {
    limit + limit.max(RESERVE_MIN)
}

/// The first documents of a result.
#[derive(Debug)]
pub struct Window {
    order: Order,
    limit: usize,
    capacity: usize,
    /// The known documents, in order; the first `limit` of them are told of.
    rows: Vec<WindowRow>,
    /// All documents of the result up to this place are known; `None`: all there are.
    known_to: Option<Place>,
    bytes: usize,
}

impl Window {
    /// A window of `limit` documents with the first documents of the result; `more` says whether others follow them. Fails
    /// where the documents to be told are too large.
    pub fn new(order: Order, limit: usize, first: Vec<Bytes>, more: bool) -> Result<Self> {
        let rows = order.rows(first)?;
        let bytes = rows.iter().map(WindowRow::bytes).sum();
        let known_to = rows.last().filter(|_| more).map(|last| last.place.clone());
        let capacity = capacity(limit);
        let mut window = Self { order, limit, capacity, rows, known_to, bytes };
        window.trim()?;
        Ok(window)
    }

    /// Bytes of the documents that it knows.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The documents that are told of, in order.
    pub fn told(&self) -> &[WindowRow] {
        &self.rows[..self.rows.len().min(self.limit)]
    }

    /// The order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Forgets all documents: there are none any more.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.known_to = None;
        self.bytes = 0;
    }

    /// Takes a change in: the document before, if it was in the result, and after, or why it is not any more. Gives the steps
    /// from what was told to what is to be told; `None`, and nothing is changed, where the window has to be filled again.
    pub fn apply(
        &mut self,
        before: Option<Raw<'_>>,
        after: std::result::Result<Bytes, Reason>,
    ) -> Result<Option<Vec<Step>>> {
        let before = before.map(|document| self.order.place(document)).transpose()?;
        let from = before.and_then(|place| self.find(&place).ok());
        let (after, reason) = match after {
            Ok(document) => (Some(self.order.row(document)?), Reason::Window),
            Err(reason) => (None, reason),
        };
        let after = after.filter(|row| self.knows(&row.place));
        let known = self.rows.len() - usize::from(from.is_some()) + usize::from(after.is_some());
        if known < self.limit && self.known_to.is_some() {
            return Ok(None);
        }
        let removed = from.map(|at| self.remove(at));
        let to = after.map(|row| self.insert(row));
        let steps = self.steps(from.zip(removed), to, reason);
        self.trim()?;
        Ok(Some(steps))
    }

    /// What changed in the documents that are told of, once one was taken out and put in.
    fn steps(
        &self,
        from: Option<(usize, WindowRow)>,
        to: Option<usize>,
        reason: Reason,
    ) -> Vec<Step> {
        let left = from.filter(|(at, _)| *at < self.limit).map(|(_, row)| row);
        let came = to.filter(|at| *at < self.limit).map(|at| &self.rows[at]);
        match (left, came) {
            (Some(_), Some(came)) => vec![Step::Update(came.clone())],
            (Some(left), None) => {
                let next = self.rows.get(self.limit - 1).map(|next| Step::Enter(next.clone()));
                [Some(Step::Leave(left, reason)), next].into_iter().flatten().collect()
            }
            (None, Some(came)) => {
                let out = self.rows.get(self.limit);
                let out = out.map(|out| Step::Leave(out.clone(), Reason::Window));
                [out, Some(Step::Enter(came.clone()))].into_iter().flatten().collect()
            }
            (None, None) => Vec::new(),
        }
    }

    fn find(&self, place: &Place) -> std::result::Result<usize, usize> {
        self.rows.binary_search_by(|row| row.place.cmp(place))
    }

    /// Whether a document at a place would be among the known ones.
    fn knows(&self, place: &Place) -> bool {
        self.known_to.as_ref().is_none_or(|known_to| place <= known_to)
    }

    fn remove(&mut self, at: usize) -> WindowRow {
        let row = self.rows.remove(at);
        self.bytes -= row.bytes();
        row
    }

    fn insert(&mut self, row: WindowRow) -> usize {
        let at = self.find(&row.place).unwrap_or_else(|at| at);
        self.bytes += row.bytes();
        self.rows.insert(at, row);
        at
    }

    /// Gives up what is beyond the bounds of the reserve; fails where what is told of is beyond them.
    fn trim(&mut self) -> Result<()> {
        let mut is_cut = false;
        while self.rows.len() > self.limit
            && (self.rows.len() > self.capacity || self.bytes > WINDOW_BYTES_MAX)
        {
            self.remove(self.rows.len() - 1);
            is_cut = true;
        }
        if is_cut {
            self.known_to = self.rows.last().map(|last| last.place.clone());
        }
        if self.bytes > WINDOW_BYTES_MAX {
            let message = format!(
                "the documents of the window have more than {WINDOW_BYTES_MAX} bytes; ask for fewer"
            );
            return Err(Error::limit(WINDOW_BYTES, WINDOW_BYTES_MAX as u64, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
