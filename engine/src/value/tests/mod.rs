mod model;
mod order;
