//! What the system says of this process, for figures.
//!
//! Guarantees: nothing is guessed: where the system has no `/proc`, there is no figure.

use std::fs;

/// Resident memory, bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Open file descriptors.
pub(crate) fn open_descriptors() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    // Reading the directory takes a descriptor itself.
    Some((entries.count() as u64).saturating_sub(1))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read() {
        let status = "Name:\theadwater\nVmHWM:\t   99 kB\nVmRSS:\t   12 kB\nThreads:\t3\n";
        assert_eq!(resident(status), Some(12 << 10));
        assert_eq!(resident("Name:\theadwater\n"), None);
        assert_eq!(resident("VmRSS:\tmany\n"), None);
    }
}
