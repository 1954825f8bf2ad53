//! Extractors: authentication, limits and parsing, so that handlers have none of it.

mod conditions;
mod parameters;
mod payload;
mod submission;

pub(crate) use conditions::Condition;
pub(crate) use parameters::{LIMIT_MAX, Parameters, invalid, page_limit, refuse_unless_empty};
pub(crate) use payload::{Format, Payload};
pub(crate) use submission::Submission;
