//! Regular expressions in the dialect of filters.
#[derive(Clone, Debug)]
pub struct Pattern;
impl Pattern {
    pub fn prefix(&self) -> Option<String> {
        None
    }
}
