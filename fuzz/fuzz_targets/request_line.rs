//! Fuzzes the encoding of request targets (`api/src/server/request_line/`) by the model that its test shares
//! (`api/tests/fuzz/request_line.rs`).
#![no_main]

#[path = "../../api/tests/fuzz/request_line.rs"]
mod body;
#[allow(dead_code, reason = "a part of it is used")]
#[path = "../../api/src/server/request_line/mod.rs"]
mod request_line;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    body::holds(input, request_line::RequestLines::new);
});
