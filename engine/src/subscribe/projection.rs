//! Projections of what streams and webhooks tell of documents.
//!
//! Guarantees: a projection is applied to the shown part of a document, so that it can show nothing hidden. A document that
//! it fails on is shown as its `_id` alone. Two projections with the same text are equal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::body::{STEPS_MAX, took_long};
use super::live::check_steady;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::query::{Context, Projection, Trust};
use crate::value::{Raw, Value, document};

/// A projection with the text it came from.
#[derive(Clone, Debug)]
pub struct BodyProjection {
    source: Bytes,
    projection: Arc<Projection>,
    overruns: Arc<AtomicU32>,
}

impl BodyProjection {
    /// Compiles a projection; `None` for one that shows everything. The positional `$`, which needs a query, is refused, and
    /// so is what depends on time or chance.
    pub fn parse(projection: Raw<'_>, limits: &Limits) -> Result<Option<Self>> {
        let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
        check_steady(projection)?;
        let compiled = Projection::parse(projection, &context)?;
        if projection.member_count() == 0 {
            return Ok(None);
        }
        if compiled.is_positional() {
            let message = "the positional `$` of a projection cannot be used for events";
            return Err(Error::invalid("unsupported_operator", message).with("operator", "$"));
        }
        let source = Bytes::copy_from_slice(projection.as_bytes());
        Ok(Some(Self { source, projection: Arc::new(compiled), overruns: Arc::default() }))
    }

    /// What is shown of a document.
    pub fn apply(&self, document: Raw<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        match self.projection.apply_within(document, STEPS_MAX, &mut out) {
            Ok(()) => out,
            Err(error) => {
                self.overruns.fetch_add(u32::from(took_long(&error)), Ordering::Relaxed);
                document::id_alone(document)
            }
        }
    }

    /// How often it took too long, with all that were cloned from the same.
    pub fn overruns(&self) -> u32 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// The projection as it was given, encoded.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The projection as it was given.
    pub fn to_value(&self) -> Value {
        Raw::trusted(&self.source).to_value()
    }
}

impl PartialEq for BodyProjection {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for BodyProjection {}
