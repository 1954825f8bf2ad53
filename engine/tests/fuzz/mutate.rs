//! Random changes of inputs: bits, pieces, and the words of the language.
//!
//! Leaves to others: what the changed bytes are given to.

use rand::RngExt;
use rand::rngs::StdRng;

/// Pieces that mean something to the parsers.
const PIECES: [&str; 30] = [
    "null",
    "-0.0",
    "1e308",
    "9223372036854775807",
    "-2147483648",
    "0.5",
    "[]",
    "{}",
    "\"\"",
    "\"$a\"",
    "\"$$ROOT\"",
    "\"$$this\"",
    "\"a.b\"",
    "\"t.0\"",
    "\"\\u0000\"",
    "\"äöü\"",
    "{\"$numberDecimal\":\"1e6144\"}",
    "{\"$numberDouble\":\"NaN\"}",
    "{\"$date\":{\"$numberLong\":\"9223372036854775807\"}}",
    "{\"$minKey\":1}",
    "{\"$numberLong\":\"-9223372036854775808\"}",
    "{\"$oid\":\"000000000000000000000000\"}",
    "1000000000",
    "-1",
    "{\"$regularExpression\":{\"pattern\":\"(a+)+$\",\"options\":\"\"}}",
    "\"(a|aa)+(?=b)\"",
    "true",
    "[[],[[]]]",
    "{\"$literal\":{\"$a\":1}}",
    "[1,2,3,4,5,6,7,8,9,10]",
];

/// Changes an input one to four times; `other` gives pieces.
pub fn mutate(input: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=4) {
        bytes = change(&bytes, other, random);
    }
    bytes.truncate(100_000);
    bytes
}

fn below(end: usize, random: &mut StdRng) -> usize {
    if end == 0 { 0 } else { random.random_range(0..end) }
}

fn change(bytes: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut new = bytes.to_vec();
    match random.random_range(0..10) {
        0 if !new.is_empty() => {
            let at = below(new.len(), random);
            new[at] ^= 1 << random.random_range(0..8);
        }
        1 => {
            let (from, to) = range(&new, random);
            new.drain(from..to);
        }
        2 => {
            let (from, to) = range(other, random);
            let at = below(new.len() + 1, random);
            new.splice(at..at, other[from..to].iter().copied());
        }
        3..6 => {
            // One word of the language for another.
            let (ours, theirs) = (words(&new), words(other));
            if !ours.is_empty() && !theirs.is_empty() {
                let (from, to) = ours[below(ours.len(), random)];
                let word = theirs[below(theirs.len(), random)];
                new.splice(from..to, other[word.0..word.1].iter().copied());
            }
        }
        6..9 => {
            // A value for a piece, a whole input, or many of itself.
            let values = values(&new);
            if !values.is_empty() {
                let (from, to) = values[below(values.len(), random)];
                let piece = match random.random_range(0..8) {
                    0 => other.to_vec(),
                    1 => wrapped(&new[from..to], random),
                    _ => PIECES[below(PIECES.len(), random)].as_bytes().to_vec(),
                };
                new.splice(from..to, piece);
            }
        }
        _ => new = wrapped(&new, random),
    }
    new
}

fn range(bytes: &[u8], random: &mut StdRng) -> (usize, usize) {
    let from = below(bytes.len() + 1, random);
    (from, from + below((bytes.len() - from).min(40) + 1, random))
}

/// The same inside of many others, or many times in a list.
fn wrapped(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let around = [
        ("[", "]"),
        ("{\"$and\":[", "]}"),
        ("{\"a\":", "}"),
        ("{\"$not\":", "}"),
        ("{\"$add\":[1,", "]}"),
        ("{\"$elemMatch\":", "}"),
        ("{\"$concatArrays\":[\"$t\",", "]}"),
        ("{\"$map\":{\"input\":\"$t\",\"in\":", "}}"),
    ];
    let (open, close) = around[below(around.len(), random)];
    let times = [1, 2, 5, 30, 60, 120, 300][below(7, random)];
    if random.random_range(0..4) == 0 {
        let list = vec![String::from_utf8_lossy(bytes).into_owned(); times];
        return format!("[{}]", list.join(",")).into_bytes();
    }
    [open.repeat(times).as_bytes(), bytes, close.repeat(times).as_bytes()].concat()
}

/// The places of quoted words.
fn words(bytes: &[u8]) -> Vec<(usize, usize)> {
    let quotes: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b'"').collect();
    quotes.chunks_exact(2).map(|pair| (pair[0], pair[1] + 1)).collect()
}

/// The places of what stands after a colon or a comma, to the end of its brackets.
fn values(bytes: &[u8]) -> Vec<(usize, usize)> {
    let starts = (0..bytes.len()).filter(|at| matches!(bytes[*at], b':' | b',' | b'['));
    let ends = starts.map(|start| {
        let (mut depth, mut quoted) = (0, false);
        let end = bytes[start + 1..].iter().position(|byte| {
            quoted ^= *byte == b'"';
            match byte {
                _ if quoted => false,
                b'[' | b'{' => {
                    depth += 1;
                    false
                }
                b']' | b'}' => {
                    depth -= 1;
                    depth < 0
                }
                b',' => depth == 0,
                _ => false,
            }
        });
        (start + 1, end.map_or(bytes.len(), |end| start + 1 + end))
    });
    ends.filter(|(from, to)| from < to).collect()
}
