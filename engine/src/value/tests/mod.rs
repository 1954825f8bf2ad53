pub(super) mod model;
mod order;
