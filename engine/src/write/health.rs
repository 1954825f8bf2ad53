//! Whether writes are accepted, and if not, why.
//!
//! Guarantees: after a failed write or sync the reason is visible at once; a disk that has less than
//! `limits.disk_reserve` bytes free refuses writes before anything can fail half-way, and accepts them again by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::view::Views;

/// How long a reading of the disk's free space is believed.
const SPACE_BELIEVED: Duration = Duration::from_millis(200);

/// Why writes stopped.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The disk ran full; the log may be resumed.
    Full(Error),
    /// A write or sync failed; only a restart helps.
    Failed(Error),
    /// The views could not apply a group; a rebuild helps.
    Views(Error),
}

impl Stop {
    /// The stop that an append's error means.
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::DiskFull => Self::Full(error.clone()),
            _ => Self::Failed(error.clone()),
        }
    }
}

/// The state of writing, shared with whoever asks for it, and its figures.
#[derive(Default)]
pub struct Health {
    state: Mutex<State>,
    groups: AtomicU64,
    events: AtomicU64,
    append_us: AtomicU64,
    append_us_max: AtomicU64,
}

#[derive(Default)]
struct State {
    stop: Option<Stop>,
    space: Option<(Duration, u64)>,
    last_try: Option<Duration>,
}

/// Figures of the sequencer since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteFigures {
    /// Groups committed.
    pub groups: u64,
    /// Events committed.
    pub events: u64,
    /// Microseconds spent in writing and syncing groups.
    pub append_us: u64,
    /// The longest of them, microseconds.
    pub append_us_max: u64,
}

impl Health {
    /// Why writes are refused, in words; `None` when they are accepted.
    pub fn reason(&self) -> Option<Error> {
        self.state.lock().stop.as_ref().map(|stop| match stop {
            Stop::Full(error) => error.clone(),
            Stop::Failed(error) => Error::unavailable(
                "log_failed",
                format!("writes stopped after an error: {error}; restart the server"),
            ),
            Stop::Views(error) => Error::unavailable(
                "views_failed",
                format!("writes stopped because the views failed: {error}; rebuild them"),
            ),
        })
    }

    /// The figures since the start.
    pub fn figures(&self) -> WriteFigures {
        WriteFigures {
            groups: self.groups.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            append_us: self.append_us.load(Ordering::Relaxed),
            append_us_max: self.append_us_max.load(Ordering::Relaxed),
        }
    }

    pub(super) fn committed(&self, events: u64, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(events, Ordering::Relaxed);
        self.append_us.fetch_add(took, Ordering::Relaxed);
        self.append_us_max.fetch_max(took, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self, stop: Stop) {
        self.state.lock().stop = Some(stop);
    }

    /// Takes a failure that was met outside the sequencer; one that is known already says more.
    pub(super) fn noticed(&self, error: &Error) {
        self.state.lock().stop.get_or_insert_with(|| Stop::of(error));
    }

    pub(super) fn resumed(&self) {
        self.state.lock().stop = None;
    }

    pub(super) fn views_restored(&self) {
        let mut state = self.state.lock();
        if matches!(state.stop, Some(Stop::Views(_))) {
            state.stop = None;
        }
    }

    /// Why a write is refused now: an earlier failure, or too little space.
    pub(super) fn refusal(&self, views: &Views, limits: &Limits, now: Duration) -> Option<Error> {
        if let Some(reason) = self.reason() {
            return Some(reason);
        }
        let free = self.free_bytes(views, now)?;
        if free >= limits.disk_reserve {
            return None;
        }
        let error = Error::new(
            ErrorKind::DiskFull,
            "disk_reserve",
            format!(
                "the disk has {free} bytes free, less than limits.disk_reserve ({})",
                limits.disk_reserve
            ),
        );
        self.state.lock().stop = Some(Stop::Full(error.clone()));
        Some(error)
    }

    /// Whether the disk was full and has room again; asks at most twice a second.
    pub(super) fn may_resume(&self, views: &Views, limits: &Limits, now: Duration) -> bool {
        let mut state = self.state.lock();
        if !matches!(state.stop, Some(Stop::Full(_))) {
            return false;
        }
        let recent = |last: Duration| now.saturating_sub(last) < 2 * SPACE_BELIEVED;
        if state.last_try.is_some_and(recent) {
            return false;
        }
        state.last_try = Some(now);
        drop(state);
        self.free_bytes(views, now).is_some_and(|free| free >= limits.disk_reserve)
    }

    fn free_bytes(&self, views: &Views, now: Duration) -> Option<u64> {
        let mut state = self.state.lock();
        if let Some((read, free)) = state.space
            && now.saturating_sub(read) < SPACE_BELIEVED
        {
            return Some(free);
        }
        let free = views.available_bytes()?;
        state.space = Some((now, free));
        Some(free)
    }
}
