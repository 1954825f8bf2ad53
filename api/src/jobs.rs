//! Long work of administrators: started by a request, watched by others.
//!
//! Guarantees: a job's state is told until the process ends or it is one of the oldest beyond [`KEPT`]; a job that
//! panics is failed.
//! Leaves to others: the work itself, and who may start it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_engine::view::Progress;
use headwater_engine::{Engine, Error, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Jobs remembered.
const KEPT: usize = 100;

/// What kind of work a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// The views are made again from the log.
    Rebuild,
    /// Log and views are checked.
    Verify,
    /// A consistent copy is written.
    Backup,
}

impl JobKind {
    /// Its public name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Verify => "verify",
            Self::Backup => "backup",
        }
    }
}

/// One job.
pub(crate) struct Job {
    /// Its id.
    pub(crate) id: String,
    kind: JobKind,
    progress: Progress,
    state: Mutex<State>,
}

enum State {
    Running,
    Done { result: Value, file: Option<PathBuf> },
    Failed(String),
}

/// What a job came to.
pub(crate) struct Finished {
    /// What is told about it.
    pub(crate) result: Value,
    /// A file to download, once.
    pub(crate) file: Option<PathBuf>,
}

/// The jobs of this process.
#[derive(Default)]
pub(crate) struct Jobs {
    known: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    /// Starts blocking work.
    pub(crate) fn start(
        &self,
        engine: &Engine,
        kind: JobKind,
        work: impl FnOnce(&str, &Progress) -> Result<Finished> + Send + 'static,
    ) -> Arc<Job> {
        let mut random = [0; 8];
        engine.clock().fill_random(&mut random);
        let id = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let (progress, state) =
            (Progress::until(engine.tasks().token()), Mutex::new(State::Running));
        let job = Arc::new(Job { id, kind, progress, state });
        let mut known = self.known.lock();
        known.push_back(Arc::clone(&job));
        if known.len() > KEPT {
            known.pop_front();
        }
        drop(known);
        let (running, tasks) = (Arc::clone(&job), engine.tasks().clone());
        engine.tasks().spawn("job", async move {
            let blocking = Arc::clone(&running);
            let work = move || work(&blocking.id, &blocking.progress);
            let done = tasks.blocking(work).await;
            running.finish(done.unwrap_or_else(|| Err(Error::internal("the work panicked"))));
        });
        job
    }

    /// A job by its id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.known.lock().iter().find(|job| job.id == id).cloned()
    }
}

impl Job {
    fn finish(&self, done: Result<Finished>) {
        let state = match done {
            Ok(Finished { result, file }) => State::Done { result, file },
            Err(error) => {
                tracing::error!(job = self.id, kind = self.kind.as_str(), %error, "job failed");
                State::Failed(error.message().to_owned())
            }
        };
        *self.state.lock() = state;
    }

    /// The job as callers see it.
    pub(crate) fn describe(&self) -> Value {
        let (status, progress, result, error) = match &*self.state.lock() {
            State::Running => ("running", self.progress.fraction(), Value::Null, Value::Null),
            State::Done { result, .. } => ("done", 1.0, result.clone(), Value::Null),
            State::Failed(error) => ("failed", self.progress.fraction(), Value::Null, json!(error)),
        };
        json!({
            "id": self.id, "kind": self.kind.as_str(), "status": status,
            "progress": progress, "result": result, "error": error,
        })
    }

    /// The file that the job made, to be handed out once.
    pub(crate) fn take_file(&self) -> Option<PathBuf> {
        match &mut *self.state.lock() {
            State::Done { file, .. } => file.take(),
            State::Running | State::Failed(_) => None,
        }
    }
}
