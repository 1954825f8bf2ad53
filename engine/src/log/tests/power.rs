//! What is left after the power went, or the process was killed, at any call.

use super::*;

struct Crashed {
    fs: MemoryFileSystem,
    acknowledged: Vec<Remembered>,
    in_flight: Vec<Remembered>,
    erased_maybe: Vec<u64>,
    dropped_to: u64,
}

/// Works on a log at random until the power goes after some calls.
fn work_until_crash(seed: u64, options: LogOptions) -> Crashed {
    let mut random = StdRng::seed_from_u64(seed);
    let fs = MemoryFileSystem::new();
    let mut crashed = Crashed {
        fs: fs.clone(),
        acknowledged: Vec::new(),
        in_flight: Vec::new(),
        erased_maybe: Vec::new(),
        dropped_to: 0,
    };
    fs.crash_after(random.random_range(0..600));
    if let Ok(mut log) = open_with(&fs, options, seed) {
        while step(&mut log, &mut random, &mut crashed).is_ok() {}
    }
    crashed
}

fn step(log: &mut Opened, random: &mut StdRng, crashed: &mut Crashed) -> Result<()> {
    match random.random_range(0..40) {
        0..=2 => log.head_keeper.write().map(|_| ()),
        3 => log.preparer.prepare_next().map(|_| ()),
        4 if !crashed.acknowledged.is_empty() => {
            let first = log.reader.first_position();
            let last = log.reader.durable_position();
            let positions: Vec<_> = (0..3).map(|_| random.random_range(first..=last)).collect();
            crashed.erased_maybe.extend(&positions);
            log.writer.erase(&positions).map(|_| ())
        }
        5 => {
            let position = log.reader.durable_position();
            let mut base = log.reader.write_base(position)?;
            base.push(b"state")?;
            base.finish()?;
            crashed.dropped_to = position;
            log.writer.drop_before(position)?;
            log.writer.drop_old_bases().map(|_| ())
        }
        _ => {
            crashed.in_flight = random_group(random, log.writer.last_time_ms());
            append(&mut log.writer, &crashed.in_flight)?;
            crashed.acknowledged.append(&mut crashed.in_flight);
            Ok(())
        }
    }
}

/// Everything acknowledged is there, and nothing else but whole batches of the group in flight.
fn check(crashed: &Crashed, log: &Opened) -> Result<(), String> {
    let reader = &log.reader;
    reader.verify(|_, _| ()).map_err(|error| error.to_string())?;
    let first = reader.first_position();
    if first > crashed.dropped_to + 1 {
        return Err(format!("begins at {first}, dropped to {}", crashed.dropped_to));
    }
    let found = read_all(reader, first - 1).map_err(|error| error.to_string())?;
    let durable = crashed.acknowledged.len();
    let before = (first - 1) as usize;
    if before + found.len() < durable {
        return Err(format!("{} of {durable} acknowledged", before + found.len()));
    }
    let expected = crashed.acknowledged.iter().chain(&crashed.in_flight).skip(before);
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let position = first + at as u64;
        let erased = Remembered { erasable: Vec::new(), ..expected.clone() };
        let may_be_erased = crashed.erased_maybe.contains(&position);
        if found != expected && !(may_be_erased && *found == erased) {
            return Err(format!("position {position} differs"));
        }
    }
    let most = durable + crashed.in_flight.len();
    let ends_batch = found.last().is_none_or(|record| record.batch_end);
    if before + found.len() > most || !ends_batch {
        return Err(format!("{} records, at most {most}", before + found.len()));
    }
    Ok(())
}

fn reopened(crashed: &Crashed, seed: u64, options: LogOptions) -> Result<(), String> {
    let found = crashed.fs.crash_state(seed);
    let again = found.kill_state();
    // The power may go again while the log is repaired.
    found.crash_after(seed % 40);
    let twice = match open_with(&found, options, seed) {
        Ok(log) => check(crashed, &log).err().filter(|_| !found.is_crashed()),
        Err(error) => (!found.is_crashed()).then(|| error.to_string()),
    };
    if let Some(problem) = twice {
        return Err(problem);
    }
    for disk in [again, found.crash_state(seed + 1)] {
        let mut log = open_with(&disk, options, seed).map_err(|error| error.to_string())?;
        check(crashed, &log)?;
        let more = random_group(&mut StdRng::seed_from_u64(seed), log.writer.last_time_ms());
        append(&mut log.writer, &more).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn everything_acknowledged_survives_the_loss_of_power_at_any_call() {
    rounds(150, 20_000, |seed| {
        let crashed = work_until_crash(seed, small());
        for state in 0..4 {
            if let Err(problem) = reopened(&crashed, seed.wrapping_add(state), small()) {
                panic!("seed {seed}, state {state}: {problem}");
            }
        }
    });
}

#[test]
fn the_same_harness_finds_loss_when_nothing_is_synced() {
    let relaxed = LogOptions { durability: Durability::Relaxed, ..small() };
    let mut losses = 0;
    for seed in 0..60 {
        let crashed = work_until_crash(seed, relaxed);
        let disk = crashed.fs.crash_state(seed);
        // Loss is allowed, a log that does not open is not: what the head named was synced first.
        let log = open_with(&disk, relaxed, seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        log.reader.verify(|_, _| ()).unwrap();
        losses += u64::from(check(&crashed, &log).is_err());
    }
    assert!(losses > 10, "relaxed mode lost something in {losses} of 60 rounds only");
}

#[test]
fn a_killed_process_loses_nothing_in_either_mode() {
    rounds(60, 2_000, |seed| {
        for durability in [Durability::Sync, Durability::Relaxed] {
            let options = LogOptions { durability, ..small() };
            let crashed = work_until_crash(seed, options);
            let disk = crashed.fs.kill_state();
            let log = open_with(&disk, options, seed).unwrap();
            assert_eq!(check(&crashed, &log), Ok(()), "{durability:?}");
        }
    });
}

#[test]
fn records_past_the_head_are_made_durable_again_before_they_are_trusted() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    fill(&mut log.writer, 3, 1);
    log.writer.write_head().unwrap();
    let acknowledged = log.reader.durable_position();
    // The sync of a group fails: its pages stay readable, but no later sync of theirs writes them.
    fs.fail_nth(1, crate::log::testing::Fault::Io);
    let group = random_group(&mut StdRng::seed_from_u64(2), log.writer.last_time_ms());
    assert_eq!(code(append(&mut log.writer, &group)), "write_unknown");
    drop(log);
    let killed = fs.kill_state();
    let log = open_small(&killed);
    let believed = log.reader.durable_position();
    assert!(believed > acknowledged, "the process sees the group in memory");
    drop(log);
    for seed in 0..20 {
        let log = open_small(&killed.crash_state(seed));
        assert!(log.reader.durable_position() >= believed);
    }
}
