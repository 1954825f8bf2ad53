//! API keys: `hw_`, 30 base62 characters (178 random bits), 6 base62 characters of CRC-32. Names and passwords, too.
//!
//! Guarantees: only the SHA-256 of a key or a password is ever kept; comparing two hashes takes the same time whatever they hold.
//! Leaves to others: which key may do what (the registry).

use headwater_engine::clock::SharedClock;
use sha2::{Digest, Sha256};

/// How every key begins.
pub(crate) const PREFIX: &str = "hw_";
const RANDOM_CHARACTERS: usize = 30;
const CHECKSUM_CHARACTERS: usize = 6;
const USERNAME_CHARACTERS: usize = 9;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The SHA-256 of a key.
pub(crate) type KeyHash = [u8; 32];

/// A new key.
pub(crate) fn generate(clock: &SharedClock) -> String {
    let mut key = PREFIX.to_owned();
    push_random(clock, RANDOM_CHARACTERS, &mut key);
    let checksum = checksum(key.as_bytes());
    key.push_str(&checksum);
    key
}

/// A new name to go with a password.
pub(crate) fn username(clock: &SharedClock) -> String {
    let mut name = String::with_capacity(USERNAME_CHARACTERS);
    push_random(clock, USERNAME_CHARACTERS, &mut name);
    name
}

/// A new password: a random UUID (version 4), which has 122 random bits.
pub(crate) fn password(clock: &SharedClock) -> String {
    let mut bytes = [0; 16];
    clock.fill_random(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut password = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            password.push('-');
        }
        password.push_str(&hex(&[*byte]));
    }
    password
}

/// The random part of a secret: 30 base62 characters.
pub(crate) fn random(clock: &SharedClock) -> String {
    let mut text = String::with_capacity(RANDOM_CHARACTERS);
    push_random(clock, RANDOM_CHARACTERS, &mut text);
    text
}

/// Random base62 digits, each as likely as any other.
fn push_random(clock: &SharedClock, count: usize, out: &mut String) {
    let end = out.len() + count;
    while out.len() < end {
        let mut bytes = [0; 32];
        clock.fill_random(&mut bytes);
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first digits.
        let even = bytes.iter().filter(|byte| **byte < 248);
        let missing = end - out.len();
        out.extend(even.take(missing).map(|byte| char::from(BASE62[usize::from(byte % 62)])));
    }
}

/// The beginning of a key's hash, in hex: which key of a credential a token was made from.
pub(crate) fn mark(hash: &KeyHash) -> String {
    hex(&hash[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    fn names_and_passwords_have_their_form_and_differ() {
        let clock: SharedClock = ManualClock::new(0, 1);
        let names = [username(&clock), username(&clock)];
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == 9 && name.is_ascii()));
        let passwords = [password(&clock), password(&clock)];
        assert_ne!(passwords[0], passwords[1]);
        for password in passwords {
            assert_eq!(password.len(), 36);
            let hyphens: Vec<_> = password.match_indices('-').map(|(at, _)| at).collect();
            assert_eq!(hyphens, [8, 13, 18, 23]);
            assert_eq!(&password[14..15], "4");
        }
    }

    #[test]
    fn hashes_compare() {
        assert!(same(&hash("a"), &hash("a")));
        assert!(!same(&hash("a"), &hash("b")));
    }
}
