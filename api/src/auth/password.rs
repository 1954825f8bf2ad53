//! Passwords: argon2id in PHC strings, and a pool that bounds how many are hashed at a time (promise S5).
//!
//! Guarantees: at most so many hashes run at once, whatever becomes of their callers, and at most so many wait; whoever is
//! over that is refused at once; everything but logins takes at most half of those places, so that a flood of it keeps
//! nobody from logging in. A name that nobody has takes as long as a wrong password.
//! Leaves to others: how often somebody may try (`throttle`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier, Version};
use headwater_engine::{Engine, Error};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Threads of one hash.
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Fewest and most bytes of a password.
const BYTES: std::ops::RangeInclusive<usize> = 8..=1024;

/// A hash that no password has: what is held against the password for a name that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$aGVhZHdhdGVyLW5vYm9keQ$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What came of holding a password against a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is another one.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, but should be hashed anew: the parameters have changed.
    Outdated,
}

/// The pool.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Those among them that are no logins.
    others: AtomicUsize,
    queue: usize,
}

/// For what a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Somebody logs in.
    Login,
    /// Anything else.
    Other,
}

/// One that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Passwords {
    /// A pool that hashes so many at a time, while so many wait.
    pub(crate) fn new(hashes: usize, queue: usize) -> Self {
        let running = Arc::new(Semaphore::new(hashes.max(1)));
        Self { running, waiting: AtomicUsize::new(0), others: AtomicUsize::new(0), queue }
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, engine: &Engine, password: String) -> Result<String, ApiError> {
        let mut salt = [0; SALT_BYTES];
        engine.clock().fill_random(&mut salt);
        let hashed = self.run(engine, Turn::Other, move || hash(&password, &salt)).await?;
        Ok(hashed?)
    }

    /// Holds a password against a hash; without one, it takes as long and is wrong.
    pub(crate) async fn verify(
        &self,
        engine: &Engine,
        password: String,
        stored: Option<String>,
        turn: Turn,
    ) -> Result<Verdict, ApiError> {
        self.run(engine, turn, move || match &stored {
            Some(stored) => verify(&password, stored),
            None => {
                verify(&password, NOBODY);
                Verdict::Wrong
            }
        })
        .await
    }

    /// Runs work that takes as much as a hash, off the async threads.
    async fn run<T: Send + 'static>(
        &self,
        engine: &Engine,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let running = Arc::clone(&self.running);
        let permit = match Arc::clone(&running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = self.wait(turn)?;
                let closed = |_| Error::internal("the pool of passwords is closed");
                running.acquire_owned().await.map_err(closed)?
            }
        };
        let done = engine.tasks().blocking(move || {
            // Held until the work is done, even when nobody waits for it any more.
            let _permit = permit;
            work()
        });
        Ok(done.await.ok_or_else(|| Error::internal("hashing a password panicked"))?)
    }

    fn wait(&self, turn: Turn) -> Result<(Waiting<'_>, Option<Waiting<'_>>), ApiError> {
        let other = match turn {
            Turn::Login => None,
            Turn::Other => Some(take(&self.others, self.queue / 2)?),
        };
        Ok((take(&self.waiting, self.queue)?, other))
    }
}

/// Takes one of so many places.
fn take(taken: &AtomicUsize, places: usize) -> Result<Waiting<'_>, ApiError> {
    let before = taken.fetch_add(1, Ordering::SeqCst);
    let waiting = Waiting(taken);
    if before >= places {
        let message = "too many passwords are being checked (auth.password_queue); try again";
        return Err(Error::unavailable("passwords_busy", message).into());
    }
    Ok(waiting)
}

/// Checks the length of a new password; `member` is where it stands in the request.
pub(crate) fn check_length(password: &str, member: &'static str) -> Result<(), ApiError> {
    if BYTES.contains(&password.len()) {
        return Ok(());
    }
    let message = format!("`{member}` must have {} to {} bytes", BYTES.start(), BYTES.end());
    Err(ApiError::bad_request("invalid_password", message).with("member", member))
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str, salt: &[u8]) -> Result<String, Error> {
    let hashed = argon2().hash_password_with_salt(password.as_bytes(), salt);
    let hashed: PasswordHash =
        hashed.map_err(|error| Error::internal(format!("hash a password: {error}")))?;
    Ok(hashed.to_string())
}

fn verify(password: &str, stored: &str) -> Verdict {
    let Ok(parsed) = PasswordHash::new(stored) else { return Verdict::Wrong };
    if argon2().verify_password(password.as_bytes(), &parsed).is_err() {
        return Verdict::Wrong;
    }
    let present = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
    if stored.starts_with(&present) { Verdict::Right } else { Verdict::Outdated }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test waits for what it spawns")]
mod tests {
    use super::*;
    use crate::auth::testing;
    use std::time::Duration;

    #[test]
    fn a_password_is_held_against_its_hash() {
        let stored = hash("correct horse", &[7; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify("correct horse", &stored), Verdict::Right);
        assert_eq!(verify("correct hors", &stored), Verdict::Wrong);
        assert_eq!(verify("correct horse", "plain"), Verdict::Wrong);
        assert_ne!(hash("correct horse", &[8; 16]).unwrap(), stored);
        assert!(PasswordHash::new(NOBODY).is_ok(), "it must take the time of a real one");
    }

    #[test]
    fn other_parameters_are_outdated() {
        let old =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let stored: PasswordHash = old.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
        assert_eq!(verify("correct horse", &stored.to_string()), Verdict::Outdated);
    }

    #[test]
    fn lengths_are_bounded() {
        for (length, right) in [(7, false), (8, true), (1024, true), (1025, false)] {
            assert_eq!(check_length(&"x".repeat(length), "password").is_ok(), right, "{length}");
        }
    }

    #[test]
    fn others_leave_places_to_logins() {
        let pool = Passwords::new(1, 4);
        let held = [pool.wait(Turn::Other).unwrap(), pool.wait(Turn::Other).unwrap()];
        assert_eq!(pool.wait(Turn::Other).err().unwrap().status(), 503);
        let logins = [pool.wait(Turn::Login).unwrap(), pool.wait(Turn::Login).unwrap()];
        assert!(pool.wait(Turn::Login).is_err() && pool.wait(Turn::Other).is_err());
        drop(held);
        assert!(pool.wait(Turn::Other).is_ok(), "a place is given back");
        drop(logins);
        let taken = [&pool.waiting, &pool.others].map(|taken| taken.load(Ordering::SeqCst));
        assert_eq!(taken, [0, 0], "refusals take none");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn few_run_and_few_wait() {
        let scratch = testing::engine().await;
        let pool = Arc::new(Passwords::new(3, 64));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (open, gate) = tokio::sync::watch::channel(false);
        let mut asked = Vec::new();
        for _ in 0..100 {
            let (pool, engine) = (Arc::clone(&pool), scratch.engine.clone());
            let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), gate.clone());
            asked.push(tokio::spawn(async move {
                pool.run(&engine, Turn::Login, move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    while !*gate.borrow() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                })
                .await
            }));
        }
        // 3 run, 64 wait, and the rest was refused before anything was done.
        let refused = |asked: &[tokio::task::JoinHandle<_>]| {
            asked.iter().filter(|task| task.is_finished()).count()
        };
        let settled = async {
            while refused(&asked) < 33 || running.load(Ordering::SeqCst) < 3 {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), settled).await.is_ok();
        if !in_time {
            // Lets the work end before the test fails.
            open.send(true).unwrap();
        }
        assert!(in_time, "too few were refused");
        assert_eq!(pool.waiting.load(Ordering::SeqCst), 64);
        open.send(true).unwrap();
        let mut done = 0;
        for task in asked {
            match task.await.unwrap() {
                Ok(()) => done += 1,
                Err(error) => assert_eq!(error.status(), 503),
            }
        }
        assert_eq!((done, most.load(Ordering::SeqCst)), (67, 3));
        assert_eq!(pool.waiting.load(Ordering::SeqCst), 0);
        scratch.stop().await;
    }
}
