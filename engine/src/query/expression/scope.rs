//! What a node of an expression is evaluated in: the scope, the local variables, and what is left to spend.
//!
//! Guarantees: an evaluation ends: each step costs something of a fixed amount, which all expressions of one [`Work`] share,
//! and made values have a largest size.
//! Leaves to others: resolving names to places (`parse`), the clock (between documents, `Budget`).

use std::cell::Cell;

use super::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::query::Item;
use crate::value::Raw;
use crate::value::token::{Cursor, Token};

/// How many steps go with a millisecond of the deadline. A step is a call of an operator, a turn of a loop, or 16 bytes
/// looked at.
const STEPS_PER_MS: u64 = 4000;
/// What an element costs that is kept apart from its array, for sorting or for sets.
const ELEMENT_BYTES: u64 = 64;
/// No made value is larger than this, whatever the limits say.
const BYTES_MAX: u64 = 256 << 20;

/// The limits that evaluations keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    bytes_max: usize,
    nesting_max: usize,
    deadline_ms: u64,
    memory_max: u64,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Self {
        let bytes_max = limits.query_result_bytes.min(BYTES_MAX);
        Self {
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            nesting_max: limits.nesting as usize,
            deadline_ms: limits.query_deadline_ms,
            memory_max: limits.query_memory_bytes,
        }
    }
}

thread_local! {
    /// The steps spent by the work under way on this thread, and how many [`Work`]s are open.
    static SPENT: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
    /// The most steps of the work under way, whatever its limits say.
    static ALLOWED: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// One piece of work: what is evaluated on this thread while it is open shares one allowance of steps. The outermost
/// one counts: a filter, an update or a projection over one document.
#[derive(Debug)]
pub(crate) struct Work;

impl Work {
    /// Begins one, inside of another or not.
    pub(crate) fn begin() -> Self {
        SPENT.with(|spent| {
            let (steps, open) = spent.get();
            spent.set((if open == 0 { 0 } else { steps }, open + 1));
        });
        Self
    }

    /// The same, which may take so many steps at most.
    pub(crate) fn within(steps: u64) -> Self {
        ALLOWED.set(ALLOWED.get().min(steps));
        Self::begin()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        SPENT.with(|spent| {
            let (steps, open) = spent.get();
            spent.set((steps, open.saturating_sub(1)));
            if open <= 1 {
                ALLOWED.set(u64::MAX);
            }
        });
    }
}

/// What one evaluation may still spend.
#[derive(Debug)]
pub(super) struct Shared {
    bounds: Bounds,
    most: u64,
    steps: Cell<u64>,
    _work: Work,
}

impl Drop for Shared {
    fn drop(&mut self) {
        SPENT.with(|spent| {
            let (_, open) = spent.get();
            spent.set((self.most - self.steps.get(), open));
        });
    }
}

impl Shared {
    pub(super) fn new(bounds: Bounds) -> Self {
        let work = Work::begin();
        let most = bounds.deadline_ms.saturating_mul(STEPS_PER_MS).min(ALLOWED.get());
        let spent = SPENT.with(Cell::get).0;
        Self { bounds, most, steps: Cell::new(most.saturating_sub(spent)), _work: work }
    }

    /// Pays for steps.
    #[inline]
    pub(super) fn spend(&self, steps: usize) -> Result<()> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => {
                self.steps.set(0);
                Err(Error::limit(
                    "limits.query_deadline_ms",
                    self.bounds.deadline_ms,
                    format!(
                        "an expression takes more than {STEPS_PER_MS} steps for each of {} ms \
                     (limits.query_deadline_ms) over one document",
                        self.bounds.deadline_ms
                    ),
                ))
            }
        }
    }

    /// Refuses to keep so many elements apart from their array.
    pub(super) fn check_count(&self, operator: &str, count: usize) -> Result<()> {
        if (count as u64).saturating_mul(ELEMENT_BYTES) <= self.bounds.memory_max {
            return Ok(());
        }
        Err(Error::limit(
            "limits.query_memory_bytes",
            self.bounds.memory_max,
            format!(
                "{operator} of {count} elements needs more than {} bytes of memory \
                 (limits.query_memory_bytes)",
                self.bounds.memory_max
            ),
        )
        .with("operator", operator))
    }

    /// Refuses a made value that is too large.
    #[inline]
    pub(super) fn check_size(&self, operator: &str, bytes: usize) -> Result<()> {
        if bytes <= self.bounds.bytes_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LimitExceeded,
            "limit_exceeded",
            format!(
                "{operator} makes a value of more than {} bytes (limits.query_result_bytes)",
                self.bounds.bytes_max
            ),
        )
        .with("limit", "limits.query_result_bytes")
        .with("value", self.bounds.bytes_max as u64)
        .with("operator", operator))
    }

    /// Refuses a value that nests too deep.
    pub(super) fn check_nesting(&self, operator: &str, raw: Raw<'_>) -> Result<()> {
        if depth_is_within(raw, self.bounds.nesting_max) {
            return Ok(());
        }
        Err(Error::limit(
            "limits.nesting",
            self.bounds.nesting_max as u64,
            format!(
                "{operator} makes a value that nests deeper than {} (limits.nesting)",
                self.bounds.nesting_max
            ),
        )
        .with("operator", operator))
    }
}

/// Whether a value nests no deeper than `max`; without recursion.
fn depth_is_within(raw: Raw<'_>, max: usize) -> bool {
    if raw.member_count() == 0 {
        return true;
    }
    let mut cursor = Cursor::new(raw.as_bytes());
    // For each level the tokens that are left on it.
    let mut open = vec![1_usize];
    while let Some(level) = open.last_mut() {
        let Some(left) = level.checked_sub(1) else {
            open.pop();
            continue;
        };
        *level = left;
        let inside = match cursor.next_token() {
            Some(Token::Array(len)) => len,
            Some(Token::Object(len)) => len.saturating_mul(2),
            Some(_) => continue,
            None => return true,
        };
        open.push(inside);
        if open.len() > max.saturating_add(1) {
            return false;
        }
    }
    true
}

/// The values of the variables that one operator sets, and those around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'e> {
    pub(super) values: &'e [Option<Raw<'e>>],
    pub(super) parent: Option<&'e Frame<'e>>,
}

/// Everything that a node needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Env<'s, 'e> {
    pub(super) scope: Scope<'e>,
    pub(super) locals: Option<&'e Frame<'e>>,
    pub(super) shared: &'s Shared,
}

impl<'s, 'e> Env<'s, 'e> {
    pub(super) fn new(scope: &Scope<'e>, shared: &'s Shared) -> Self {
        Self { scope: *scope, locals: None, shared }
    }

    /// The same with more variables.
    #[inline]
    pub(super) fn inside<'x>(&self, frame: &'x Frame<'x>) -> Env<'s, 'x>
    where
        'e: 'x,
    {
        Env { scope: self.scope, locals: Some(frame), shared: self.shared }
    }

    /// A variable that an operator `up` levels out set.
    pub(super) fn local(&self, up: usize, place: usize) -> Item<'e> {
        let mut frame = self.locals;
        for _ in 0..up {
            frame = frame.and_then(|frame| frame.parent);
        }
        frame.and_then(|frame| frame.values.get(place).copied().flatten()).into()
    }

    /// A variable set from outside.
    pub(super) fn outer(&self, place: usize) -> Item<'e> {
        self.scope.variables.get(place).and_then(|(_, value)| value.raw()).into()
    }
}
