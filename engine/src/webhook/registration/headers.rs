//! Headers of a webhook's own.
//!
//! Guarantees: names are lower case, none twice, none that the delivery or the connection sets. They are stored sealed
//! (`vault`), bound to their webhook, for many of them are credentials; those that are by their name are shown as
//! [`MASK`], which a change may give back to keep what is stored. `Debug` shows no value.
//! Leaves to others: when they are sent.

use std::fmt;

use super::member::invalid;
use crate::error::{Error, Result};
use crate::value::{Object, Raw, Value};
use crate::vault::Vault;

/// Most headers.
const HEADERS_MAX: usize = 32;
/// Longest value, bytes.
const HEADER_BYTES_MAX: usize = 4096;
/// What is shown in place of a value that is a credential.
pub const MASK: &str = "***";

/// Parts of names that tell of credentials.
const MASKED_PARTS: [&str; 10] =
    ["token", "secret", "key", "pass", "signature", "auth", "cred", "jwt", "session", "cookie"];

/// Headers that the delivery itself or the connection sets.
const RESERVED: [&str; 9] = [
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "te",
    "upgrade",
    "trailer",
    "expect",
];

/// Headers with their values.
#[derive(Clone, Default)]
pub struct Headers {
    list: Vec<(String, String)>,
    /// As they are stored, if they are: storing them again unchanged makes the same document.
    sealed: Option<String>,
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|(name, _)| name)).finish()
    }
}

impl Headers {
    /// Headers as a user gives them, in place of those `before`.
    pub(super) fn parse(value: Raw<'_>, before: &Self) -> Result<Self> {
        let mut list = Self::plain(value)?.list;
        for (name, text) in &mut list {
            if text == MASK && is_masked(name) {
                before.kept(name)?.clone_into(text);
            }
        }
        let same = list == before.list;
        Ok(Self { list, sealed: before.sealed.clone().filter(|_| same) })
    }

    /// Headers as they stand there, as documents of earlier builds have them.
    pub(super) fn plain(value: Raw<'_>) -> Result<Self> {
        let members =
            value.as_object().ok_or_else(|| invalid("headers", "`headers` must be an object"))?;
        let mut list: Vec<(String, String)> = Vec::new();
        for (name, text) in members {
            let text = text.as_str().unwrap_or("\n");
            check(name, text)?;
            let name = name.to_ascii_lowercase();
            if list.iter().any(|(other, _)| *other == name) {
                return Err(invalid("headers", format!("`headers`: `{name}` is there twice")));
            }
            list.push((name, text.to_owned()));
        }
        if list.len() > HEADERS_MAX {
            let message = format!("`headers` has more than {HEADERS_MAX} members");
            return Err(invalid("headers", message));
        }
        Ok(Self { list, sealed: None })
    }

    /// The stored value that [`MASK`] stands for.
    fn kept(&self, name: &str) -> Result<&str> {
        let stored = self.iter().find(|(other, _)| *other == name);
        stored.map(|(_, text)| text).ok_or_else(|| {
            let message = format!(
                "`headers`: `{MASK}` keeps a value that is stored, and there is none for `{name}`"
            );
            invalid("headers", message)
        })
    }

    /// Headers as they are stored for a webhook.
    pub(super) fn unseal(sealed: &str, vault: &Vault, webhook: &str) -> Result<Self> {
        let text = vault.unseal(sealed, &purpose(webhook))?;
        let list = serde_json::from_str(&text).map_err(|_| {
            Error::damaged("headers_damaged", format!("webhook {webhook} has damaged headers"))
        })?;
        Ok(Self { list, sealed: Some(sealed.to_owned()) })
    }

    /// How they are stored for a webhook; `None`: there are none.
    pub(super) fn seal(&self, vault: &Vault, webhook: &str) -> Option<String> {
        let made = || {
            let pairs = self.list.iter().map(|(name, text)| serde_json::json!([name, text]));
            let text = serde_json::Value::Array(pairs.collect()).to_string();
            vault.seal(&text, &purpose(webhook))
        };
        (!self.list.is_empty()).then(|| self.sealed.clone().unwrap_or_else(made))
    }

    /// As their owner may see them: credentials masked.
    pub(super) fn shown(&self) -> Object {
        let shown = self.iter().map(|(name, text)| {
            let text = if is_masked(name) { MASK } else { text };
            (name.to_owned(), Value::from(text))
        });
        shown.collect()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(name, text)| (&**name, &**text))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Whether a header, its name in lower case, is a credential.
fn is_masked(name: &str) -> bool {
    MASKED_PARTS.iter().any(|part| name.contains(part))
}

fn check(name: &str, text: &str) -> Result<()> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
        return Err(invalid("headers", format!("`headers`: `{name}` is not a header's name")));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("webhook-") || RESERVED.contains(&&*lower) {
        return Err(invalid(
            "headers",
            format!("`headers`: `{name}` is set by the delivery itself"),
        ));
    }
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\t';
    if text.len() > HEADER_BYTES_MAX || !text.bytes().all(plain) || text.trim() != text {
        return Err(invalid("headers", format!("`headers`: the value of `{name}` is not valid")));
    }
    Ok(())
}

/// What they are sealed for: they cannot be put where another secret of the webhook is.
fn purpose(webhook: &str) -> String {
    format!("{webhook}/headers")
}
