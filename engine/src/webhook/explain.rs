//! What became of one event for one webhook.
//!
//! Guarantees: what is known of the event's delivery comes first; else the answer is what the registration and its owner's
//! rights say now. Of an event that was looked at, that is wanted and seen, and of which nothing is known any more, it is
//! taken that it was delivered: successes are not written down.

use std::sync::Arc;

use super::registration::Registration;
use super::service::WebhookService;
use super::sight::Sight;
use super::status::Status;
use super::worker::{DeliveryView, Worker};
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::explain::{Explained, Outcome, Reason, Rule, block_at, reason};
use crate::restrict::Visibility;

/// What a webhook knows of a position.
struct Known {
    registration: Arc<Registration>,
    /// Every event up to here was looked at.
    cursor: u64,
    /// Up to where the receiver says that it has everything.
    committed_to: u64,
    delivery: Option<DeliveryView>,
    /// Whether the delivery that this one waits for has failed.
    behind_failing: bool,
}

impl WebhookService {
    /// What became of the event at a position for a webhook. Not found: `webhook_not_found`, `event_not_found`; gone before
    /// retention.
    pub async fn explain(&self, webhook: &str, position: u64) -> Result<Explained> {
        self.get(webhook)?;
        let id = webhook.to_owned();
        let asked = self
            .ask(move |dispatcher| Ok::<_, Error>(Known::of(dispatcher.worker(&id)?, position)));
        let known = asked.await??;
        let (engine, sight) = (self.engine().clone(), self.sight());
        let explained = self.engine().tasks().blocking(move || {
            let block = block_at(&engine, position)?;
            let record = block.get(position);
            let record = record.ok_or_else(|| Error::internal("a block without its record"))?;
            Ok(known.explain(&Event::decode(&record)?, &*sight))
        });
        explained.await.ok_or_else(|| Error::internal("explaining an event panicked"))?
    }
}

impl Known {
    fn of(worker: &Worker, position: u64) -> Self {
        let delivery = worker.delivery(position);
        let behind = delivery.as_ref().and_then(|delivery| delivery.behind);
        let behind = behind.and_then(|behind| worker.delivery(behind));
        Self {
            registration: Arc::clone(&worker.registration),
            cursor: worker.cursor,
            committed_to: worker.committed_to,
            delivery,
            behind_failing: behind.is_some_and(|behind| behind.status == Status::Failing),
        }
    }

    fn explain(&self, event: &Event<'_>, sight: &dyn Sight) -> Explained {
        match &self.delivery {
            Some(delivery) => Explained {
                delivery: Some(delivery.position),
                ..self.of_delivery(delivery, event, sight)
            },
            None => self.without_delivery(event, sight),
        }
    }

    fn of_delivery(
        &self,
        delivery: &DeliveryView,
        event: &Event<'_>,
        sight: &dyn Sight,
    ) -> Explained {
        match delivery.status {
            Status::Succeeded => return Explained::new(Outcome::Delivered),
            Status::Dead => return Explained::new(Outcome::Dead),
            Status::Pending | Status::Failing => {}
        }
        let behind = delivery.behind;
        if !self.registration.active {
            return Explained { behind, ..Explained::inactive("active") };
        }
        // An attempt asks again what may be seen; what the webhook asks for takes nothing back.
        let visibility = sight.visibility(&self.registration.owner, event);
        if !matches!(visibility, Visibility::Everything)
            && let Some(reason) = reason(event, &visibility, self.registration.filter.as_ref())
        {
            return reason.into();
        }
        let parked = behind.is_some() && self.behind_failing;
        let outcome = if parked { Outcome::Parked } else { Outcome::Pending };
        Explained { behind, ..Explained::new(outcome) }
    }

    fn without_delivery(&self, event: &Event<'_>, sight: &dyn Sight) -> Explained {
        let (registration, position) = (&*self.registration, event.position);
        if position <= registration.start {
            return Explained::inactive("from");
        }
        if registration.skip_to.is_some_and(|skip_to| position <= skip_to) {
            return Explained::inactive("backlog");
        }
        if !registration.active && position > self.cursor {
            return Explained::inactive("active");
        }
        if let Some(reason) = passed_over(registration, event) {
            return reason.into();
        }
        let visibility = sight.visibility(&registration.owner, event);
        if let Some(reason) = reason(event, &visibility, registration.filter.as_ref()) {
            return reason.into();
        }
        if position > self.cursor {
            return Explained::new(Outcome::Pending);
        }
        // Whether it was delivered, or its receiver said that it has it, is not written down.
        let clause = (position <= self.committed_to).then(|| "commit".to_owned());
        let delivery = Some(position);
        Explained { delivery, clause, ..Explained::new(Outcome::Delivered) }
    }
}

/// Why a registration does not want an event by its place; `None`: it does.
fn passed_over(registration: &Registration, event: &Event<'_>) -> Option<Reason> {
    if registration.wants_place(event) {
        return None;
    }
    let by_kind = matches!(event.kind, EventKind::EventPublished | EventKind::WebhookDisabled);
    Some(if !by_kind && event.is_system() {
        Reason::Rule(Rule::System)
    } else if !by_kind && !registration.follows(event.collection) {
        Reason::Clause("collections".to_owned())
    } else {
        Reason::Clause("kinds".to_owned())
    })
}
