//! The documents of `_users`.
//!
//! Layout: `{"_id": ObjectId, "email", "email_key", "password": PHC text, "data": {}, "profile": {}, "roles": [],
//! "identities": [{"provider", "subject", "key"}], "anonymous": true, "disabled": true, "email_verified": true, "era":
//! ObjectId}`. What is not there is empty or false; `email_key` is the address in small letters, by which it is unique, and `key` says who an identity is, by which
//! that is. `data` is what rules see (`%%user.data`): the user itself cannot write it; `profile` is the user's own, and no
//! rule sees it. `era` is another one after each new password, each loss of one and each disabling: sessions carry the era
//! that they began in, and those of another one are over, whatever is left of their documents.

use std::sync::Arc;

use headwater_engine::value::{Object, Raw, Value, object_id};
use headwater_engine::{Error, Result};
use sha2::{Digest, Sha256};

use super::StoredUser;
use crate::auth::grant::UserFacts;
use crate::auth::options::AccessOptions;

/// Most bytes of an address.
const EMAIL_BYTES_MAX: usize = 320;

/// A user as stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct User {
    /// Its id.
    pub(crate) id: [u8; 12],
    /// Its address, as given.
    pub(crate) email: Option<String>,
    /// The hash of its password.
    pub(crate) password: Option<String>,
    /// What rules see.
    pub(crate) data: Object,
    /// What is its own.
    pub(crate) profile: Object,
    /// Its roles.
    pub(crate) roles: Vec<String>,
    /// Who it is elsewhere.
    pub(crate) identities: Vec<ElseWhere>,
    /// Whether it has no name.
    pub(crate) anonymous: bool,
    /// Whether it may not come in.
    pub(crate) disabled: bool,
    /// Whether somebody vouches that the address is its own.
    pub(crate) email_verified: bool,
    /// In which its sessions must have begun.
    pub(crate) era: Option<[u8; 12]>,
}

/// Who a user is with a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ElseWhere {
    /// The provider's name.
    pub(crate) provider: String,
    /// The user's name there.
    pub(crate) subject: String,
    /// What makes it one of its kind.
    pub(crate) key: String,
}

impl User {
    /// Reads a document.
    pub(crate) fn read(body: Raw<'_>) -> Result<Self> {
        let text =
            |from: Raw<'_>, name: &str| from.get(name).and_then(Raw::as_str).map(str::to_owned);
        let object = |name: &str| match body.get(name).map(Raw::to_value) {
            Some(Value::Object(object)) => object,
            _ => Object::new(),
        };
        let list = |name: &str| body.get(name).into_iter().flat_map(Raw::array_iter);
        let identity = |raw: Raw<'_>| {
            Some(ElseWhere {
                provider: text(raw, "provider")?,
                subject: text(raw, "subject")?,
                key: text(raw, "key")?,
            })
        };
        let flag = |name: &str| body.get(name).and_then(Raw::as_bool).unwrap_or(false);
        Ok(Self {
            id: body.get("_id").and_then(Raw::as_object_id).ok_or_else(|| broken("_id"))?,
            email: text(body, "email"),
            password: text(body, "password"),
            data: object("data"),
            profile: object("profile"),
            roles: list("roles").filter_map(|role| role.as_str().map(str::to_owned)).collect(),
            identities: list("identities").filter_map(identity).collect(),
            anonymous: flag("anonymous"),
            disabled: flag("disabled"),
            email_verified: flag("email_verified"),
            era: body.get("era").and_then(Raw::as_object_id),
        })
    }

    /// The document, encoded.
    pub(crate) fn document(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.insert("_id", Value::ObjectId(self.id));
        let texts = [
            ("email", self.email.clone()),
            ("email_key", self.email.as_deref().map(email_key)),
            ("password", self.password.clone()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                object.insert(name, text);
            }
        }
        object.insert("data", self.data.clone());
        if !self.profile.is_empty() {
            object.insert("profile", self.profile.clone());
        }
        object.insert("roles", roles(&self.roles));
        // An empty list would be one more value of the unique index.
        if !self.identities.is_empty() {
            let identities = self.identities.iter().map(ElseWhere::value).collect::<Vec<_>>();
            object.insert("identities", identities);
        }
        if let Some(era) = self.era {
            object.insert("era", Value::ObjectId(era));
        }
        let flags = [
            ("anonymous", self.anonymous),
            ("disabled", self.disabled),
            ("email_verified", self.email_verified),
        ];
        for (name, flag) in flags {
            if flag {
                object.insert(name, true);
            }
        }
        object.to_bytes()
    }

    /// Its id as shown.
    pub(crate) fn shown_id(&self) -> String {
        object_id::format(&self.id)
    }

    /// As rules see it.
    pub(crate) fn facts(&self) -> UserFacts {
        UserFacts {
            id: Value::ObjectId(self.id).to_bytes(),
            email: self.email.clone(),
            data: self.data.clone(),
        }
    }

    /// Its roles, or those of everybody without.
    pub(crate) fn roles_or_default(&self, options: &AccessOptions) -> Vec<String> {
        match (self.roles.is_empty(), self.anonymous) {
            (false, _) => self.roles.clone(),
            (true, true) => options.anonymous_roles.clone(),
            (true, false) => options.default_roles.clone(),
        }
    }

    /// A digest of what a token to replace the password rests on: with another password, another address, or once the
    /// user is disabled or no longer so, it is another one.
    pub(crate) fn mark(&self) -> String {
        let mut digest = Sha256::new();
        let email = self.email.as_deref().map(email_key);
        for text in [self.password.as_deref(), email.as_deref()] {
            let text = text.unwrap_or_default();
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        digest.update([u8::from(self.disabled)]);
        hex(&digest.finalize()[..12])
    }

    pub(super) fn stored(&self, options: &AccessOptions) -> StoredUser {
        StoredUser {
            id: Arc::from(self.shown_id()),
            facts: self.facts(),
            roles: self.roles_or_default(options),
            disabled: self.disabled,
        }
    }
}

impl ElseWhere {
    /// Who `subject` is by a provider; by its issuer where the provider has one, so that it may be named anew.
    pub(crate) fn new(provider: &str, issuer: Option<&str>, subject: &str) -> Self {
        let by = match issuer {
            Some(issuer) => format!("issuer\n{issuer}\n{subject}"),
            None => format!("provider\n{provider}\n{subject}"),
        };
        Self {
            provider: provider.to_owned(),
            subject: subject.to_owned(),
            key: hex(&Sha256::digest(by.as_bytes())),
        }
    }

    /// As it is stored.
    pub(crate) fn value(&self) -> Value {
        let mut object = Object::new();
        object.insert("provider", &*self.provider);
        object.insert("subject", &*self.subject);
        object.insert("key", &*self.key);
        Value::Object(object)
    }
}

/// A list of roles.
pub(crate) fn roles(names: &[String]) -> Value {
    Value::Array(names.iter().map(|name| Value::String(name.clone())).collect())
}

/// By what an address is unique.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// An address as it is kept; `None` where it is none: it has one `@` with something before and after, and no blanks.
pub(crate) fn checked_email(email: &str) -> Option<String> {
    let email = email.trim();
    let (name, host) = email.split_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let sound = !name.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        && email.len() <= EMAIL_BYTES_MAX
        && email.chars().all(plain);
    sound.then(|| email.to_owned())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn broken(member: &str) -> Error {
    Error::damaged("user_undecodable", format!("a user lacks a sound `{member}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_back() {
        let mut data = Object::new();
        data.insert("team", "a");
        let user = User {
            id: [7; 12],
            email: Some("Ann@Example.org".to_owned()),
            password: Some("$argon2id$x".to_owned()),
            data,
            roles: vec!["editor".to_owned()],
            identities: vec![ElseWhere::new("p", None, "s")],
            disabled: true,
            email_verified: true,
            era: Some([9; 12]),
            ..User::default()
        };
        let document = user.document();
        let raw = Raw::trusted(&document);
        assert_eq!(User::read(raw).unwrap(), user);
        assert_eq!(raw.get("email_key").and_then(Raw::as_str), Some("ann@example.org"));
        let bare = User { id: [1; 12], anonymous: true, ..User::default() };
        let document = bare.document();
        let raw = Raw::trusted(&document);
        assert!(raw.get("email_key").is_none() && raw.get("identities").is_none());
        assert_eq!(User::read(raw).unwrap(), bare);
    }

    #[test]
    fn addresses_are_checked_lightly() {
        for right in ["a@b", " Ann.B+c@example.org ", "ä@ö.de"] {
            assert_eq!(checked_email(right).as_deref(), Some(right.trim()));
        }
        let long = format!("{}@b", "a".repeat(319));
        for wrong in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\nc", "a\0@b", &long] {
            assert_eq!(checked_email(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn another_password_or_address_is_another_mark() {
        let text = |text: &str| Some(text.to_owned());
        let user = User { password: text("a"), email: text("A@b"), ..User::default() };
        let same = User { email: text("a@B"), profile: Object::new(), ..user.clone() };
        assert_eq!(user.mark(), same.mark());
        let others = [
            User { password: text("b"), ..user.clone() },
            User { password: None, ..user.clone() },
            User { email: text("c@b"), ..user.clone() },
            User { email: None, ..user.clone() },
            User { disabled: true, ..user.clone() },
        ];
        for other in others {
            assert_ne!(user.mark(), other.mark(), "{other:?}");
        }
    }

    #[test]
    fn providers_do_not_share_names_unless_they_share_the_issuer() {
        let key = |provider, issuer, subject| ElseWhere::new(provider, issuer, subject).key;
        assert_ne!(key("a", None, "s"), key("b", None, "s"));
        assert_ne!(key("a", None, "s"), key("x", Some("a"), "s"));
        assert_eq!(key("a", Some("i"), "s"), key("b", Some("i"), "s"));
    }
}
