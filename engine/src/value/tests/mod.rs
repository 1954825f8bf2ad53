//! Tests that concern the model as a whole.

pub(super) mod model;
mod order;
