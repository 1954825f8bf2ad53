//! mingo in a Node process: installed once into the build directory, asked one line at a time.
//!
//! Leaves to others: what is asked, and what the answers mean.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The running program; it ends with its input.
pub struct Mingo {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Mingo {
    pub fn start() -> Self {
        let dir = install();
        let mut command = Command::new("node");
        command.arg(dir.join("mingo.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node runs; see README, Tests");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// The result, or why there is none.
    pub fn ask(&mut self, operation: &Value) -> Result<Value, String> {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{operation}").unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).expect("an answer of mingo.mjs");
        match answer.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(answer["result"].take()),
        }
    }
}

impl Drop for Mingo {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// Installs the version that `tests/clients/package.json` pins, unless it is there; the directory.
fn install() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mingo");
    let pinned = std::fs::read_to_string(source.join("package.json")).unwrap();
    let pinned: Value = serde_json::from_str(&pinned).unwrap();
    let version = &pinned["dependencies"]["mingo"];
    let package = json!({"private": true, "type": "module", "dependencies": {"mingo": version}});
    let package = package.to_string();
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(source.join("mingo.mjs"), dir.join("mingo.mjs")).unwrap();
    let marker = dir.join("installed");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == package) {
        return dir;
    }
    std::fs::write(dir.join("package.json"), &package).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&dir);
    let status = npm.current_dir(&dir).stdin(Stdio::null()).status();
    assert!(status.expect("npm runs; see README, Tests").success(), "{npm:?}");
    std::fs::write(marker, &package).unwrap();
    dir
}
