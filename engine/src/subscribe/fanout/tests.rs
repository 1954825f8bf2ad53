//! Fan-out against a plain list of what each subscriber wants.

use super::*;

#[test]
fn placeholder() {}
