//! Webhooks: register, list, change, remove, and what was delivered. Each needs `settings` on the webhook's collections,
//! registering and changing needs `read` there too, and more for events of no document.

use std::sync::Arc;

use headwater_engine::value::{Raw, Value};
use headwater_engine::webhook::registration::{COLLECTION, Scope};
use headwater_engine::webhook::{Registration, WebhookService};
use headwater_engine::write::{Absent, Committed, Operation};
use headwater_engine::{Error, ErrorKind, EventKind};
use serde_json::{Value as Json, json};

use super::collections::to_json;
use super::{RequestKey, Session};
use crate::auth::Action;
use crate::error::ApiError;

/// Tries of a change that others change at the same time.
const CHANGE_TRIES: usize = 5;

/// A webhook with its secret, which is shown this once.
pub(crate) struct Registered {
    /// The webhook as callers see it.
    pub(crate) shown: Json,
    /// What was committed.
    pub(crate) committed: Committed,
}

impl Session {
    /// Registers a webhook.
    pub(crate) async fn register(
        &self,
        service: &WebhookService,
        given: &[u8],
        request: Option<RequestKey>,
    ) -> Result<Registered, ApiError> {
        let vault = service.registry().vault();
        let owner = &self.principal.id;
        let registration = Registration::create(
            &self.engine,
            Raw::trusted(given),
            owner,
            service.registry().formats(),
        )?;
        self.check_scope(&registration, Action::Settings)?;
        self.check_sight(&registration)?;
        self.check_followed(&registration)?;
        self.check_url(service, &registration, request.as_ref()).await?;
        let operation = Operation::Create {
            collection: Arc::from(COLLECTION),
            id: registration.document_id(),
            body: registration.to_bytes(vault).into(),
        };
        let committed = self.commit(vec![operation], request).await?;
        let written = service.written(&committed)?;
        let mut shown = describe(&written);
        if !committed.repeated {
            shown["secret"] = json!(written.secret.reveal());
        }
        Ok(Registered { shown, committed })
    }

    /// The webhooks that the caller may manage, by id, after one of them.
    pub(crate) fn webhooks(
        &self,
        service: &WebhookService,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Arc<Registration>>, Option<String>), ApiError> {
        self.check_somewhere(Action::Settings)?;
        let (all, _) = service.registry().all();
        let mut mine: Vec<_> = all
            .values()
            .map(|registered| &registered.registration)
            .filter(|registration| after.is_none_or(|after| &*registration.id > after))
            .filter(|registration| self.is_own(registration))
            .filter(|registration| self.check_scope(registration, Action::Settings).is_ok())
            .map(Arc::clone)
            .collect();
        mine.sort_by(|a, b| a.id.cmp(&b.id));
        let more = mine.len() > limit;
        mine.truncate(limit);
        let next = mine.last().filter(|_| more).map(|last| last.id.to_string());
        Ok((mine, next))
    }

    /// A webhook that the caller may manage.
    pub(crate) fn webhook(
        &self,
        service: &WebhookService,
        id: &str,
    ) -> Result<Arc<Registration>, ApiError> {
        self.check_somewhere(Action::Settings)?;
        let registration = service.get(id)?;
        if !self.is_own(&registration) {
            // Not what it follows.
            return Err(ApiError::forbidden("the webhook was registered by another credential"));
        }
        self.check_scope(&registration, Action::Settings)?;
        Ok(registration)
    }

    /// Gives a webhook a new secret; what was written.
    pub(crate) async fn rotate_webhook(
        &self,
        service: &WebhookService,
        id: &str,
        request: Option<RequestKey>,
    ) -> Result<(Registration, Committed), ApiError> {
        self.webhook(service, id)?;
        let committed = self.commit(vec![service.rotation(id)?], request).await?;
        Ok((service.written(&committed)?, committed))
    }

    /// Changes a webhook.
    pub(crate) async fn change_webhook(
        &self,
        service: &WebhookService,
        id: &str,
        given: &[u8],
        request: Option<RequestKey>,
    ) -> Result<(Json, Committed), ApiError> {
        self.webhook(service, id)?;
        let given = Raw::trusted(given);
        let refollowed = given.get("collections").is_some();
        // A url that is not changed is vetted at each attempt alone.
        let mut vetted = given.get("url").is_none();
        for _ in 0..CHANGE_TRIES {
            let (present, version) = self.stored_webhook(service, id)?;
            let changed = present.patched(&self.engine, given, service.registry().formats())?;
            self.check_scope(&changed, Action::Settings)?;
            self.check_sight(&changed)?;
            if refollowed {
                self.check_followed(&changed)?;
            }
            if !vetted {
                self.check_url(service, &changed, request.as_ref()).await?;
                vetted = true;
            }
            let operation = Operation::Replace {
                collection: Arc::from(COLLECTION),
                id: changed.document_id(),
                body: changed.to_bytes(service.registry().vault()).into(),
                if_version: Some(version),
                absent: Absent::Refuse,
            };
            match self.commit(vec![operation], request.clone()).await {
                Ok(committed) => return Ok((describe(&changed), committed)),
                Err(error) if error.kind() == ErrorKind::VersionMismatch => {}
                Err(error) => return Err(error.into()),
            }
        }
        let message = "others change this webhook at the same time; try again";
        Err(Error::new(ErrorKind::Conflict, "webhook_contended", message).into())
    }

    /// Whether the collections are there, where they have to be.
    fn check_followed(&self, registration: &Registration) -> Result<(), ApiError> {
        let Scope::Named(names) = &registration.scope else { return Ok(()) };
        let there = names.iter().try_for_each(|name| self.check_there(name));
        there.map_err(|error| error.with("field", "collections"))
    }

    /// Whether the url may be reached, unless the request was answered before.
    async fn check_url(
        &self,
        service: &WebhookService,
        registration: &Registration,
        request: Option<&RequestKey>,
    ) -> Result<(), ApiError> {
        let Err(refused) = service.vet(&registration.url).await else { return Ok(()) };
        match self.answered_before(request).await? {
            Some(_) => Ok(()),
            None => Err(refused.into()),
        }
    }

    fn stored_webhook(
        &self,
        service: &WebhookService,
        id: &str,
    ) -> Result<(Registration, u64), ApiError> {
        let document = service.get(id)?.document_id();
        let snapshot = self.engine.snapshot();
        let number = snapshot.collections().number(COLLECTION);
        let number = number.ok_or_else(|| Error::internal("there is no collection of webhooks"))?;
        let missing = || Error::not_found("webhook_not_found", format!("there is no webhook {id}"));
        let row = snapshot.get(number, &document.key)?.ok_or_else(missing)?;
        let id = row.body().get("_id").ok_or_else(missing)?;
        let registration = service.registry().decode(id, row.body())?;
        Ok((registration, row.version()))
    }

    /// Removes a webhook with what it has outstanding.
    pub(crate) async fn remove_webhook(
        &self,
        service: &WebhookService,
        id: &str,
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        let document = match self.webhook(service, id) {
            Ok(registration) => registration.document_id(),
            // A repeated request finds it gone; its key tells what the answer was, and nothing else is done.
            Err(error) => {
                let before = self.answered_before(request.as_ref()).await?;
                return before.ok_or(error);
            }
        };
        let operation = Operation::Delete {
            collection: Arc::from(COLLECTION),
            id: document,
            if_version: None,
            only_if: None,
        };
        Ok(self.commit(vec![operation], request).await?)
    }

    /// Whether the caller may see what the webhook asks for. What its owner may see is asked again at each delivery.
    fn check_sight(&self, registration: &Registration) -> Result<(), ApiError> {
        self.check_scope(registration, Action::Read)?;
        if registration.kinds.contains(&EventKind::EventPublished) {
            self.check_outside(Action::Subscribe)?;
        }
        if registration.kinds.contains(&EventKind::WebhookDisabled) {
            self.full_access()?;
        }
        Ok(())
    }

    /// Whether a webhook is the caller's: deliveries obey the one who registered it, and headers and secrets are its own.
    fn is_own(&self, registration: &Registration) -> bool {
        self.grant.is_full() || *registration.owner == *self.principal.id
    }

    fn check_scope(&self, registration: &Registration, action: Action) -> Result<(), ApiError> {
        match &registration.scope {
            Scope::All => self.check_outside(action),
            Scope::Named(names) => names.iter().try_for_each(|name| self.check(name, action)),
        }
    }
}

/// A webhook without its secrets.
pub(crate) fn describe(registration: &Registration) -> Json {
    let object = Value::Object(registration.describe()).to_bytes();
    to_json(Raw::trusted(&object))
}
