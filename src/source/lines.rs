//! Documents of JSON Lines, one a line; empty lines are skipped.

use std::io::{BufRead, Read};

use serde_json::value::RawValue;

use super::{Batches, Stop};

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Reads every line.
pub(super) fn read(mut input: impl BufRead, batches: &mut Batches) -> Result<(), Stop> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let fault =
            |what: String| Stop::Faulty(format!("{}: {what}", batches.name_of_next(Some(number))));
        if read as u64 > LINE_BYTES_MAX {
            return Err(fault(format!("longer than {LINE_BYTES_MAX} bytes; is this JSON Lines?")));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let document: &RawValue =
            serde_json::from_slice(line.trim_ascii()).map_err(|error| fault(in_line(&error)))?;
        batches.push(document.get(), Some(number))?;
    }
    Ok(())
}

/// The error with its column alone, since a line's own number is always 1.
fn in_line(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} at column {}", error.column()),
        None => message,
    }
}
