//! A program that goes on, in a process group of its own; its lines come one by one.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::eventually;

/// A program under way; it is killed with all that it started when this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = piped.process_group(0).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{command:?}: {error}; see README"));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let errors: Arc<Mutex<String>> = Arc::default();
        let (to_lines, to_errors) = (Arc::clone(&lines), Arc::clone(&errors));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                to_lines.lock().unwrap().push(line);
            }
        });
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part) {
                let text = String::from_utf8_lossy(&part[..length]);
                to_errors.lock().unwrap().push_str(&text);
            }
        });
        Self { child, lines, errors }
    }

    /// The lines that it has printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// What it has said on stderr.
    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Waits until its lines are as they should be.
    pub(crate) async fn wait(&self, what: &str, found: impl Fn(&[String]) -> bool) {
        eventually(what, async || found(&self.lines()).then_some(())).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill_group(&mut self.child);
        if std::thread::panicking() {
            let lines = self.lines();
            eprintln!("--- the program's {} lines, and stderr ---", lines.len());
            lines.iter().rev().take(20).rev().for_each(|line| eprintln!("{line}"));
            eprintln!("---\n{}", self.errors());
        }
    }
}

/// Kills a process that leads a group, and the group.
pub(super) fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    drop(Command::new("kill").args(["-KILL", "--", &group]).status());
    drop(child.wait());
}
