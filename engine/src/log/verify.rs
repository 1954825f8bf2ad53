//! Walking the whole log: every record, the chain, the batches and groups, each segment's end, the base, the head.
//!
//! Guarantees: reads only, and may run beside the writer; a report means that all of it holds up to the reported
//! position. Leaves to others: comparing the views with the log.

use std::sync::Arc;

use super::head;
use super::layout::{Digest, PAGE_BYTES, damaged_at, damaged_file};
use super::reader::LogReader;
use super::scan::{Walk, Window};
use super::segment::Segment;
use super::trailer::Summary;
use crate::error::{Error, Result};
use crate::fs::File;

/// What a verification walked over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// First position of the log.
    pub first_position: u64,
    /// Last position that was walked to.
    pub last_position: u64,
    /// Chain digest there.
    pub digest: Digest,
    /// Records walked.
    pub records: u64,
    /// Those of them that were erased.
    pub erased: u64,
    /// Segments walked.
    pub segments: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// The newest base, which was read whole, too.
    pub base: Option<u64>,
}

/// How often progress is told, records.
const PROGRESS_STEP: u64 = 10_000;

impl LogReader {
    /// Walks the whole log; `progress` is told the position reached and the last one now and then.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<VerifyReport> {
        let last = self.durable_position();
        let segments = self.shared.segments();
        let mut report = VerifyReport {
            first_position: self.first_position(),
            last_position: last,
            digest: [0; 32],
            records: 0,
            erased: 0,
            segments: 0,
            bytes: 0,
            base: self.newest_base()?.map(|base| base.header().position),
        };
        if report.first_position > 1 && report.base.is_none_or(|p| p + 1 < report.first_position) {
            let what = "the log does not begin at position 1, and no base holds what was before";
            return Err(damaged_file("segment_missing", &self.shared.log_dir, what));
        }
        let head = head::read(&*self.shared.fs, &self.shared.data_dir)?;
        let mut before: Option<Summary> = None;
        for segment in segments.iter().take_while(|s| s.first_position() <= last.max(1)) {
            let mut noted = None;
            let at_head = |position: u64, digest: Digest| {
                if head.is_some_and(|head| head.position == position) {
                    noted = Some(digest);
                }
                if position.is_multiple_of(PROGRESS_STEP) || position == last {
                    progress(position, last);
                }
            };
            let summary = walk_segment(self, segment, before, at_head)?;
            let wrong = noted.is_some_and(|digest| head.is_some_and(|h| h.digest != digest));
            if wrong {
                let what = "the chain digest at the head file's position differs from the head's";
                return Err(damaged_file("chain_broken", &segment.path, what));
            }
            report.records += (summary.last_position + 1).saturating_sub(summary.first_position);
            report.erased += summary.erased;
            report.segments += 1;
            report.bytes += summary.records_end - PAGE_BYTES;
            report.last_position = summary.last_position;
            report.digest = summary.last_digest;
            before = Some(summary);
        }
        let cut = head.is_some_and(|h| h.position > report.last_position && h.position <= last);
        if cut || report.last_position < last {
            let what = format!("the log ends at position {}, not {last}", report.last_position);
            return Err(damaged_file("log_cut_short", &self.shared.log_dir, &what));
        }
        Ok(report)
    }
}

/// Walks one segment and compares it with its neighbour, its trailer and its index.
fn walk_segment(
    reader: &LogReader,
    segment: &Arc<Segment>,
    before: Option<Summary>,
    mut each: impl FnMut(u64, Digest),
) -> Result<Summary> {
    let (file, (expected, index)) =
        segment.look_up(&reader.shared.open_files, |index, summary| (*summary, index.clone()))?;
    check_header(reader, segment, &*file, before)?;
    let mut window = Window::new(file, &segment.path, expected.records_end);
    let mut walk = Walk::new(&segment.header, 0);
    let mut rule = BatchRule::new(before.map_or(0, |summary| summary.last_time_ms));
    while walk.summary.records_end < expected.records_end {
        let offset = walk.summary.records_end;
        let record = window
            .record(offset, segment.header.secret)?
            .and_then(|record| walk.accept(record).map(|()| record));
        let record = record.map_err(|flaw| flawed(segment, &walk, flaw.describe()))?;
        rule.accept(offset, record).map_err(|what| flawed(segment, &walk, what))?;
        each(record.position(), record.digest());
    }
    if !rule.batch_ended {
        return Err(flawed(segment, &walk, "the last batch has no end"));
    }
    let erased = if segment.is_active() { expected.erased } else { walk.summary.erased };
    let times = if walk.summary.is_empty() { expected } else { walk.summary };
    let found = Summary {
        erased,
        first_time_ms: times.first_time_ms,
        last_time_ms: times.last_time_ms,
        ..walk.summary
    };
    if found != expected || walk.index != index {
        return Err(flawed(segment, &walk, "the segment's records differ from what its end says"));
    }
    Ok(Summary { erased: walk.summary.erased, ..expected })
}

fn check_header(
    reader: &LogReader,
    segment: &Segment,
    file: &dyn File,
    before: Option<Summary>,
) -> Result<()> {
    let header = super::header::SegmentHeader::read(file, &segment.path)?;
    let follows = before.is_none_or(|before| {
        before.last_position + 1 == header.first_position
            && before.last_digest == header.digest_before
    });
    if header != segment.header || header.log_id != reader.shared.log_id || !follows {
        let what = "the segment does not continue the one before";
        return Err(damaged_file("chain_broken", &segment.path, what));
    }
    Ok(())
}

fn flawed(segment: &Segment, walk: &Walk, what: &str) -> Error {
    damaged_at("segment_damaged", &segment.path, walk.summary.records_end, what)
        .with("position", walk.summary.last_position + 1)
}

/// Batches end, groups start where batches start, times do not go back.
struct BatchRule {
    batch_ended: bool,
    last_time_ms: u64,
    group_start: u64,
    batch_starts: Vec<u64>,
}

impl BatchRule {
    fn new(last_time_ms: u64) -> Self {
        Self { batch_ended: true, last_time_ms, group_start: PAGE_BYTES, batch_starts: Vec::new() }
    }

    fn accept(
        &mut self,
        offset: u64,
        record: super::record::RecordView<'_>,
    ) -> Result<(), &'static str> {
        if record.time_ms() < self.last_time_ms {
            return Err("the record's time is before the one before it");
        }
        if self.batch_ended {
            self.batch_starts.push(offset);
        }
        let group = record.group_start();
        if group != self.group_start {
            if self.batch_starts.binary_search(&group).is_err() {
                return Err("the record's group does not start with a batch");
            }
            self.group_start = group;
            self.batch_starts.retain(|start| *start >= group);
        }
        self.batch_ended = record.is_batch_end();
        self.last_time_ms = record.time_ms();
        Ok(())
    }
}
