//! Arithmetic over the four types of numbers.
