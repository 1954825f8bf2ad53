//! What readers find: by position, by time, forward, backward, across segments, beside a writer.

use super::*;
use crate::ErrorKind;

#[test]
fn a_fresh_log_is_empty_and_opens_again() {
    let fs = MemoryFileSystem::new();
    let log = open_small(&fs);
    assert_eq!((log.reader.first_position(), log.reader.durable_position()), (1, 0));
    assert!(log.reader.read(0, 1000).unwrap().is_none());
    assert_eq!(log.reader.position_at(0).unwrap(), 1);
    log.writer.close().unwrap();
    drop((log.reader, log.head_keeper, log.preparer));
    assert!(open_small(&fs).recovery.clean);
}

#[test]
fn records_come_back_over_many_segments_and_openings() {
    let fs = MemoryFileSystem::new();
    let mut all = Vec::new();
    for round in 0..6 {
        let mut log = open_small(&fs);
        assert!(read_all(&log.reader, 0).unwrap() == all);
        assert_eq!(log.recovery.clean, round % 2 == 1 || round == 0 && log.recovery.clean);
        all.extend(fill(&mut log.writer, 15, round));
        assert!(read_all(&log.reader, 0).unwrap() == all);
        if round % 2 == 0 {
            log.writer.close().unwrap();
        }
    }
    assert!(segment_files(&fs).len() > 5);
    let log = open_with(&fs, inspect(), 1).unwrap();
    let report = log.reader.verify(|_, _| ()).unwrap();
    assert_eq!((report.records, report.last_position), (all.len() as u64, all.len() as u64));
}

#[test]
fn the_block_of_an_append_is_what_a_reader_reads() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let records = random_group(&mut StdRng::seed_from_u64(1), 0);
    let block = append(&mut log.writer, &records).unwrap();
    let read = log.reader.read(0, usize::MAX).unwrap().unwrap();
    assert_eq!((block.len(), block.first_position()), (records.len(), 1));
    for (own, read) in block.iter().zip(read.iter()) {
        assert_eq!(remember(own), remember(read));
        assert_eq!(own.digest(), read.digest());
    }
    assert_eq!(block.iter().map(remember).collect::<Vec<_>>(), records);
}

#[test]
fn each_position_is_found_alone_backward_and_by_digest() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let all = fill(&mut log.writer, 40, 1);
    for position in 1..=all.len() as u64 {
        let block = log.reader.get(position).unwrap();
        assert_eq!((block.len(), block.first_position()), (1, position));
        assert_eq!(remember(block.get(position).unwrap()), all[position as usize - 1]);
        assert_eq!(log.reader.digest_at(position).unwrap(), block.get(position).unwrap().digest());
    }
    let mut backward = Vec::new();
    let mut at = all.len() as u64 + 1;
    while let Some(block) = log.reader.read_before(at, 7).unwrap() {
        assert!(block.len() <= 7 && block.last_position() == at - 1);
        backward.extend(block.iter().rev().map(remember));
        at = block.first_position();
    }
    backward.reverse();
    assert!(backward == all);
}

#[test]
fn a_time_leads_to_the_first_position_at_or_after_it() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let all = fill(&mut log.writer, 40, 1);
    for time in 0..=all.last().unwrap().time_ms + 1 {
        let expected = all.partition_point(|record| record.time_ms < time) as u64 + 1;
        assert_eq!(log.reader.position_at(time).unwrap(), expected, "time {time}");
    }
}

#[test]
fn a_time_leads_there_while_the_next_segment_is_empty() {
    for groups in 1..20 {
        let fs = MemoryFileSystem::new();
        let mut log = open_small(&fs);
        let all = fill(&mut log.writer, groups, 1);
        let shared = &log.reader.shared;
        let (empty, _) = crate::log::roll::create(shared, shared.end()).unwrap();
        shared.change_segments(|list| list.push(empty));
        for time in 0..=all.last().unwrap().time_ms + 1 {
            let expected = all.partition_point(|record| record.time_ms < time) as u64 + 1;
            assert_eq!(log.reader.position_at(time).unwrap(), expected, "{groups}, time {time}");
        }
    }
}

#[test]
fn positions_outside_of_the_log_are_gone_by_name() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let all = fill(&mut log.writer, 2, 1);
    let past = all.len() as u64 + 1;
    for error in [
        log.reader.read(past, 1).err(),
        log.reader.get(past).err(),
        log.reader.read_before(past + 1, 1).err(),
    ] {
        let error = error.unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Gone, "position_ahead"));
    }
    assert!(log.reader.read(past - 1, 1).unwrap().is_none());
    assert_eq!(code(log.reader.get(0)), "position_gone");
}

#[test]
fn a_group_larger_than_a_segment_gets_a_larger_one() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let mut all = fill(&mut log.writer, 2, 1);
    let large = |n: u8| Remembered {
        time_ms: 9_000,
        kept: vec![n; 400],
        erasable: vec![n; 3 * SMALL_SEGMENT as usize],
        batch_end: n % 2 == 1,
    };
    let group: Vec<_> = (0..4).map(large).collect();
    append(&mut log.writer, &group).unwrap();
    all.extend(group);
    all.extend(fill(&mut log.writer, 5, 2));
    assert!(read_all(&log.reader, 0).unwrap() == all);
    let log = open_small(&fs.kill_state());
    assert!(read_all(&log.reader, 0).unwrap() == all);
    assert_eq!(log.reader.get(all.len() as u64).unwrap().len(), 1);
    log.reader.verify(|_, _| ()).unwrap();
}

#[test]
fn a_refused_batch_is_taken_back_and_bad_groups_are_not_written() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let mut group = log.writer.group();
    group.push(5, b"a", b"b", BatchEnd::Last);
    let mark = group.mark();
    group.push(6, b"c", b"d", BatchEnd::More);
    group.push(4, b"back in time", b"", BatchEnd::Last);
    group.truncate_to(mark);
    group.push_with(
        7,
        |b| b.extend_from_slice(b"e"),
        |b| b.extend_from_slice(b"f"),
        BatchEnd::Last,
    );
    group.push_hashed(7, b"g", b"h", &digest_of(b"h"), BatchEnd::Last);
    assert_eq!(log.writer.append(group).unwrap().len(), 3);
    log.reader.verify(|_, _| ()).unwrap();
    let mut open_batch = log.writer.group();
    open_batch.push(8, b"", b"", BatchEnd::More);
    let mut back = log.writer.group();
    back.push(6, b"", b"", BatchEnd::Last);
    for group in [log.writer.group(), open_batch, back] {
        assert_eq!(code(log.writer.append(group)), "internal");
    }
    assert_eq!((log.writer.next_position(), log.writer.failed()), (4, None));
}

#[test]
fn readers_beside_a_writer_see_dense_checked_records() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open_real(
        directory.path(),
        LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() },
    );
    let groups = 300;
    std::thread::scope(|scope| {
        for start in 0..3 {
            let reader = log.reader.clone();
            scope.spawn(move || {
                let mut at = 0;
                while at < groups * 10 {
                    if let Some(block) = reader.read(at, 5_000 * (start + 1)).unwrap() {
                        for record in block.iter() {
                            at += 1;
                            assert_eq!(record.position(), at);
                            assert_eq!(record.kept(), at.to_le_bytes());
                        }
                        let back = reader.read_before(at + 1, 20).unwrap().unwrap();
                        assert_eq!(back.last_position(), at);
                        assert!(reader.position_at(at).unwrap() <= at);
                    }
                }
            });
        }
        let preparer = log.preparer.clone();
        scope.spawn(move || preparer.prepare_next().unwrap());
        for _ in 0..groups {
            let mut group = log.writer.group();
            for n in 0..10 {
                let position = log.writer.next_position() + n;
                group.push(position, &position.to_le_bytes(), &[3; 90], BatchEnd::Last);
            }
            log.writer.append(group).unwrap();
        }
    });
    log.reader.verify(|_, _| ()).unwrap();
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_real(directory.path(), small());
    let fs = crate::fs::SystemFileSystem::shared();
    let clock = crate::clock::SystemClock::shared();
    let second = open(directory.path(), small(), fs, clock);
    let error = second.err().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "data_directory_in_use"));
    assert!(error.message().contains(&directory.path().display().to_string()));
    drop(log);
    open_real(directory.path(), small());
}

#[test]
fn an_inspection_of_nothing_finds_no_log_and_makes_none() {
    let fs = MemoryFileSystem::new();
    assert_eq!(code(open_with(&fs, inspect(), 1)), "no_log");
    assert!(fs.files().is_empty());
    let mut log = open_small(&fs);
    fill(&mut log.writer, 3, 1);
    drop(log);
    let before = fs.writes();
    let mut log = open_with(&fs, inspect(), 1).unwrap();
    let mut group = log.writer.group();
    group.push(u64::MAX, b"", b"", BatchEnd::Last);
    assert_eq!(code(log.writer.append(group)), "inspect_only");
    assert_eq!(fs.writes(), before);
}

#[test]
fn an_epoch_lasts_and_a_new_one_begins_at_the_end() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let first = log.writer.epoch();
    assert_eq!((first.id, first.start), (log.reader.log_id(), 0));
    let all = fill(&mut log.writer, 2, 1);
    let second = log.writer.begin_epoch().unwrap();
    assert!(second.id != first.id && second.start == all.len() as u64);
    drop(log);
    assert_eq!(open_small(&fs.crash_state(1)).reader.epoch(), second);
}
