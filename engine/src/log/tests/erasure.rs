//! Erasure leaves place, time and chain, and nothing of the erased bytes.

use super::*;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn with_secrets(fs: &MemoryFileSystem) -> (Opened, Vec<u64>) {
    let mut log = open_small(fs);
    fill(&mut log.writer, 12, 1);
    let mut positions = Vec::new();
    for round in 0..12 {
        let mut group = log.writer.group();
        let time = log.writer.last_time_ms();
        group.push(time, b"kept", b"a planted secret", BatchEnd::More);
        group.push(time + 1, b"kept too", &[round; 40], BatchEnd::Last);
        positions.push(log.writer.append(group).unwrap().first_position());
        fill(&mut log.writer, 3, u64::from(round));
    }
    (log, positions)
}

#[test]
fn erased_bytes_are_gone_from_disk_and_the_chain_verifies() {
    let fs = MemoryFileSystem::new();
    let (mut log, positions) = with_secrets(&fs);
    let digests: Vec<_> = positions.iter().map(|p| log.reader.digest_at(*p).unwrap()).collect();
    let before = read_all(&log.reader, 0).unwrap();
    assert_eq!(log.writer.erase(&positions).unwrap(), positions.len() as u64);
    assert_eq!(log.writer.erase(&positions).unwrap(), 0, "a second time changes nothing");
    for path in fs.files() {
        assert!(!contains(&fs.bytes(&path).unwrap(), b"a planted secret"), "{}", path.display());
    }
    let mut all = before;
    for position in &positions {
        all[*position as usize - 1].erasable.clear();
    }
    all.extend(fill(&mut log.writer, 5, 77));
    let report = log.reader.verify(|_, _| ()).unwrap();
    assert_eq!(report.erased, positions.len() as u64);
    for (position, digest) in positions.iter().zip(digests) {
        let block = log.reader.get(*position).unwrap();
        let record = block.get(*position).unwrap();
        assert!(record.is_erased() && record.erasable().is_empty() && record.kept() == b"kept");
        assert_eq!(
            (record.digest(), record.erasable_digest()),
            (digest, digest_of(b"a planted secret"))
        );
    }
    let log = open_small(&fs.crash_state(5));
    assert!(read_all(&log.reader, 0).unwrap() == all);
    log.reader.verify(|_, _| ()).unwrap();
}

#[test]
fn positions_outside_of_the_log_cannot_be_erased() {
    let fs = MemoryFileSystem::new();
    let (mut log, _) = with_secrets(&fs);
    let past = log.writer.next_position();
    assert_eq!(code(log.writer.erase(&[past])), "position_ahead");
    assert_eq!(code(log.writer.erase(&[0])), "position_gone");
    assert_eq!(log.writer.erase(&[]).unwrap(), 0);
}

#[test]
fn a_failure_while_erasing_leaves_a_log_that_works_and_can_be_erased_again() {
    use crate::log::testing::Fault;
    for n in 0..60 {
        let fs = MemoryFileSystem::new();
        let (mut log, positions) = with_secrets(&fs);
        fs.fail_nth(n, Fault::NoSpace);
        let _ = log.writer.erase(&positions);
        fs.heal();
        log.writer.resume().unwrap();
        log.writer.erase(&positions).unwrap();
        assert_eq!(log.reader.verify(|_, _| ()).unwrap().erased, positions.len() as u64);
        fill(&mut log.writer, 2, n);
        let log = open_small(&fs.crash_state(n));
        assert_eq!(
            log.reader.verify(|_, _| ()).unwrap().erased,
            positions.len() as u64,
            "call {n}"
        );
    }
}

#[test]
fn readers_beside_an_erasure_see_whole_records_old_or_new() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open_real(
        directory.path(),
        LogOptions { segment_bytes: 32 << 10, ..LogOptions::default() },
    );
    let mut position = 0;
    for _ in 0..200 {
        let mut group = log.writer.group();
        for _ in 0..10 {
            position += 1u64;
            group.push(position, &position.to_le_bytes(), &[9; 100], BatchEnd::Last);
        }
        log.writer.append(group).unwrap();
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let reader = log.reader.clone();
            let done = &done;
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Acquire) {
                    let mut at = 0;
                    while let Some(block) = reader.read(at, 9_000).unwrap() {
                        for record in block.iter() {
                            at += 1;
                            assert_eq!(record.kept(), at.to_le_bytes());
                            assert!(record.is_erased() || record.erasable() == [9; 100]);
                        }
                    }
                    assert_eq!(at, position);
                    reader.verify(|_, _| ()).unwrap();
                }
            });
        }
        for step in 1..20 {
            let positions: Vec<_> = (1..=position).filter(|p| p % (40 - step) == 0).collect();
            log.writer.erase(&positions).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
}
