//! Tokens of other issuers: providers (documents of `_providers`), their keys, and what a token must satisfy (promise S3).

use std::sync::Arc;

use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::vault::Vault;
use headwater_engine::view::SystemFollower;
use headwater_engine::{Engine, Error, Result as EngineResult};

use super::identity::Identity;
use super::options::AccessOptions;
use crate::error::ApiError;

/// All providers.
pub(crate) struct External {}

impl External {
    /// No provider yet.
    pub(crate) fn new(_vault: Arc<Vault>) -> Arc<Self> {
        Arc::new(Self {})
    }

    /// Hears of providers.
    pub(crate) fn follower(self: &Arc<Self>) -> Option<Arc<dyn SystemFollower>> {
        None
    }

    /// Who a token of another issuer stands for; `None` where no provider knows it. May fetch keys, and make or change the
    /// user.
    pub(crate) async fn identify(
        &self,
        _engine: &Engine,
        _token: &str,
        _options: &AccessOptions,
    ) -> Result<Option<Identity>, ApiError> {
        Ok(None)
    }
}

/// A provider's document as it is stored: checked, and with its secret sealed.
pub(crate) fn checked(name: &str, given: Raw<'_>, vault: &Vault) -> EngineResult<Object> {
    let Value::Object(mut object) = given.to_value() else {
        return Err(Error::invalid("invalid_provider", "a provider must be an object"));
    };
    if let Some(secret) = object.get("secret").and_then(Value::as_str) {
        let sealed = vault.seal(secret, &format!("provider {name}"));
        object.insert("secret", Value::String(sealed));
    }
    Ok(object)
}
