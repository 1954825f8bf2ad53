//! Progress bars of long commands: on stderr, and only where stderr is a terminal.
//!
//! Guarantees: stdout stays for data. Leaves to others: what is counted.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over bytes; without a known total it only counts.
pub(crate) fn bytes(what: impl Into<Cow<'static, str>>, total: Option<u64>) -> ProgressBar {
    let known = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let unknown = "{spinner} {msg} {bytes} {bytes_per_sec} {elapsed}";
    bar(what, total, known, unknown)
}

/// A bar over things; without a known total it only counts.
pub(crate) fn count(what: impl Into<Cow<'static, str>>, total: Option<u64>) -> ProgressBar {
    let known = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
    let unknown = "{spinner} {msg} {human_pos} {per_sec} {elapsed}";
    bar(what, total, known, unknown)
}

/// A bar over a share of the whole, in thousandths.
pub(crate) fn share(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    bar(what, Some(1000), "{msg} {wide_bar} {percent}% {elapsed}", "")
}

fn bar(
    what: impl Into<Cow<'static, str>>,
    total: Option<u64>,
    known: &str,
    unknown: &str,
) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5));
    let template = if total.is_some() { known } else { unknown };
    // The templates above are constants, so that a wrong one would show in the first run.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
