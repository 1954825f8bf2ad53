//! What becomes of a log in which something was changed, cut or removed behind its back.

use super::*;

struct Sound {
    fs: MemoryFileSystem,
    records: Vec<Remembered>,
    first: u64,
    /// Up to here the head vouches.
    head: u64,
}

/// A small log with a base, dropped, closed and active segments; stopped cleanly or killed past its head.
fn sound(clean: bool) -> Sound {
    let fs = MemoryFileSystem::new();
    let options = LogOptions { segment_bytes: 8192, ..LogOptions::default() };
    let mut log = open_with(&fs, options, 3).unwrap();
    let mut records = fill(&mut log.writer, 8, 1);
    let mut base = log.reader.write_base(log.reader.durable_position()).unwrap();
    base.push(b"some state").unwrap();
    base.push(&[7; 300]).unwrap();
    base.finish().unwrap();
    assert!(log.writer.drop_before(records.len() as u64).unwrap().segments > 0);
    records.extend(fill(&mut log.writer, 8, 2));
    let positions = [records.len() as u64 - 3];
    log.writer.erase(&positions).unwrap();
    records[positions[0] as usize - 1].erasable.clear();
    records.extend(fill(&mut log.writer, 2, 4));
    log.writer.write_head().unwrap();
    let head = log.reader.durable_position();
    let first = log.reader.first_position();
    if clean {
        log.writer.close().unwrap();
    } else {
        records.extend(fill(&mut log.writer, 1, 5));
    }
    Sound { fs: fs.kill_state(), records, first, head }
}

/// Opens, reads and verifies a changed disk: intact data up to the head or a refusal.
fn outcome(sound: &Sound, disk: &MemoryFileSystem, what: &str) {
    let before: Vec<_> = disk.files().iter().map(|path| (path.clone(), disk.bytes(path))).collect();
    let options = LogOptions { segment_bytes: 8192, ..LogOptions::default() };
    let Ok(log) = open_with(disk, options, 3) else {
        let after: Vec<_> = disk.files().iter().map(|p| (p.clone(), disk.bytes(p))).collect();
        let lock = |files: Vec<(PathBuf, Option<Vec<u8>>)>| {
            files.into_iter().filter(|(path, _)| !path.ends_with("lock")).collect::<Vec<_>>()
        };
        assert_eq!(lock(before), lock(after), "{what}: refused, yet something changed");
        return;
    };
    let first = log.reader.first_position();
    assert_eq!(first, sound.first, "{what}");
    let last = log.reader.durable_position();
    assert!(last >= sound.head, "{what}: the head says {}, the log ends at {last}", sound.head);
    assert!(last as usize <= sound.records.len(), "{what}: more than there was");
    match read_all(&log.reader, first - 1) {
        Ok(found) => {
            let expected = &sound.records[first as usize - 1..last as usize];
            assert!(found == expected, "{what}: silently altered");
        }
        Err(error) => {
            assert_eq!(error.kind(), crate::ErrorKind::Damaged, "{what}: {error}");
            assert!(log.reader.verify(|_, _| ()).is_err(), "{what}: verify saw nothing");
        }
    }
    if let Ok(Some(base)) = log.reader.newest_base() {
        let mut entries = Vec::new();
        base.for_each(|entry| {
            entries.push(entry.to_vec());
            Ok(())
        })
        .unwrap();
        assert!(entries == [b"some state".to_vec(), vec![7; 300]], "{what}: altered base");
    }
}

fn targets(sound: &Sound) -> Vec<(PathBuf, Vec<u8>)> {
    let files = sound.fs.files().into_iter().filter(|path| !path.ends_with("lock"));
    files.map(|path| (path.clone(), sound.fs.bytes(&path).unwrap())).collect()
}

#[test]
fn every_flipped_bit_is_harmless_or_refused() {
    // Every byte has one of its bits flipped, every byte all eight with HEADWATER_LONG.
    let bits = if std::env::var_os("HEADWATER_LONG").is_some() { 8 } else { 1 };
    let mut flips = 0;
    for clean in [true, false] {
        let sound = sound(clean);
        for (path, bytes) in targets(&sound) {
            for at in 0..bytes.len() {
                // Long stretches of zeros behave alike.
                if bits == 1
                    && bytes[at.saturating_sub(40)..(at + 40).min(bytes.len())]
                        .iter()
                        .all(|b| *b == 0)
                    && at % 64 != 0
                {
                    continue;
                }
                for bit in 0..bits {
                    let bit = if bits == 1 { (at * 5 + at / 8) % 8 } else { bit };
                    let mut flipped = bytes.clone();
                    flipped[at] ^= 1 << bit;
                    let disk = sound.fs.kill_state();
                    disk.put(&path, &flipped);
                    outcome(&sound, &disk, &format!("{} bit {bit} of byte {at}", path.display()));
                    flips += 1;
                }
            }
        }
    }
    assert!(flips >= 10_000, "only {flips} flips");
}

#[test]
fn every_length_is_harmless_or_refused() {
    let mut cuts = 0;
    for clean in [true, false] {
        let sound = sound(clean);
        for (path, bytes) in targets(&sound) {
            for len in (0..bytes.len()).step_by(13).chain([bytes.len() - 1]) {
                let disk = sound.fs.kill_state();
                disk.put(&path, &bytes[..len]);
                outcome(&sound, &disk, &format!("{} cut to {len}", path.display()));
                cuts += 1;
            }
        }
    }
    assert!(cuts >= 1_000, "only {cuts} cuts");
}

#[test]
fn every_zeroed_stretch_is_harmless_or_refused() {
    for clean in [true, false] {
        let sound = sound(clean);
        for (path, bytes) in targets(&sound) {
            for size in [8, 512, 4096] {
                for start in (0..bytes.len()).step_by(size.max(64)) {
                    let mut zeroed = bytes.clone();
                    let end = (start + size).min(bytes.len());
                    zeroed[start..end].fill(0);
                    let disk = sound.fs.kill_state();
                    disk.put(&path, &zeroed);
                    outcome(&sound, &disk, &format!("{} zeroed {start}..{end}", path.display()));
                }
            }
        }
    }
}

#[test]
fn every_removed_file_is_harmless_or_refused() {
    for clean in [true, false] {
        let sound = sound(clean);
        for (path, _) in targets(&sound) {
            let disk = sound.fs.kill_state();
            disk.take(&path);
            outcome(&sound, &disk, &format!("{} removed", path.display()));
        }
    }
}

#[test]
fn damage_in_front_of_a_later_group_is_refused_by_name_even_past_the_head() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let first = append(&mut log.writer, &random_group(&mut StdRng::seed_from_u64(1), 0)).unwrap();
    fill(&mut log.writer, 1, 2);
    drop(log);
    let path = &segment_files(&fs)[0];
    let mut bytes = fs.bytes(path).unwrap();
    bytes[4096 + 60] ^= 1;
    fs.put(path, &bytes);
    let error = open_with(&fs, small(), 1).err().unwrap();
    assert_eq!(error.code(), "segment_damaged");
    assert_eq!(error.detail("offset"), Some(&crate::Detail::Number(4096)));
    assert_eq!(error.detail("position"), Some(&crate::Detail::Number(first.first_position())));
    assert_eq!(fs.bytes(path), Some(bytes));
}

#[test]
fn a_torn_last_group_past_the_head_is_cut_back_to_a_whole_batch() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    fill(&mut log.writer, 2, 1);
    let durable = log.reader.durable_position();
    let mut group = log.writer.group();
    for (at, end) in
        [BatchEnd::More, BatchEnd::Last, BatchEnd::More, BatchEnd::Last].iter().enumerate()
    {
        group.push(9_000, &[at as u8; 10], &[1; 50], *end);
    }
    let block = log.writer.append(group).unwrap();
    let torn = block.get(durable + 4).unwrap().offset() as usize;
    drop((log, block));
    let path = &segment_files(&fs)[0];
    let mut bytes = fs.bytes(path).unwrap();
    bytes[torn + 100] ^= 4;
    fs.put(path, &bytes);
    let inspected = open_with(&fs, inspect(), 1).unwrap();
    assert_eq!(inspected.reader.durable_position(), durable + 2);
    assert_eq!(fs.bytes(path), Some(bytes), "an inspection changes nothing");
    drop(inspected);
    let log = open_small(&fs);
    assert_eq!(log.recovery.last_position, durable + 2);
    assert!(log.recovery.trimmed_bytes > 0 && !log.recovery.clean);
    assert!(fs.bytes(path).unwrap()[torn..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_document_that_looks_like_a_record_does_not_pass_for_one() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    fill(&mut log.writer, 1, 1);
    let durable = log.reader.durable_position();
    // The body is a record as another log would write it at just this place, of a group that starts there.
    let other = MemoryFileSystem::new();
    let mut forger = open_with(&other, small(), 99).unwrap();
    let forged =
        append(&mut forger.writer, &random_group(&mut StdRng::seed_from_u64(8), 0)).unwrap();
    let end = segment_end(&log);
    let mut body = forged.bytes().to_vec();
    let at = end + super::super::record::RECORD_HEADER_BYTES as u64;
    super::super::record::put_place(&mut body, at, at, 0);
    let mut group = log.writer.group();
    group.push(9_000, &[], &body, BatchEnd::Last);
    log.writer.append(group).unwrap();
    drop((log, forger));
    let path = &segment_files(&fs)[0];
    let mut bytes = fs.bytes(path).unwrap();
    bytes[end as usize + 20] ^= 1;
    fs.put(path, &bytes);
    let log = open_small(&fs);
    assert_eq!(log.reader.durable_position(), durable, "a torn tail, not damage, nor a record");
}

fn segment_end(log: &Opened) -> u64 {
    log.reader.shared.segments().last().unwrap().summary().records_end
}

#[test]
fn a_newer_format_is_refused_by_name_and_left_alone() {
    for name in ["/data/log/00000000000000000001.log", "/data/head"] {
        let fs = MemoryFileSystem::new();
        drop(open_small(&fs));
        let path = Path::new(name);
        let mut bytes = fs.bytes(path).unwrap();
        super::super::layout::put_u32(&mut bytes, 8, 2);
        super::super::layout::put_u32(&mut bytes, 12, 0);
        let checksum = crc32c::crc32c(&bytes[..4096]);
        super::super::layout::put_u32(&mut bytes, 12, checksum);
        fs.put(path, &bytes);
        let error = open_with(&fs, small(), 1).err().unwrap();
        assert_eq!(error.code(), "newer_format");
        assert!(error.message().contains(name));
        assert_eq!(fs.bytes(path), Some(bytes));
    }
}

#[test]
fn a_segment_of_another_log_is_refused() {
    let (ours, theirs) = (MemoryFileSystem::new(), MemoryFileSystem::new());
    drop(open_with(&ours, small(), 1).unwrap());
    drop(open_with(&theirs, small(), 2).unwrap());
    let path = &segment_files(&ours)[0];
    ours.put(path, &theirs.bytes(path).unwrap());
    assert_eq!(code(open_with(&ours, small(), 1)), "foreign_segment");
}
