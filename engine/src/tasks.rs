//! Background work: every thread and every async task of the process is started here, has a name, and is waited for at
//! the stop.
//!
//! Guarantees: [`Tasks::stop`] cancels the shared token, then waits for everything until a deadline and names what did
//! not end. A task that panics is recorded; [`Tasks::failed`] resolves with its name, so that the process can stop.
//! Leaves to others: what a task does when the token is cancelled (drain or return at once).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The owner of all background work of one engine; cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: tokio::runtime::Handle,
    token: CancellationToken,
    tracker: TaskTracker,
    threads: Mutex<Vec<(&'static str, std::thread::JoinHandle<()>)>>,
    failed: watch::Sender<Option<&'static str>>,
}

impl Tasks {
    /// Tasks on `runtime`.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        let (failed, _) = watch::channel(None);
        Self {
            shared: Arc::new(Shared {
                runtime,
                token: CancellationToken::new(),
                tracker: TaskTracker::new(),
                threads: Mutex::new(Vec::new()),
                failed,
            }),
        }
    }

    /// Cancelled when the stop begins.
    pub fn token(&self) -> CancellationToken {
        self.shared.token.clone()
    }

    /// The runtime that async tasks run on.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.shared.runtime
    }

    /// Starts an async task. A panic in it is reported by [`Tasks::failed`].
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        let watched = async move {
            let _report = PanicReport { name, shared };
            future.await;
        };
        drop(self.shared.tracker.spawn_on(watched, &self.shared.runtime));
    }

    /// Starts a thread of its own, for blocking work that lasts. A panic in it is reported by [`Tasks::failed`].
    pub fn spawn_thread(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let body = move || {
            if std::panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
                shared.report(name);
            }
        };
        let handle = std::thread::Builder::new().name(format!("hw-{name}")).spawn(body)?;
        self.shared.threads.lock().push((name, handle));
        Ok(())
    }

    /// Runs blocking work off the async threads and gives its result; `None` if it panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.shared.runtime.spawn_blocking(work).await.ok()
    }

    /// Resolves with the name of the first task that panicked.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.shared.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|name| *name) {
            Ok(Some(name)) => name,
            _ => std::future::pending().await,
        }
    }

    /// Cancels the token and waits for the async tasks; whether they ended in time.
    pub async fn settle(&self, deadline: Duration) -> bool {
        self.shared.token.cancel();
        self.shared.tracker.close();
        tokio::time::timeout(deadline, self.shared.tracker.wait()).await.is_ok()
    }

    /// Cancels the token and waits for everything; gives the names of threads still running at the deadline.
    pub async fn stop(&self, deadline: Duration) -> Vec<&'static str> {
        let end = tokio::time::Instant::now() + deadline;
        let tasks_ended = self.settle(deadline).await;
        let threads = std::mem::take(&mut *self.shared.threads.lock());
        let mut late = if tasks_ended { Vec::new() } else { vec!["async tasks"] };
        for (name, handle) in threads {
            while !handle.is_finished() && tokio::time::Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if handle.is_finished() {
                // A panic was caught and reported inside the thread.
                drop(handle.join());
            } else {
                late.push(name);
            }
        }
        late
    }
}

impl Shared {
    fn report(&self, name: &'static str) {
        tracing::error!(task = name, "background task panicked");
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(name);
            first
        });
    }
}

struct PanicReport {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Drop for PanicReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.report(self.name);
        }
    }
}
