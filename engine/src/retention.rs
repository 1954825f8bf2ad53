//! Retention.
/// What of the log is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this many seconds may go; `None` keeps all.
    pub seconds: Option<u64>,
    /// Oldest events may go while the log is larger than this many bytes; `None` keeps all.
    pub bytes: Option<u64>,
}
impl crate::Engine { pub(crate) fn start_retention(&self)->crate::Result<()> {Ok(())} pub(crate) fn finish_erasure(&self)->crate::Result<()> {Ok(())} }
