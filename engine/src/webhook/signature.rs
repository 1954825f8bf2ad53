//! Secrets and signatures of the Standard Webhooks specification, version 1.
//!
//! Guarantees: a secret is `whsec_` and the padded base64 of 24 to 64 bytes; a signature covers id, timestamp and body;
//! several secrets and keys give several signatures with exactly one space between them, those of secrets first. A
//! secret's `Debug` does not show it. It is stored sealed (`vault`), bound to its webhook.
//! Leaves to others: which secrets and keys are in force; the keys themselves (`signing_key`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::signing_key::SigningKey;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::vault::Vault;

const PREFIX: &str = "whsec_";
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;
const GENERATED_BYTES: usize = 32;

/// A webhook's secret.
#[derive(Clone)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
    /// As it is stored, if it is: storing it again unchanged makes the same document.
    sealed: Option<String>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl Secret {
    /// A secret as a user gives it.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(
                "invalid_secret",
                format!(
                    "`secret` must be {PREFIX} and the base64 of {BYTES_MIN} to {BYTES_MAX} bytes"
                ),
            )
            .with("field", "secret")
        };
        let encoded = text.strip_prefix(PREFIX).ok_or_else(invalid)?;
        let key = BASE64.decode(encoded).map_err(|_| invalid())?;
        if !(BYTES_MIN..=BYTES_MAX).contains(&key.len()) {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), key, sealed: None })
    }

    /// A new secret of 32 random bytes.
    pub fn generate(clock: &dyn Clock) -> Self {
        let mut key = vec![0; GENERATED_BYTES];
        clock.fill_random(&mut key);
        Self { text: format!("{PREFIX}{}", BASE64.encode(&key)), key, sealed: None }
    }

    /// A secret as it is stored for a webhook.
    pub(crate) fn unseal(sealed: &str, vault: &Vault, webhook: &str) -> Result<Self> {
        let secret = Self::parse(&vault.unseal(sealed, webhook)?)?;
        Ok(Self { sealed: Some(sealed.to_owned()), ..secret })
    }

    /// How it is stored for a webhook.
    pub(crate) fn seal(&self, vault: &Vault, webhook: &str) -> String {
        self.sealed.clone().unwrap_or_else(|| vault.seal(&self.text, webhook))
    }

    /// The secret itself; shown once, at registration and rotation.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    fn sign(&self, text: &[u8]) -> impl AsRef<[u8]> + use<> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        mac.update(text);
        mac.finalize().into_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Which signatures deliveries have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// `v1`: HMAC-SHA256 under the secret.
    pub symmetric: bool,
    /// `v1a`: Ed25519 under the signing key.
    pub asymmetric: bool,
}

impl Default for Versions {
    fn default() -> Self {
        Self { symmetric: true, asymmetric: false }
    }
}

impl Versions {
    /// `v1`'s name.
    pub const SYMMETRIC: &str = "v1";
    /// `v1a`'s name.
    pub const ASYMMETRIC: &str = "v1a";

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.symmetric, Self::SYMMETRIC), (self.asymmetric, Self::ASYMMETRIC)];
        all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name)
    }
}

/// The value of `webhook-signature` for one attempt, `timestamp` being its whole seconds.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    keys: impl IntoIterator<Item = &'a SigningKey>,
    id: &str,
    timestamp: &str,
    body: &[u8],
) -> String {
    let text = [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.');
    let mut out = String::with_capacity(64);
    for secret in secrets {
        put(&mut out, Versions::SYMMETRIC, secret.sign(&text).as_ref());
    }
    for key in keys {
        put(&mut out, Versions::ASYMMETRIC, key.sign(&text).as_ref());
    }
    out
}

fn put(out: &mut String, version: &str, signature: &[u8]) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(version);
    out.push(',');
    BASE64.encode_string(signature, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn r16_the_fixed_vector() {
        let secret = Secret::parse(SECRET).unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(sign([&secret], [], ID, "1614265330", body), SIGNATURE);
    }

    #[test]
    fn r16_two_secrets_are_joined_by_one_space() {
        let secret = Secret::parse(SECRET).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let both = sign([&secret, &secret], [], ID, "1614265330", body);
        assert_eq!(both, format!("{SIGNATURE} {SIGNATURE}"));
    }

    #[test]
    fn r16_signatures_of_keys_come_after_those_of_secrets() {
        let secret = Secret::parse(SECRET).unwrap();
        let key = SigningKey::generate(&*ManualClock::new(0, 7)).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let text = [format!("{ID}.1614265330.").as_bytes(), body].concat();
        let own = format!("v1a,{}", BASE64.encode(key.sign(&text)));
        let signed = |secrets: &[&Secret], keys: &[&SigningKey]| {
            sign(secrets.iter().copied(), keys.iter().copied(), ID, "1614265330", body)
        };
        assert_eq!(signed(&[&secret], &[&key]), format!("{SIGNATURE} {own}"));
        assert_eq!(signed(&[], &[&key, &key]), format!("{own} {own}"));
    }

    #[test]
    fn secrets_are_checked_and_generated() {
        let short = format!("whsec_{}", BASE64.encode([1; 23]));
        let long = format!("whsec_{}", BASE64.encode([1; 65]));
        for wrong in ["", "whsec_", "abc", "whsec_***", &short, &long, &SECRET[6..]] {
            assert!(Secret::parse(wrong).is_err(), "{wrong}");
        }
        let generated = Secret::generate(&*ManualClock::new(0, 7));
        assert_eq!(Secret::parse(generated.reveal()).unwrap(), generated);
        assert_eq!(format!("{generated:?}"), "Secret");
    }
}
