//! What a node of an expression is evaluated in: the scope, the local variables, and what is left to spend.
//!
//! Guarantees: an evaluation ends: each step costs something of a fixed amount, and made values have a largest size.
//! Leaves to others: resolving names to places (`parse`), the clock (between documents, `Budget`).

use std::cell::Cell;

use super::Scope;
use super::failure::failed;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::query::Item;
use crate::value::Raw;
use crate::value::token::{Cursor, Token};

/// The steps of one evaluation: each call of an operator, each turn of a loop, and each 64 bytes looked at.
const STEPS: u64 = 50_000_000;
/// No made value is larger than this, whatever the limits say.
const BYTES_MAX: u64 = 256 << 20;

/// What one evaluation may still spend.
#[derive(Debug)]
pub(super) struct Shared {
    bytes_max: usize,
    nesting_max: usize,
    steps: Cell<u64>,
}

impl Shared {
    pub(super) fn new(bytes_max: usize, nesting_max: usize) -> Self {
        Self { bytes_max, nesting_max, steps: Cell::new(STEPS) }
    }

    pub(super) fn bytes_max(limits: &Limits) -> usize {
        usize::try_from(limits.query_result_bytes.min(BYTES_MAX)).unwrap_or(usize::MAX)
    }

    /// Pays for steps.
    #[inline]
    pub(super) fn spend(&self, steps: usize) -> Result<()> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(failed(
                "expression",
                format_args!("took more than {STEPS} steps for one document"),
            )),
        }
    }

    /// Refuses a made value that is too large.
    #[inline]
    pub(super) fn check_size(&self, operator: &str, bytes: usize) -> Result<()> {
        if bytes <= self.bytes_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LimitExceeded,
            "limit_exceeded",
            format!(
                "{operator} makes a value of more than {} bytes (limits.query_result_bytes)",
                self.bytes_max
            ),
        )
        .with("limit", "limits.query_result_bytes")
        .with("value", self.bytes_max as u64)
        .with("operator", operator))
    }

    /// Refuses a value that nests too deep.
    pub(super) fn check_nesting(&self, operator: &str, raw: Raw<'_>) -> Result<()> {
        if depth_is_within(raw, self.nesting_max) {
            return Ok(());
        }
        Err(Error::limit(
            "limits.nesting",
            self.nesting_max as u64,
            format!(
                "{operator} makes a value that nests deeper than {} (limits.nesting)",
                self.nesting_max
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
