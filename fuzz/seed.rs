//! Writes the corpora of the tests as the files that cargo-fuzz reads: `cargo run --bin seed` in this directory.
//!
//! Leaves to others: taking what a fuzzer found back into `engine/tests/fuzz/corpus` and `api/tests/fuzz/corpus`.

use std::io::Result;
use std::path::Path;

fn main() -> Result<()> {
    for corpus in ["../engine/tests/fuzz/corpus", "../api/tests/fuzz/corpus"] {
        write(&Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus))?;
    }
    Ok(())
}

/// A file for each line of the `.jsonl` and `.txt` files, and each other file whole.
fn write(corpus: &Path) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in std::fs::read_dir(corpus)? {
        let target = target?;
        let into = here.join("corpus").join(target.file_name());
        std::fs::create_dir_all(&into)?;
        for file in std::fs::read_dir(target.path())? {
            let file = file?;
            let bytes = std::fs::read(file.path())?;
            let name = file.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".jsonl") && !name.ends_with(".txt") {
                std::fs::write(into.join(name), bytes)?;
                continue;
            }
            for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
                std::fs::write(into.join(format!("{name}-{at}")), line)?;
            }
        }
    }
    Ok(())
}
