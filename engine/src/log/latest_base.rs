//! The newest base of a log, for whoever folds it.

use super::base::{BaseReader, base_positions};
use super::reader::LogReader;
use crate::error::Result;

impl LogReader {
    /// The newest base, if the log has one.
    pub fn base(&self) -> Result<Option<BaseReader>> {
        let shared = self.shared();
        let positions = base_positions(&*shared.fs, &shared.data_dir)?;
        let Some(position) = positions.last() else { return Ok(None) };
        BaseReader::open(&*shared.fs, &shared.data_dir, *position).map(Some)
    }
}
