//! Seeds of the random tests: fresh ones by default, printed when a test fails, given again by `HEADWATER_SEED`.
//! `HEADWATER_LONG=1` asks for the long runs whose figures stand in `docs/`.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Whether the long runs are asked for.
pub fn is_long() -> bool {
    std::env::var("HEADWATER_LONG").is_ok_and(|value| value != "0")
}

/// `short`, or `long` where long runs are asked for.
pub fn count(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// The seed given by `HEADWATER_SEED`.
pub fn given() -> Option<u64> {
    let text = std::env::var("HEADWATER_SEED").ok()?;
    Some(text.parse().expect("HEADWATER_SEED is a number"))
}

/// As many fresh seeds, or the one that was given.
pub fn seeds(count: usize) -> Vec<u64> {
    match given() {
        Some(seed) => vec![seed],
        None => (0..count).map(|_| rand::random()).collect(),
    }
}

/// Prints how to run again what panics while this is alive.
pub struct Replay {
    seed: u64,
}

impl Replay {
    /// Announces a seed.
    pub fn of(seed: u64) -> Self {
        Self { seed }
    }

    /// A generator from the seed.
    pub fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again: HEADWATER_SEED={}", self.seed);
        }
    }
}
