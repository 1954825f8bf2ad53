//! Restrictions: which documents of a collection, and which of their fields, somebody may see.
//!
//! Guarantees: whatever is asked of a restricted collection is answered from the documents that the restriction admits,
//! with the hidden fields taken out *before* anything else looks at them: filters, sorts, groups and counts cannot tell a
//! hidden field from one that is not there.
//! Leaves to others: who is restricted how (the access layer).

mod fields;
mod metadata;
mod restriction;
mod seen;
mod words;

pub use fields::FieldRule;
pub use metadata::{Fact, Metadata, ShowActor};
pub use restriction::{Restriction, Subject};
pub use seen::{Seen, Visibility, judge};
