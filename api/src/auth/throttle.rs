//! Throttles: how many tries one name or address has in a window of time.
//!
//! Guarantees: a try counts when it begins, so that many at once are no way round; the table is bounded, and when it is full
//! those with the fewest tries are forgotten first.
//! Leaves to others: what a try is, and who is exempt.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

/// Most names that are remembered.
const NAMES_MAX: usize = 1 << 16;

/// A digest of a name: the table holds no names.
type Name = [u8; 16];

/// Counters of tries.
#[derive(Debug)]
pub(crate) struct Throttle {
    window: Duration,
    most: u32,
    tries: Mutex<HashMap<Name, Tries>>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    ends: Duration,
}

impl Throttle {
    /// At most so many tries of one name in a window; 0: any number.
    pub(crate) fn new(most: u32, window: Duration) -> Self {
        Self { window, most, tries: Mutex::default() }
    }

    /// Begins a try; refused with the seconds to wait where there were too many. `now` is monotonic.
    pub(crate) fn begin(&self, name: &str, now: Duration) -> Result<(), u64> {
        if self.most == 0 {
            return Ok(());
        }
        let mut tries = self.tries.lock();
        let name = digest(name);
        if tries.len() >= NAMES_MAX && !tries.contains_key(&name) {
            make_room(&mut tries, now);
        }
        let fresh = Tries { count: 0, ends: now + self.window };
        let entry = tries.entry(name).or_insert(fresh);
        if now >= entry.ends {
            *entry = fresh;
        }
        if entry.count >= self.most {
            let left = entry.ends.saturating_sub(now);
            return Err(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        }
        entry.count += 1;
        Ok(())
    }

    /// Takes a try back that was no guess.
    pub(crate) fn take_back(&self, name: &str) {
        if let Some(entry) = self.tries.lock().get_mut(&digest(name)) {
            entry.count = entry.count.saturating_sub(1);
        }
    }

    /// Forgets a name: it was right.
    pub(crate) fn forget(&self, name: &str) {
        self.tries.lock().remove(&digest(name));
    }
}

fn make_room(tries: &mut HashMap<Name, Tries>, now: Duration) {
    tries.retain(|_, entry| entry.ends > now);
    if tries.len() < NAMES_MAX {
        return;
    }
    let mut all: Vec<(u32, Duration, Name)> =
        tries.iter().map(|(name, entry)| (entry.count, entry.ends, *name)).collect();
    all.sort_unstable();
    for (_, _, name) in all.iter().take(NAMES_MAX / 4) {
        tries.remove(name);
    }
}

fn digest(name: &str) -> Name {
    let mut digest = [0; 16];
    digest.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn tries_are_counted_by_name_and_window() {
        let throttle = Throttle::new(3, WINDOW);
        for _ in 0..3 {
            assert_eq!(throttle.begin("a", at(500)), Ok(()));
        }
        assert_eq!(throttle.begin("a", at(500)), Err(60));
        assert_eq!(throttle.begin("a", at(60_499)), Err(1));
        assert_eq!(throttle.begin("b", at(60_499)), Ok(()));
        assert_eq!(throttle.begin("a", at(60_500)), Ok(()), "the window is over");
        throttle.forget("a");
        for _ in 0..3 {
            assert_eq!(throttle.begin("a", at(60_500)), Ok(()));
        }
        throttle.take_back("a");
        assert_eq!(throttle.begin("a", at(60_500)), Ok(()));
        assert!(throttle.begin("a", at(60_500)).is_err());
    }

    #[test]
    fn none_is_any_number() {
        let throttle = Throttle::new(0, WINDOW);
        assert!((0..1000).all(|_| throttle.begin("a", at(0)).is_ok()));
    }

    #[test]
    fn a_flood_of_names_does_not_free_a_guessed_one() {
        let throttle = Throttle::new(3, WINDOW);
        for _ in 0..3 {
            assert_eq!(throttle.begin("guessed", at(0)), Ok(()));
        }
        for number in 0..3 * NAMES_MAX {
            assert_eq!(throttle.begin(&number.to_string(), at(1)), Ok(()));
        }
        assert!(throttle.tries.lock().len() <= NAMES_MAX);
        assert!(throttle.begin("guessed", at(2)).is_err());
    }
}
