//! Secrets at rest: what has to be read again, but must not stand in clear in the log, the views or a backup.
//!
//! Guarantees: a secret is encrypted and authenticated under the operator's key (XChaCha20-Poly1305, a random nonce each
//! time) and bound to what it belongs to, so that it cannot be moved elsewhere. Another key is noticed, never mistaken.
//! A key that is made is kept only once nothing is known to be sealed under another one; it is written and synced, with
//! its directory, before anything is sealed under it. `Debug` shows no key.
//! Leaves to others: which secrets there are, and when a start is refused for them (`webhook`).
//!
//! The key is configured, or the file `operator-key` in the data directory: 64 hex digits. Sealed text is `enc:v1:` and
//! the base64 of nonce, ciphertext and tag.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::clock::SharedClock;
use crate::error::{Error, Result};
use crate::fs::{OpenMode, SharedFileSystem};

/// The key's file in the data directory.
const FILE: &str = "operator-key";
/// Where it is written first.
const PARTIAL: &str = "operator-key.tmp";
/// A longer file holds no key.
const FILE_BYTES_MAX: u64 = 1024;
const PREFIX: &str = "enc:v1:";
const NONCE_BYTES: usize = 24;

/// The operator's key: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OperatorKey([u8; 32]);

impl OperatorKey {
    /// A key from text: 64 hex digits, or the base64 of 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let hex = || {
            let digits = text.as_bytes().as_chunks::<2>().0.iter();
            digits
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect()
        };
        let bytes: Option<Vec<u8>> = match text.len() {
            64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => hex(),
            _ => BASE64.decode(text).ok(),
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self)
    }

    fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey")
    }
}

/// Where the key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Configuration,
    File,
    /// Made just now; not on disk before [`Vault::keep`].
    New,
}

/// Seals and opens secrets.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key: OperatorKey,
    source: Source,
    data: PathBuf,
    fs: SharedFileSystem,
    clock: SharedClock,
}

impl Vault {
    /// The vault of a data directory, which need not exist yet: under the configured key, else under that of the file,
    /// else under a new one. Nothing is written here.
    pub fn open(
        data: &Path,
        configured: Option<OperatorKey>,
        fs: SharedFileSystem,
        clock: SharedClock,
    ) -> Result<Arc<Self>> {
        let (key, source) = match (configured, read(data, &fs)?) {
            (Some(key), _) => (key, Source::Configuration),
            (None, Some(key)) => (key, Source::File),
            (None, None) => {
                let mut key = [0; 32];
                clock.fill_random(&mut key);
                (OperatorKey(key), Source::New)
            }
        };
        let cipher = XChaCha20Poly1305::new(&key.0.into());
        Ok(Arc::new(Self { cipher, key, source, data: data.to_owned(), fs, clock }))
    }

    /// Writes a key that was made by [`Vault::open`] to its file. To be called once it is known that nothing is sealed
    /// under another one, and before anything is sealed.
    pub fn keep(&self) -> Result<()> {
        let path = self.data.join(FILE);
        let failed = |what: &str, path: &Path, error: &std::io::Error| Error::io(what, path, error);
        let exists = || self.fs.exists(&path).map_err(|error| failed("look for", &path, &error));
        if self.source != Source::New || exists()? {
            return Ok(());
        }
        let partial = self.data.join(PARTIAL);
        // What an interrupted start left.
        drop(self.fs.remove(&partial));
        let text = format!("{}\n", self.key.to_hex());
        let write = || {
            let file = self.fs.open(&partial, OpenMode::CreateNew)?;
            file.write_all_at(text.as_bytes(), 0)?;
            file.sync_data()?;
            self.fs.rename(&partial, &path)?;
            self.fs.sync_dir(&self.data)
        };
        write().map_err(|error| failed("write", &path, &error))
    }

    /// A key for another purpose, made from the operator's key; the same as long as that stays the same.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.key.0)
    }

    /// Encrypts a secret of what `owner` names.
    pub fn seal(&self, secret: &str, owner: &str) -> String {
        let mut sealed = vec![0; NONCE_BYTES];
        self.clock.fill_random(&mut sealed);
        let message = Payload { msg: secret.as_bytes(), aad: owner.as_bytes() };
        let ciphertext = self
            .cipher
            .encrypt(&nonce(&sealed), message)
            .expect("a message of less than 256 GiB can be encrypted");
        sealed.extend_from_slice(&ciphertext);
        format!("{PREFIX}{}", BASE64.encode(sealed))
    }

    /// Decrypts what was sealed for the same owner.
    pub fn unseal(&self, sealed: &str, owner: &str) -> Result<String> {
        let damaged = || {
            Error::damaged("secret_damaged", format!("the secret of `{owner}` is no sealed text"))
        };
        let encoded = sealed.strip_prefix(PREFIX).ok_or_else(damaged)?;
        let bytes = BASE64.decode(encoded).map_err(|_| damaged())?;
        let (head, ciphertext) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let message = Payload { msg: ciphertext, aad: owner.as_bytes() };
        let opened = self.cipher.decrypt(&nonce(head), message).map_err(|_| self.locked(owner))?;
        String::from_utf8(opened).map_err(|_| damaged())
    }

    /// Why a secret cannot be opened.
    fn locked(&self, owner: &str) -> Error {
        let file = self.data.join(FILE);
        let file = file.display();
        match self.source {
            Source::New => Error::damaged(
                MISSING,
                format!(
                    "the secret of `{owner}` is encrypted under the operator's key, but {file} is not there and \
                     security.operator_key is not set; put the file back, or set the key"
                ),
            ),
            Source::File => Error::damaged(
                WRONG,
                format!(
                    "the secret of `{owner}` is encrypted under another key than the one in {file}; put back the \
                     file that belongs to this data, or set security.operator_key"
                ),
            ),
            Source::Configuration => Error::damaged(
                WRONG,
                format!(
                    "the secret of `{owner}` is encrypted under another key than security.operator_key; set the key \
                     that belongs to this data, or unset it to use {file}"
                ),
            ),
        }
    }
}

/// The code where there is no key for what is sealed.
const MISSING: &str = "operator_key_missing";
/// The code where the key is another one.
const WRONG: &str = "operator_key_wrong";

/// Whether a secret could not be opened for want of its key.
pub(crate) fn is_locked(error: &Error) -> bool {
    [MISSING, WRONG].contains(&error.code())
}

fn nonce(bytes: &[u8]) -> XNonce {
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&bytes[..NONCE_BYTES]);
    nonce.into()
}

/// The key of the file, if there is one.
fn read(data: &Path, fs: &SharedFileSystem) -> Result<Option<OperatorKey>> {
    let path = data.join(FILE);
    let failed = |error: std::io::Error| Error::io("read", &path, &error);
    if !fs.exists(&path).map_err(failed)? {
        return Ok(None);
    }
    let file = fs.open(&path, OpenMode::Read).map_err(failed)?;
    let len = file.len().map_err(failed)?.min(FILE_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    let key = std::str::from_utf8(&bytes).ok().and_then(OperatorKey::parse);
    key.map(Some).ok_or_else(|| {
        Error::damaged(
            "operator_key_damaged",
            format!(
                "{} holds no key (64 hex digits); put the right file back, or set security.operator_key",
                path.display()
            ),
        )
    })
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::fs::SystemFileSystem;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn open(data: &Path, configured: Option<OperatorKey>, seed: u64) -> Result<Arc<Vault>> {
        Vault::open(data, configured, SystemFileSystem::shared(), ManualClock::new(0, seed))
    }

    #[test]
    fn keys_are_hex_or_base64_of_32_bytes() {
        let key = OperatorKey::parse(KEY).unwrap();
        assert_eq!(key.0[31], 0x1f);
        assert_eq!(OperatorKey::parse(&format!(" {}\n", BASE64.encode(key.0))), Some(key));
        assert_eq!(OperatorKey::parse(&KEY.to_uppercase()), Some(key));
        for wrong in ["", "abc", &KEY[1..], &format!("{KEY}00"), &BASE64.encode([1; 31])] {
            assert_eq!(OperatorKey::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "OperatorKey");
    }

    #[test]
    fn what_is_sealed_is_opened_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let vault = open(dir.path(), OperatorKey::parse(KEY), 1).unwrap();
        let (one, two) = (vault.seal("whsec_a", "w1"), vault.seal("whsec_a", "w1"));
        assert_ne!(one, two);
        assert!(one.starts_with(PREFIX) && !one.contains("whsec"));
        assert_eq!(vault.unseal(&one, "w1").unwrap(), "whsec_a");
        assert_eq!(vault.unseal(&one, "w2").unwrap_err().code(), WRONG);
        for damaged in ["whsec_a", "enc:v1:", "enc:v1:**", "enc:v1:AAAA"] {
            assert_eq!(vault.unseal(damaged, "w1").unwrap_err().code(), "secret_damaged");
        }
        assert!(!format!("{vault:?}").contains("0001"));
    }

    #[test]
    fn a_new_key_is_kept_in_a_file_of_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let vault = open(&data, None, 1).unwrap();
        assert!(!data.exists(), "nothing is written before the key is to be kept");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join(PARTIAL), "half").unwrap();
        vault.keep().unwrap();
        let file = data.join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = vault.seal("whsec_a", "w1");
        let again = open(&data, None, 2).unwrap();
        again.keep().unwrap();
        assert_eq!(again.unseal(&sealed, "w1").unwrap(), "whsec_a");
        std::fs::remove_file(&file).unwrap();
        let lost = open(&data, None, 3).unwrap();
        assert_eq!(lost.unseal(&sealed, "w1").unwrap_err().code(), MISSING);
        std::fs::write(&file, "no key").unwrap();
        assert_eq!(open(&data, None, 4).unwrap_err().code(), "operator_key_damaged");
        std::fs::write(&file, KEY).unwrap();
        let other = open(&data, None, 5).unwrap();
        assert_eq!(other.unseal(&sealed, "w1").unwrap_err().code(), WRONG);
    }
}
