//! Fuzzes `schema` of the bodies that the engine's tests share (`engine/tests/fuzz/bodies.rs`).
#![no_main]

#[allow(dead_code, reason = "one of the bodies is used")]
#[path = "../../engine/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::schema(bytes);
});
