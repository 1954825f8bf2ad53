//! Named documents of the system: roles, providers of tokens, named values. Full access alone.
//!
//! Guarantees: what is stored was checked, part by part; a secret is sealed before it is stored, and never shown.
//! Leaves to others: what they are good for (the access layer).

use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::value::{Object, Raw, Value, key};
use headwater_engine::view::Window;
use headwater_engine::write::{Absent, Committed, DocumentId, Operation};
use headwater_engine::{Error, Result};

use super::{RequestKey, Session, cursor};
use crate::auth::{Access, ROLES, Role, SETTINGS, VALUE_PREFIX, checked_provider};
use crate::error::ApiError;
use crate::extract::Condition;

const NAME_BYTES_MAX: usize = 120;

/// Documents of one sort, found by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Roles.
    Roles,
    /// Providers of tokens.
    Providers,
    /// Named values.
    Values,
}

/// A page of named documents.
pub(crate) struct NamedPage {
    /// What callers see, encoded.
    pub(crate) entries: Vec<Vec<u8>>,
    /// The next cursor.
    pub(crate) next: Option<String>,
    /// The position that was seen.
    pub(crate) position: u64,
}

impl Family {
    fn collection(self) -> &'static str {
        match self {
            Self::Roles => ROLES,
            Self::Providers => "_providers",
            Self::Values => SETTINGS,
        }
    }

    /// How the ids of its documents begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Roles | Self::Providers => "",
            Self::Values => VALUE_PREFIX,
        }
    }

    fn absent(self, name: &str) -> ApiError {
        let (code, what) = match self {
            Self::Roles => ("role_not_found", "role"),
            Self::Providers => ("provider_not_found", "provider"),
            Self::Values => ("value_not_found", "value"),
        };
        ApiError::not_found(code, format!("there is no {what} `{name}`")).with("name", name)
    }

    /// The id of a document by its name; refuses what cannot be a name.
    fn id(self, name: &str) -> Result<DocumentId, ApiError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
            let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
            let message = format!("`{shown}` is not a name: 1 to 120 of A-Z a-z 0-9 _ - .");
            return Err(ApiError::bad_request("invalid_name", message).with("name", shown));
        }
        let raw = Value::String([self.prefix(), name].concat()).to_bytes();
        let key = key::encode(Raw::trusted(&raw));
        Ok(DocumentId { raw: raw.into(), key: key.into() })
    }

    /// The members to store, checked.
    fn checked(
        self,
        access: &Access,
        name: &str,
        given: Raw<'_>,
        limits: &Limits,
    ) -> Result<Object, ApiError> {
        if given.get("_id").is_some_and(|id| id.as_str() != Some(name)) {
            let message = "the _id in the document is not the name in the path";
            return Err(ApiError::bad_request("id_mismatch", message));
        }
        match self {
            Self::Roles => {
                Role::parse(name, given, limits)?;
                members(given)
            }
            Self::Providers => Ok(checked_provider(name, given, access.vault())?),
            Self::Values => {
                let mut members = given.object_iter().map(|(name, _)| name);
                if let Some(name) = members.find(|name| !matches!(*name, "value" | "_id")) {
                    let message = format!("a named value has no member `{name}`");
                    let error = ApiError::bad_request("unknown_member", message);
                    return Err(error.with("member", name));
                }
                let value = given.get("value").ok_or_else(|| {
                    let message = "a named value needs the member `value`";
                    ApiError::bad_request("missing_member", message).with("member", "value")
                })?;
                Ok([("value".to_owned(), value.to_value())].into_iter().collect())
            }
        }
    }

    /// A document as callers see it, encoded: `name` first, and no secret.
    fn shown(self, body: Raw<'_>) -> Vec<u8> {
        let id = body.get("_id").and_then(Raw::as_str).unwrap_or_default();
        let name = id.strip_prefix(self.prefix()).unwrap_or(id);
        let mut shown = Object::new();
        shown.insert("name", Value::String(name.to_owned()));
        let hidden = |member: &str| {
            matches!(member, "_id" | "name") || (self == Self::Providers && member == "secret")
        };
        for (member, value) in body.object_iter().filter(|(member, _)| !hidden(member)) {
            shown.insert(member, value.to_value());
        }
        shown.to_bytes()
    }
}

fn members(given: Raw<'_>) -> Result<Object, ApiError> {
    match given.to_value() {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::bad_request("invalid_document", "the document must be an object")),
    }
}

impl Session {
    /// Stores a named document; what callers see of it comes with what was committed.
    pub(crate) async fn put_named(
        &self,
        access: &Access,
        (family, name): (Family, &str),
        given: &[u8],
        condition: Condition,
        request: Option<RequestKey>,
    ) -> Result<(Vec<u8>, Committed), ApiError> {
        self.full_access()?;
        let id = family.id(name)?;
        let checked = family.checked(access, name, Raw::trusted(given), self.engine.limits())?;
        let mut document = Object::new();
        document.insert("_id", Value::String([family.prefix(), name].concat()));
        for (member, value) in checked.iter().filter(|(member, _)| member != "_id") {
            document.insert(member.as_str(), value.clone());
        }
        let absent = match condition {
            Condition::None => Absent::Create,
            Condition::Exists | Condition::Version(_) => Absent::Refuse,
        };
        let operation = Operation::Replace {
            collection: Arc::from(family.collection()),
            id,
            body: document.to_bytes().into(),
            if_version: condition.version(),
            absent,
        };
        let committed = self.commit(vec![operation], request).await?;
        let body = committed.outcomes.first().and_then(|outcome| outcome.body.as_ref());
        let body = body.ok_or_else(|| Error::internal("a named document has no body"))?;
        let shown = family.shown(Raw::trusted(body));
        Ok((shown, committed))
    }

    /// A named document as callers see it, its version, and the position that was seen.
    pub(crate) fn named(
        &self,
        family: Family,
        name: &str,
    ) -> Result<(Vec<u8>, u64, u64), ApiError> {
        self.full_access()?;
        let id = family.id(name)?;
        let snapshot = self.engine.snapshot();
        let number = snapshot.collections().number(family.collection());
        let row = match number {
            Some(number) => snapshot.get(number, &id.key)?,
            None => None,
        };
        let row = row.ok_or_else(|| family.absent(name))?;
        Ok((family.shown(row.body()), row.version(), snapshot.position()))
    }

    /// Removes a named document.
    pub(crate) async fn remove_named(
        &self,
        (family, name): (Family, &str),
        condition: Condition,
        request: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.full_access()?;
        let operation = Operation::Delete {
            collection: Arc::from(family.collection()),
            id: family.id(name)?,
            if_version: condition.version(),
            only_if: None,
        };
        Ok(self.commit(vec![operation], request).await?)
    }

    /// A page of named documents, in the order of their names.
    pub(crate) fn named_page(
        &self,
        family: Family,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamedPage, ApiError> {
        self.full_access()?;
        let after = match after {
            Some(cursor) => {
                let name = cursor::name_of(cursor)?;
                Some(family.id(&name).map_err(|_| cursor::invalid())?.key)
            }
            None => None,
        };
        let snapshot = self.engine.snapshot();
        let position = snapshot.position();
        let Some(number) = snapshot.collections().number(family.collection()) else {
            return Ok(NamedPage { entries: Vec::new(), next: None, position });
        };
        let mut entries = Vec::new();
        let mut last = None;
        // Settings that are no named values are passed over.
        let mut from = after;
        loop {
            let window = Window { after: from.as_deref(), skip: 0, limit: limit + 1 };
            let page = snapshot.page(number, window)?;
            for row in &page.rows {
                let id = row.body().get("_id").and_then(Raw::as_str).unwrap_or_default();
                let Some(name) = id.strip_prefix(family.prefix()) else { continue };
                if entries.len() == limit {
                    return Ok(NamedPage { entries, next: last, position });
                }
                entries.push(family.shown(row.body()));
                last = Some(cursor::of_name(name));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(NamedPage { entries, next: None, position }),
            }
        }
    }
}
