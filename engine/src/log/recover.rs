//! What an opening compares before it trusts a log, and how it repairs a torn tail.
//!
//! Guarantees: all but [`Opening::repair`] only read; every refusal names the file and what does not fit.
//! Leaves to others: the order of the steps (`open`), and what a torn tail is (`scan`).

use std::path::Path;
use std::sync::Arc;

use super::Recovery;
use super::base::BaseReader;
use super::head::HeadState;
use super::header::SegmentHeader;
use super::layout::{
    Digest, HEAD_NAME, PAGE_BYTES, base_name, damaged_at, damaged_file, rewrite, segment_name,
    write_zeros,
};
use super::open::Opening;
use super::record::genesis;
use super::roll;
use super::scan::{Scan, scan_active};
use super::segment::{OpenFiles, Segment};
use super::shared::Point;
use super::trailer::Trailer;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{File, OpenMode};

/// The last segment: soundly sealed, or with its scan.
pub(super) struct Last {
    pub(super) segment: Arc<Segment>,
    file: Arc<dyn File>,
    pub(super) file_len: u64,
    pub(super) scan: Option<Scan>,
}

impl Opening<'_> {
    pub(super) fn headers(&self, firsts: &[u64], state: &HeadState) -> Result<Vec<SegmentHeader>> {
        let mut headers: Vec<SegmentHeader> = Vec::with_capacity(firsts.len());
        for first in firsts {
            let path = self.log_dir.join(segment_name(*first));
            let file = self
                .fs
                .open(&path, OpenMode::Read)
                .map_err(|error| Error::io("open", &path, &error))?;
            let header = SegmentHeader::read(&*file, &path)?;
            if header.log_id != state.log_id {
                let what = "the segment belongs to another log than the head";
                return Err(damaged_file("foreign_segment", &path, what));
            }
            let differs = headers.first().is_some_and(|h| h.secret != header.secret);
            if differs || header.first_position != *first {
                let what = "the segment's header does not fit its place";
                return Err(damaged_file("segment_damaged", &path, what));
            }
            headers.push(header);
        }
        Ok(headers)
    }

    /// The closed segments but the last, and the last one.
    pub(super) fn segments(
        &self,
        headers: &[SegmentHeader],
        state: &HeadState,
    ) -> Result<(Vec<Arc<Segment>>, Last)> {
        let mut closed = Vec::with_capacity(headers.len());
        let mut last_time_ms = 0;
        for (header, next) in headers.iter().zip(&headers[1..]) {
            let path = self.log_dir.join(segment_name(header.first_position));
            let file = self.open_file(&path, OpenMode::Read)?;
            let trailer = Trailer::read(&*file, &path, header)?.ok_or_else(|| {
                let what = "the segment has a successor, but its own end does not check";
                damaged_file("segment_damaged", &path, what)
            })?;
            let summary = trailer.summary;
            if next.first_position != summary.last_position + 1 {
                let what = format!(
                    "the log is not continuous: positions {} to {} are missing",
                    summary.last_position + 1,
                    next.first_position.saturating_sub(1)
                );
                return Err(damaged_file("segment_missing", &path, &what));
            }
            if next.digest_before != summary.last_digest {
                let what = "the next segment continues another chain";
                return Err(damaged_file("chain_broken", &path, what));
            }
            last_time_ms = summary.last_time_ms;
            closed.push(Segment::closed(header.clone(), path, summary));
        }
        let header = &headers[headers.len() - 1];
        let last = self.last_segment(header, last_time_ms, state.position)?;
        Ok((closed, last))
    }

    fn last_segment(&self, header: &SegmentHeader, last_time_ms: u64, watch: u64) -> Result<Last> {
        let path = self.log_dir.join(segment_name(header.first_position));
        let mode = if self.serves() { OpenMode::ReadWrite } else { OpenMode::Read };
        let file = self.open_file(&path, mode)?;
        let file_len = file.len().map_err(|error| Error::io("read", &path, &error))?;
        let scan = scan_active(&file, &path, header, last_time_ms, watch)?;
        // The seal of a last segment may not be durable yet, so it counts only if all of it fits the records.
        let trailer = Trailer::read(&*file, &path, header)?
            .filter(|trailer| trailer.summary == scan.kept.summary)
            .filter(|trailer| {
                let index = trailer.read_index(&*file, &path, header.secret);
                index.is_ok_and(|index| index == scan.kept.index)
            });
        if let Some(trailer) = trailer {
            let segment = Segment::closed(header.clone(), path, trailer.summary);
            return Ok(Last { segment, file, file_len, scan: None });
        }
        let segment = Segment::active(header.clone(), path, Arc::clone(&file), scan.kept.clone());
        Ok(Last { segment, file, file_len, scan: Some(scan) })
    }

    fn open_file(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        self.fs.open(path, mode).map_err(|error| Error::io("open", path, &error))
    }

    /// The log must begin at position 1, or at most one after a base that stands in its chain.
    pub(super) fn check_start(
        &self,
        first: &SegmentHeader,
        bases: &[u64],
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<()> {
        let path = self.log_dir.join(segment_name(first.first_position));
        if first.first_position == 1 {
            if first.digest_before == genesis(&first.log_id) {
                return Ok(());
            }
            let what = "the chain does not begin with this log's first digest";
            return Err(damaged_file("chain_broken", &path, what));
        }
        let before = first.first_position.saturating_sub(1);
        let mut problem = None;
        for position in bases.iter().rev().filter(|p| **p >= before && **p <= end.position) {
            let base = self.log_dir.join(base_name(*position));
            match BaseReader::open_ends(&*self.fs, &base, *position) {
                Ok(reader) => {
                    let digest = self.digest_at(*position, first, segments, last, end)?;
                    if reader.header().log_id == first.log_id && reader.header().digest == digest {
                        return Ok(());
                    }
                    let what = "the base does not stand in this log's chain";
                    problem.get_or_insert(damaged_file("base_damaged", &base, what));
                }
                Err(error) => {
                    problem.get_or_insert(error);
                }
            }
        }
        let what = format!("positions up to {before} are missing and no base holds them");
        Err(problem.unwrap_or_else(|| damaged_file("segment_missing", &path, &what)))
    }

    fn digest_at(
        &self,
        position: u64,
        first: &SegmentHeader,
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<Digest> {
        if position + 1 == first.first_position {
            return Ok(first.digest_before);
        }
        if position == end.position {
            return Ok(end.digest);
        }
        let all = segments.iter().chain([&last.segment]);
        let holds = |s: &&Arc<Segment>| {
            position >= s.first_position() && position <= s.summary().last_position
        };
        let segment = all.clone().find(holds).ok_or_else(|| {
            Error::internal(format!("position {position} is in no segment of the log"))
        })?;
        let open_files = OpenFiles::new(Arc::clone(&self.fs));
        let record = super::reader::one_record(segment, &open_files, position)?;
        Ok(record.iter().next().map(|record| record.digest()).unwrap_or_default())
    }

    /// The log must hold the head's position with the head's digest. Gives the offset just after that record if it is
    /// in the last segment.
    pub(super) fn check_head(
        &self,
        state: &HeadState,
        first: &SegmentHeader,
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<Option<u64>> {
        let path = &last.segment.path;
        if end.position < state.position {
            let flaw = last.scan.as_ref().and_then(|scan| scan.flaw);
            let (at, why) = match flaw {
                Some((offset, flaw)) => (offset, flaw.describe()),
                None => (last.segment.summary().records_end, "the log ends"),
            };
            let what = format!(
                "{why} there, after position {}, but the head file says that position {} was durable",
                end.position, state.position
            );
            let error = damaged_at("log_cut_short", path, at, &what);
            return Err(error.with("position", end.position + 1));
        }
        if state.position + 1 < first.first_position {
            let what = "the head file is behind the log's first segment";
            return Err(damaged_file("head_damaged", &self.data_dir.join(HEAD_NAME), what));
        }
        let watched = last.scan.as_ref().and_then(|scan| scan.watched);
        let digest = match watched {
            Some((digest, _)) => digest,
            None => self.digest_at(state.position, first, segments, last, end)?,
        };
        if digest != state.digest {
            let what = format!(
                "the chain digest at position {} differs from the head file's",
                state.position
            );
            return Err(damaged_file("chain_broken", path, &what).with("position", state.position));
        }
        Ok(watched.map(|(_, offset)| offset))
    }

    /// Brings the last segment's file into the state that was decided; gives its capacity.
    pub(super) fn repair(
        &self,
        last: &Last,
        head_offset: Option<u64>,
        recovery: &Recovery,
    ) -> Result<u64> {
        let path = &last.segment.path;
        let failed = |error| Error::io("repair", path, &error);
        let summary = last.segment.summary();
        let (durable, known_end) = match &last.scan {
            Some(scan) => {
                write_zeros(&*last.file, summary.records_end, scan.nonzero_end.min(last.file_len))
                    .map_err(failed)?;
                (head_offset.unwrap_or(PAGE_BYTES), summary.records_end)
            }
            None => (PAGE_BYTES, last.file_len),
        };
        let is_behind = !recovery.clean && durable < known_end;
        if is_behind {
            rewrite(&*last.file, &*last.file, durable, known_end).map_err(failed)?;
        }
        if is_behind || last.trimmed_bytes() > 0 {
            last.file.sync_data().map_err(failed)?;
        }
        let wanted = self.options.segment_bytes;
        if last.scan.is_none() || last.file_len >= wanted {
            return Ok(last.file_len);
        }
        match roll::fill(&*last.file, last.file_len.max(known_end), wanted) {
            Ok(()) => Ok(wanted),
            // The log opens on a full disk, too; writing will say so.
            Err(error) if Error::io("", path, &error).kind() == ErrorKind::DiskFull => {
                Ok(last.file_len)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

impl Last {
    pub(super) fn point(&self) -> Point {
        let summary = self.segment.summary();
        Point {
            position: summary.last_position,
            digest: summary.last_digest,
            time_ms: summary.last_time_ms,
        }
    }

    pub(super) fn trimmed_bytes(&self) -> u64 {
        let scan = self.scan.as_ref();
        scan.map_or(0, |scan| scan.nonzero_end - scan.kept.summary.records_end)
    }
}
