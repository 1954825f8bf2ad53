//! The webhooks that a run registers.
//!
//! Guarantees: [`with_webhooks`] takes every one of them away again, whatever the work in between came to.

use std::cell::RefCell;

use serde_json::Value;

use super::super::Plan;
use crate::client::Client;
use crate::job;

/// The webhooks that are there.
pub(super) struct Registered<'a> {
    client: &'a Client,
    ids: RefCell<Vec<String>>,
}

impl Registered<'_> {
    /// Registers a webhook; its id.
    pub(super) async fn register(&self, wish: &Value) -> anyhow::Result<String> {
        let webhook: Value = self.client.post(&["v1", "webhooks"], wish).await?;
        let id = job::id_text(&webhook["id"]);
        self.ids.borrow_mut().push(id.clone());
        Ok(id)
    }

    /// Tries to take away all, and tells the first failure.
    async fn remove(&self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for id in self.ids.take() {
            let removed = self.client.delete(&["v1", "webhooks", &id]).await;
            outcome = outcome.and(removed);
        }
        Ok(outcome?)
    }
}

/// Does work that registers webhooks, and takes them away.
pub(super) async fn with_webhooks<T>(
    plan: &Plan,
    work: impl AsyncFnOnce(&Registered<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let registered = Registered { client: &plan.client, ids: RefCell::default() };
    let done = work(&registered).await;
    let removed = registered.remove().await;
    let done = done?;
    removed.map_err(|error| error.context("a webhook of the bench could not be removed"))?;
    Ok(done)
}
