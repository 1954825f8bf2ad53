//! The binary as a command: arguments in, output and exit code out.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its stdout, after a success.
    pub(crate) fn output(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Its stdout as one JSON value, after a success.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.output()).unwrap()
    }

    /// Its stdout as JSON Lines, after a success.
    pub(crate) fn json_lines(self) -> Vec<Value> {
        self.output().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Its stderr, after a failure that printed nothing on stdout.
    pub(crate) fn refusal(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert_eq!(self.stdout, "", "a failure keeps stdout empty");
        self.stderr
    }
}

/// The binary without the caller's settings.
pub(super) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEADWATER_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn headwater(arguments: &[&str], settings: &[(&str, &str)], stdin: &str) -> Ended {
    let mut child = command()
        .args(arguments)
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_owned();
    // A command that does not read its input is no failure of the test.
    let writer = std::thread::spawn(move || drop(input.write_all(stdin.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
