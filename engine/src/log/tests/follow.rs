//! Following live: the tail in memory, the hand-over from disk, the keepers' loops.

use std::time::Duration;

use super::*;
use crate::tasks::Tasks;

#[test]
fn the_tail_gives_the_block_that_holds_the_next_position() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let tail = Tail::new(20_000, 0);
    assert!(matches!(tail.after(0), TailRead::UpToDate));
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..60 {
        let records = random_group(&mut random, log.writer.last_time_ms());
        tail.push(append(&mut log.writer, &records).unwrap());
    }
    let last = log.reader.durable_position();
    assert_eq!(tail.published(), last);
    assert!(matches!(tail.after(last), TailRead::UpToDate));
    assert!(matches!(tail.after(0), TailRead::TooOld));
    let mut held = 0;
    for position in 0..last {
        match tail.after(position) {
            TailRead::Block(block) => {
                assert!(block.get(position + 1).is_some());
                held += 1;
            }
            TailRead::TooOld => assert_eq!(held, 0, "the ring has no holes"),
            TailRead::UpToDate => panic!("position {position} of {last} has a successor"),
        }
    }
    assert!(held > 0);
    tail.clear();
    assert!(matches!(tail.after(last), TailRead::UpToDate));
    assert!(matches!(tail.after(last - 1), TailRead::TooOld));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_pass_from_disk_to_the_tail_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let Opened { mut writer, reader, head_keeper, preparer, .. } =
        open_real(directory.path(), options);
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    let token = tasks.token();
    tasks
        .spawn_thread("head", {
            let token = token.clone();
            move || head_keeper.run(&token)
        })
        .unwrap();
    tasks.spawn_thread("prepare", move || preparer.run(&token)).unwrap();
    let tail = Arc::new(Tail::new(30_000, 0));
    let total = 4_000;
    let mut followers = tokio::task::JoinSet::new();
    for slow in 0..4u32 {
        let (tail, reader) = (Arc::clone(&tail), reader.clone());
        followers.spawn(async move { follow(&tail, &reader, total, slow).await });
    }
    let pushed = Arc::clone(&tail);
    tasks
        .spawn_thread("writer", move || {
            while writer.next_position() <= total {
                let mut group = writer.group();
                for n in 0..20 {
                    let position = writer.next_position() + n;
                    group.push(position, &position.to_le_bytes(), &[5; 100], BatchEnd::Last);
                }
                pushed.push(writer.append(group).unwrap());
            }
        })
        .unwrap();
    let from_disk: u64 = followers.join_all().await.into_iter().sum();
    assert!(from_disk > 0, "slow followers read from disk");
    assert!(tasks.stop(Duration::from_secs(10)).await.is_empty());
    let path = directory.path();
    let head = super::super::head::read(&crate::fs::SystemFileSystem, path).unwrap().unwrap();
    assert_eq!(head.position, total, "the keeper wrote the head at the stop");
}

async fn follow(tail: &Tail, reader: &LogReader, total: u64, slow: u32) -> u64 {
    let mut published = tail.subscribe();
    let (mut at, mut from_disk) = (0, 0);
    if slow > 0 {
        // Too late for the ring, which does not hold half of it.
        published.wait_for(|last| *last >= total / 2).await.unwrap();
    }
    while at < total {
        let check = |block: &Block, at: &mut u64| {
            while let Some(record) = block.get(*at + 1) {
                *at += 1;
                assert_eq!(record.kept(), at.to_le_bytes());
            }
        };
        match tail.after(at) {
            TailRead::Block(block) => check(&block, &mut at),
            TailRead::TooOld => {
                let block = reader.read(at, 10_000).unwrap().unwrap();
                from_disk += block.len() as u64;
                check(&block, &mut at);
            }
            TailRead::UpToDate => {
                published.wait_for(|last| *last > at).await.unwrap();
            }
        }
        for _ in 0..slow * 5 {
            tokio::task::yield_now().await;
        }
    }
    from_disk
}

#[test]
fn the_head_keeper_writes_the_head_within_fifty_milliseconds() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let stop = tokio_util::sync::CancellationToken::new();
    std::thread::scope(|scope| {
        let (keeper, token) = (log.head_keeper.clone(), stop.clone());
        scope.spawn(move || keeper.run(&token));
        let mut late = 0;
        for seed in 0..10 {
            fill(&mut log.writer, 1, seed);
            let position = log.reader.durable_position();
            let since = std::time::Instant::now();
            let on_disk = || super::super::head::read(&fs, &dir()).unwrap().unwrap().position;
            while on_disk() < position {
                assert!(since.elapsed() < Duration::from_secs(5));
                std::thread::yield_now();
            }
            late += u32::from(since.elapsed() > Duration::from_millis(50));
        }
        stop.cancel();
        assert!(late <= 3, "{late} of 10 were late, even for a busy machine");
    });
}
