//! Time, randomness and ids, injected so that a test can own them.
//!
//! Guarantees: everything in the engine that needs the time of day, a random byte or a new id asks here.
//! Leaves to others: that event times never go back (the sequencer takes the larger of the last time and now).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The source of time and randomness.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// UTC milliseconds since the Unix epoch; may step either way.
    fn now_ms(&self) -> u64;
    /// Time since an arbitrary start; never goes back.
    fn monotonic(&self) -> Duration;
    /// Fills `bytes` with unpredictable bytes.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock and a generator seeded by the operating system.
pub struct SystemClock {
    start: Instant,
    random: Mutex<StdRng>,
}

impl SystemClock {
    /// A clock of this machine.
    pub fn shared() -> SharedClock {
        Arc::new(Self { start: Instant::now(), random: Mutex::new(rand::make_rng()) })
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemClock")
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.random.lock().fill_bytes(bytes);
    }
}

/// A clock that a test owns: time moves only by [`ManualClock::advance_ms`] and [`ManualClock::set_ms`], randomness
/// comes from a seed.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
    elapsed_ms: AtomicU64,
    random: Mutex<StdRng>,
}

impl ManualClock {
    /// A clock that stands at `now_ms` and draws randomness from `seed`.
    pub fn new(now_ms: u64, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            now_ms: AtomicU64::new(now_ms),
            elapsed_ms: AtomicU64::new(0),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        })
    }

    /// Lets `ms` pass.
    pub fn advance_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Steps the time of day, forward or back, without time passing.
    pub fn set_ms(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.random.lock().fill_bytes(bytes);
    }
}

/// Makes ObjectIds: 4 bytes of seconds, 5 random bytes of this process, a 3-byte counter (the layout of the BSON
/// specification). Ids of one source rise within a second.
#[derive(Debug)]
pub struct ObjectIds {
    clock: SharedClock,
    process: [u8; 5],
    counter: AtomicU64,
}

impl ObjectIds {
    /// A source with its own random process part.
    pub fn new(clock: SharedClock) -> Self {
        let mut random = [0; 8];
        clock.fill_random(&mut random);
        let [a, b, c, d, e, x, y, z] = random;
        let start = u64::from(u32::from_be_bytes([0, x, y, z]));
        Self { clock, process: [a, b, c, d, e], counter: AtomicU64::new(start) }
    }

    /// A new id.
    pub fn next(&self) -> [u8; 12] {
        let seconds = u32::try_from(self.clock.now_ms() / 1000).unwrap_or(u32::MAX).to_be_bytes();
        let counter = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut id = [0; 12];
        id[..4].copy_from_slice(&seconds);
        id[4..9].copy_from_slice(&self.process);
        id[9..].copy_from_slice(&counter[5..]);
        id
    }
}
