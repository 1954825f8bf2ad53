//! Tests that concern the model as a whole.

pub(crate) mod model;
mod order;
