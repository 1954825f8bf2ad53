//! Signing keys of the Standard Webhooks specification: its asymmetric signatures, `v1a`.
//!
//! The specification (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>,
//! "Signature scheme") says: Ed25519 over the same text as `v1`; a secret key is `whsk_` and base64, a public key `whpk_`
//! and base64. What the base64 holds it leaves open. Here it is the usual 64 bytes of a secret key, the seed (RFC 8032)
//! followed by the public key, and the 32 bytes of a public key.
//! Guarantees: a signature is deterministic; what is read has a public key that belongs to its seed; `Debug` shows no key;
//! it is stored sealed (`vault`), bound to its webhook and to this purpose.
//! Leaves to others: which keys are in force.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::vault::Vault;

const SECRET_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";
const SEED_BYTES: usize = 32;

/// An Ed25519 key of a webhook.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    seed: [u8; SEED_BYTES],
    /// As it is stored, if it is: storing it again unchanged makes the same document.
    sealed: Option<String>,
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
    }
}

impl Eq for SigningKey {}

impl SigningKey {
    /// A new key.
    pub(crate) fn generate(clock: &dyn Clock) -> Result<Self> {
        let mut seed = [0; SEED_BYTES];
        clock.fill_random(&mut seed);
        Self::of_seed(seed)
    }

    fn of_seed(seed: [u8; SEED_BYTES]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| Error::internal(format!("make a signing key: {error}")))?;
        Ok(Self { pair: Arc::new(pair), seed, sealed: None })
    }

    /// A key as it is stored for a webhook.
    pub(crate) fn unseal(sealed: &str, vault: &Vault, webhook: &str) -> Result<Self> {
        let text = vault.unseal(sealed, &purpose(webhook))?;
        let damaged = || {
            let message = format!("the signing key of webhook {webhook} is no key");
            Error::damaged("signing_key_damaged", message)
        };
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or_else(damaged)?;
        let bytes = BASE64.decode(encoded).map_err(|_| damaged())?;
        let (seed, public) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let key = Self::of_seed(*seed)?;
        if key.public_bytes() != public {
            return Err(damaged());
        }
        Ok(Self { sealed: Some(sealed.to_owned()), ..key })
    }

    /// How it is stored for a webhook.
    pub(crate) fn seal(&self, vault: &Vault, webhook: &str) -> String {
        let made = || vault.seal(&self.secret_text(), &purpose(webhook));
        self.sealed.clone().unwrap_or_else(made)
    }

    fn secret_text(&self) -> String {
        let bytes = [&self.seed[..], self.public_bytes()].concat();
        format!("{SECRET_PREFIX}{}", BASE64.encode(bytes))
    }

    fn public_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key: `whpk_` and base64.
    pub fn public_key(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", BASE64.encode(self.public_bytes()))
    }

    /// The signature of a text.
    pub(super) fn sign(&self, text: &[u8]) -> impl AsRef<[u8]> {
        self.pair.sign(text)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// What a key is sealed for: it cannot be put where another secret of the webhook is.
fn purpose(webhook: &str) -> String {
    format!("{webhook}/signing_key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::fs::SystemFileSystem;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().as_chunks::<2>().0.iter();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn r16_vectors_of_rfc_8032() {
        // Section 7.1, tests 1 and 3: seed, public key, message, signature.
        let vectors = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, public, message, signature) in vectors {
            let key = SigningKey::of_seed(bytes(seed).try_into().unwrap()).unwrap();
            assert_eq!(key.public_bytes(), bytes(public));
            assert_eq!(key.sign(&bytes(message)).as_ref(), bytes(signature));
            let whole = [bytes(seed), bytes(public)].concat();
            assert_eq!(key.secret_text(), format!("whsk_{}", BASE64.encode(whole)));
            assert_eq!(key.public_key(), format!("whpk_{}", BASE64.encode(bytes(public))));
        }
    }

    #[test]
    fn a_key_is_read_as_it_was_sealed_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (fs, clock) = (SystemFileSystem::shared(), SystemClock::shared());
        let vault = Vault::open(dir.path(), None, fs, clock).unwrap();
        let key = SigningKey::generate(&*ManualClock::new(0, 7)).unwrap();
        let sealed = key.seal(&vault, "a");
        let read = SigningKey::unseal(&sealed, &vault, "a").unwrap();
        assert_eq!(read, key);
        assert_eq!(read.seal(&vault, "a"), sealed);
        assert!(SigningKey::unseal(&sealed, &vault, "b").is_err());
        assert!(SigningKey::unseal(&vault.seal(&key.secret_text(), "a"), &vault, "a").is_err());
        let mut wrong = key.secret_text();
        wrong.replace_range(60..61, if wrong.as_bytes()[60] == b'A' { "B" } else { "A" });
        assert!(SigningKey::unseal(&vault.seal(&wrong, &purpose("a")), &vault, "a").is_err());
        assert_eq!(format!("{key:?}"), "SigningKey");
    }
}
