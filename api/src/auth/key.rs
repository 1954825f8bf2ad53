//! API keys: `hw_`, 30 base62 characters (178 random bits), 6 base62 characters of CRC-32.
//!
//! Guarantees: only the SHA-256 of a key is ever kept; comparing two hashes takes the same time whatever they hold.
//! Leaves to others: which key may do what (the registry).

use headwater_engine::clock::SharedClock;
use sha2::{Digest, Sha256};

/// How every key begins.
pub(crate) const PREFIX: &str = "hw_";
const RANDOM_CHARACTERS: usize = 30;
const CHECKSUM_CHARACTERS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The SHA-256 of a key.
pub(crate) type KeyHash = [u8; 32];

/// A new key.
pub(crate) fn generate(clock: &SharedClock) -> String {
    let mut key = String::with_capacity(PREFIX.len() + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS);
    key.push_str(PREFIX);
    key.push_str(&random(clock));
    let checksum = checksum(key.as_bytes());
    key.push_str(&checksum);
    key
}

/// The random part of a secret: 30 base62 characters.
pub(crate) fn random(clock: &SharedClock) -> String {
    let mut text = String::with_capacity(RANDOM_CHARACTERS);
    while text.len() < RANDOM_CHARACTERS {
        let mut bytes = [0; 32];
        clock.fill_random(&mut bytes);
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first digits.
        let even = bytes.iter().filter(|byte| **byte < 248);
        let missing = RANDOM_CHARACTERS - text.len();
        text.extend(even.take(missing).map(|byte| char::from(BASE62[usize::from(byte % 62)])));
    }
    text
}

/// The hash that stands for a key.
pub(crate) fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether two hashes are equal, in constant time.
pub(crate) fn same(left: &KeyHash, right: &KeyHash) -> bool {
    left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn checksum(bytes: &[u8]) -> String {
    let mut number = crc32(bytes);
    let mut digits = [b'0'; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 of IEEE 802.3, bit by bit: keys are short and seldom made.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::clock::ManualClock;

    #[test]
    fn crc_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn keys_have_their_form_and_differ() {
        let clock: SharedClock = ManualClock::new(0, 1);
        let (first, second) = (generate(&clock), generate(&clock));
        assert_ne!(first, second);
        assert_eq!(first.len(), 39);
        assert!(first.starts_with(PREFIX));
        let (body, sum) = first.split_at(33);
        assert_eq!(checksum(body.as_bytes()), sum);
    }

    #[test]
    fn hashes_compare() {
        assert!(same(&hash("a"), &hash("a")));
        assert!(!same(&hash("a"), &hash("b")));
    }
}
