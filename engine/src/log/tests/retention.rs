//! Retention drops only what a sound base holds; a backup is a log of its own.

use super::*;

fn write_base(log: &Opened, position: u64) {
    let mut base = log.reader.write_base(position).unwrap();
    for n in 0..100u8 {
        base.push(&vec![n; usize::from(n) * 20]).unwrap();
    }
    base.finish().unwrap();
}

#[test]
fn nothing_is_dropped_without_a_sound_base() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let last = fill(&mut log.writer, 40, 1).len() as u64;
    assert_eq!(log.writer.drop_before(last).unwrap(), Dropped::default());
    write_base(&log, 5);
    assert_eq!(log.writer.drop_before(last).unwrap(), Dropped::default());
    write_base(&log, last - 1);
    let path =
        fs.files().into_iter().rfind(|p| p.extension().is_some_and(|e| e == "base")).unwrap();
    let sound = fs.bytes(&path).unwrap();
    let mut bytes = sound.clone();
    bytes[5_000] ^= 1;
    fs.put(&path, &bytes);
    assert_eq!(code(log.writer.drop_before(last)), "base_damaged");
    assert_eq!(log.reader.first_position(), 1);
    fs.put(&path, &sound);
    assert!(log.writer.drop_before(last).unwrap().segments > 0);
}

#[test]
fn the_log_goes_on_from_its_base_after_retention() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let mut all = fill(&mut log.writer, 40, 1);
    let held = log.reader.closed_segments();
    let cut = held[held.len() / 2].last_position;
    write_base(&log, cut + 3);
    write_base(&log, 4);
    let dropped = log.writer.drop_before(cut).unwrap();
    assert_eq!(dropped.segments as usize, held.len() / 2 + 1);
    assert_eq!(log.reader.first_position(), cut + 1);
    assert_eq!(log.writer.drop_old_bases().unwrap(), 1);
    let gone = log.reader.read(cut - 1, 100).err().unwrap();
    assert_eq!(gone.code(), "position_gone");
    assert_eq!(gone.detail("first"), Some(&crate::Detail::Number(cut + 1)));
    assert!(log.reader.read_before(cut + 1, 10).unwrap().is_none());
    all.extend(fill(&mut log.writer, 10, 2));
    let log = open_small(&fs.crash_state(3));
    assert!(read_all(&log.reader, cut).unwrap() == all[cut as usize..]);
    let base = log.reader.newest_base().unwrap().unwrap();
    assert_eq!((base.header().position, base.entries()), (cut + 3, 100));
    let mut entries = 0;
    base.for_each(|entry| {
        assert_eq!(entry.len(), entries * 20);
        entries += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(log.reader.verify(|_, _| ()).unwrap().base, Some(cut + 3));
}

#[test]
fn a_log_whose_beginning_is_missing_is_refused() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    fill(&mut log.writer, 40, 1);
    write_base(&log, 5);
    drop(log);
    fs.take(&segment_files(&fs)[0]);
    assert_eq!(code(open_with(&fs, small(), 1)), "segment_missing");
}

#[test]
fn an_export_beside_a_writer_is_a_log_of_its_own() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let mut all = fill(&mut log.writer, 30, 1);
    write_base(&log, 9);
    log.writer.drop_before(9).unwrap();
    let first = log.reader.first_position();
    let snapshot = log.reader.snapshot().unwrap();
    let later = fill(&mut log.writer, 30, 2);
    log.writer.erase(&[first]).unwrap();
    let to = PathBuf::from("/copy");
    snapshot.copy_to(&to, &fs).unwrap();
    assert_eq!(snapshot.position(), all.len() as u64);
    assert_eq!(code(snapshot.copy_to(&to, &fs)), "directory_not_empty");
    let mut copy = open(&to, small(), fs.shared(), ManualClock::new(0, 5)).unwrap();
    assert!(copy.recovery.clean);
    copy.reader.verify(|_, _| ()).unwrap();
    let before = copy.writer.epoch();
    assert!(copy.writer.begin_epoch().unwrap().id != before.id);
    // The segment was loaded before the erasure or after it; either is a whole one.
    if copy.reader.get(first).unwrap().iter().all(|record| record.is_erased()) {
        all[first as usize - 1].erasable.clear();
    }
    all.extend(fill(&mut copy.writer, 5, 3));
    assert!(read_all(&copy.reader, first - 1).unwrap() == all[first as usize - 1..]);
    assert!(!later.is_empty() && log.reader.verify(|_, _| ()).is_ok());
}
