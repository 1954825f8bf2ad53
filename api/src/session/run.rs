//! Where queries run: a small one on the thread of its request, every other off the async threads.
//!
//! Guarantees: an async thread looks at [`LOOKS`] documents at most; a query ends soon after its caller went away, or at the
//! end of its budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_engine::query::{Budget, NOT_SMALL};
use headwater_engine::{Engine, Result};

use super::blocking;

/// Documents that a query may look at before it is no small one any more.
const LOOKS: u32 = 300;

/// Whether a query may be a small one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It may be; that is found out by trying.
    Unknown,
    /// It is not, or one document of it may take long.
    Large,
}

/// Sets the flag when the request is answered or given up.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work`, which looks at nothing else when it is run a second time.
pub(super) async fn run<T: Send + 'static>(
    engine: &Engine,
    size: Size,
    work: impl Fn(&Arc<Budget>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let budget = || Budget::new(engine.clock(), engine.limits());
    if size == Size::Unknown {
        match work(&Arc::new(budget().small(LOOKS))) {
            Err(error) if error.code() == NOT_SMALL => {}
            done => return done,
        }
    }
    let budget = Arc::new(budget());
    let _cancel = Cancel(budget.cancel_flag());
    blocking(engine, move || work(&budget)).await
}
