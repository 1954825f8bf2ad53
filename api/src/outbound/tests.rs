//! The guard against a model that is written apart from it: over a corpus of urls, over changes of them, at the borders of
//! every range in several forms. `HEADWATER_SEED` replays the changes.

#[path = "../../tests/fuzz/url.rs"]
mod body;

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::RngExt;
use reqwest::Url;

use super::guard::Guard;
use super::{mutate, seed};

const CORPUS: [&str; 3] = [
    include_str!("../../tests/fuzz/corpus/url/refused.txt"),
    include_str!("../../tests/fuzz/corpus/url/public.txt"),
    include_str!("../../tests/fuzz/corpus/url/hostile.txt"),
];

/// Whether a url has a literal address; what it has is judged.
fn judge(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    // Others are refused before they are parsed.
    if !["http", "https"].contains(&url.scheme()) {
        return false;
    }
    let Some(host) = url.host_str() else { return false };
    body::holds(host, Guard::new(Vec::new()).check_literal(host).is_ok())
}

#[test]
fn s8_the_guard_agrees_with_the_model_over_changed_urls() {
    let lines: Vec<&str> = CORPUS.iter().flat_map(|file| file.lines()).collect();
    let literal = lines.iter().filter(|line| judge(line)).count();
    assert!(literal > 80, "the corpus is gone: {literal}");
    let replay = seed::Replay::of(seed::seeds(1)[0]);
    let mut random = replay.random();
    let mut taken = 0_u64;
    let runs = seed::count(20_000, 5_000_000);
    for _ in 0..runs {
        let input = lines[random.random_range(0..lines.len())].as_bytes();
        let other = lines[random.random_range(0..lines.len())].as_bytes();
        let changed = mutate::mutate(input, other, &mut random);
        taken += u64::from(judge(&String::from_utf8_lossy(&changed)));
    }
    println!("{} urls, {runs} changes of them, {taken} with an address", lines.len());
    assert!(taken > runs as u64 / 20, "hardly any address was looked at: {taken} of {runs}");
}

#[test]
fn s8_the_borders_of_every_range_in_every_form() {
    for (first, last) in body::REFUSED_V4 {
        let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
        let (first, last) = (bits(first), bits(last));
        for address in [first.wrapping_sub(1), first, last, last.wrapping_add(1)] {
            let [a, b, c, d] = address.to_be_bytes();
            let low = u16::from_be_bytes([c, d]);
            for host in [
                format!("{a}.{b}.{c}.{d}"),
                format!("{address}"),
                format!("{address:#x}"),
                format!("0{a:o}.0x{b:x}.{low}"),
                format!("{a}.{}", address & 0xff_ffff),
                format!("[::ffff:{a}.{b}.{c}.{d}]"),
                format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
                format!("[2002:{:x}:{low:x}::1]", u16::from_be_bytes([a, b])),
            ] {
                assert!(judge(&format!("http://{host}/")), "{host} is an address");
            }
        }
    }
    for (first, last) in body::REFUSED_V6 {
        let bits = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
        let (first, last) = (bits(first), bits(last));
        for address in [first.wrapping_sub(1), first, last, last.wrapping_add(1)] {
            let address = Ipv6Addr::from_bits(address);
            assert!(judge(&format!("https://[{address}]:1/")), "{address}");
        }
    }
}
