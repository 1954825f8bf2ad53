//! Faces: one folder per wire dialect. No face depends on another.

pub(crate) mod native;
