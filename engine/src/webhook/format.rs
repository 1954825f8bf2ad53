//! Forms of the bodies of deliveries: the engine's own, which is the event as JSON, and those that faces bring along.
//!
//! Guarantees: a registration names a form that is there, or it is refused; a stored one whose form is not there is left
//! out whole, rather than delivered in another. Signatures and ids do not depend on the form.
//! Leaves to others: what a form looks like.

use std::fmt;
use std::sync::Arc;

use crate::event::Event;
use crate::event_json;
use crate::restrict::Seen;
use crate::subscribe::BodyProjection;
use crate::value;

/// The name of the engine's own form.
const EVENT: &str = "event";

/// A form that a face brings along.
pub trait Form: fmt::Debug + Send + Sync + 'static {
    /// Its name, as `format` says it.
    fn name(&self) -> &'static str;

    /// Appends a body: JSON, from what is seen of an event as `projection` shows it. The same question gives the same
    /// bytes. `seen` is never [`Seen::Nothing`]; [`event_json::shown_document`] has the document that may be shown.
    fn write(
        &self,
        event: &Event<'_>,
        seen: &Seen,
        projection: Option<&BodyProjection>,
        out: &mut Vec<u8>,
    );
}

/// The forms that there are besides the engine's own.
#[derive(Clone, Debug, Default)]
pub struct Formats(Vec<Arc<dyn Form>>);

impl Formats {
    /// These forms.
    pub fn new(forms: Vec<Arc<dyn Form>>) -> Self {
        Self(forms)
    }

    /// The form of a name.
    pub(super) fn find(&self, name: &str) -> Option<Format> {
        if name == EVENT {
            return Some(Format::default());
        }
        let form = self.0.iter().find(|form| form.name() == name)?;
        Some(Format(Some(Arc::clone(form))))
    }

    /// Their names, the engine's own first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(EVENT).chain(self.0.iter().map(|form| form.name()))
    }
}

/// The form of a webhook's deliveries.
#[derive(Clone, Debug, Default)]
pub struct Format(Option<Arc<dyn Form>>);

impl Format {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.0.as_ref().map_or(EVENT, |form| form.name())
    }

    /// Appends what is sent for an event of which that is seen.
    pub(super) fn write(
        &self,
        event: &Event<'_>,
        seen: &Seen,
        projection: Option<&BodyProjection>,
        out: &mut Vec<u8>,
    ) {
        match &self.0 {
            None => event_json::write_seen(event, seen, projection, out, value::json::write),
            Some(form) => form.write(event, seen, projection, out),
        }
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}
