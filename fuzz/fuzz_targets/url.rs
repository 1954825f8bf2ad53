//! Fuzzes the guard of outgoing requests (`api/src/outbound/guard.rs`) by the model that its test shares
//! (`api/tests/fuzz/url.rs`).
#![no_main]

#[path = "../../api/tests/fuzz/url.rs"]
mod body;
#[allow(dead_code, reason = "a part of it is used")]
#[path = "../../api/src/outbound/guard.rs"]
mod guard;

use guard::Guard;
use url::Url;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(url) = Url::parse(text) else { return };
    let (true, Some(host)) = (["http", "https"].contains(&url.scheme()), url.host_str()) else {
        return;
    };
    body::holds(host, Guard::new(Vec::new()).check_literal(host).is_ok());
});
