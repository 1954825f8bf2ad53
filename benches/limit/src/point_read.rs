//! Point reads of a bare fjall keyspace.

use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{Database, KeyspaceCreateOptions};

/// Reads between two looks at the clock.
const READS: u64 = 1000;

/// Fills a keyspace, reads it at random for `seconds` and prints the rate.
pub(crate) fn run(directory: &Path, keys: u64, bytes: usize, seconds: u64) -> anyhow::Result<()> {
    let path = directory.join(format!("limit-fjall-{}", std::process::id()));
    let database = Database::builder(&path).open()?;
    let keyspace = database.keyspace("limit", KeyspaceCreateOptions::default)?;
    let mut value = vec![0x5a; bytes];
    for key in 0..keys {
        value[..8].copy_from_slice(&key.to_le_bytes());
        keyspace.insert(key_of(key), &value)?;
    }
    keyspace.rotate_memtable_and_wait()?;
    let started = Instant::now();
    let (mut reads, mut key) = (0, 1_u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..READS {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let found = keyspace.get(key_of((key >> 20) % keys))?;
            anyhow::ensure!(found.is_some_and(|value| value.len() == bytes), "a key is missing");
        }
        reads += READS;
    }
    let rate = reads as f64 / started.elapsed().as_secs_f64();
    let result = serde_json::json!({
        "limit": "point-read", "keys": keys, "value_bytes": bytes, "rate_per_second": rate.round(),
    });
    println!("{result}");
    drop((keyspace, database));
    std::fs::remove_dir_all(path)?;
    Ok(())
}

/// Twelve bytes, as an ObjectId has.
fn key_of(key: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&key.to_be_bytes());
    bytes
}
