//! Realtime: whether it is open, and publishing by it.
//!
//! Guarantees: where a grant or a user's record has a list, nothing is published that it does not name.
//! Leaves to others: who hears what (`sight`).

use headwater_engine::value::{Object, Value};
use headwater_engine::write::{Committed, Operation};

use super::Session;
use crate::auth::Action;
use crate::error::ApiError;

impl Session {
    /// Checks that realtime is open for hearing (`subscribe`) or publishing something.
    pub(crate) fn check_realtime(&self, action: Action) -> Result<(), ApiError> {
        if self.grant.opens_realtime(action) {
            return Ok(());
        }
        let action = action.as_str();
        let message = format!("the credential does not open realtime for `{action}`");
        Err(ApiError::forbidden(message).with("action", action))
    }

    /// Publishes a custom event of no channel.
    pub(crate) async fn publish_realtime(
        &self,
        name: &str,
        data: Value,
    ) -> Result<Committed, ApiError> {
        if !self.grant.handles(name, None, Action::Publish) {
            let message = format!("the credential does not allow `publish` of `{name}`");
            return Err(ApiError::forbidden(message).with("action", "publish"));
        }
        let mut body = Object::new();
        body.insert("event", Value::String(name.to_owned()));
        body.insert("data", data);
        let body = body.to_bytes().into();
        Ok(self.commit(vec![Operation::Publish { body }], None).await?)
    }
}
