//! The real binary: started, killed, stopped, asked.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The key with full access.
pub const KEY: &str = "root-key-of-the-crash-tests-0123456789";

/// A running server.
pub struct Server {
    child: Child,
    pub url: String,
}

/// The binary, told where its data is.
fn binary(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.env("RUST_LOG", "warn").env("HEADWATER_LIMITS__DISK_RESERVE", "0");
    command.env("HEADWATER_LOG__SEGMENT_BYTES", "1048576");
    command.args(["serve", "--listen", "127.0.0.1:0", "--root-key", KEY, "--data"]).arg(data);
    command
}

impl Server {
    /// Starts a server; its log goes to a file beside the data.
    pub fn start(data: &Path) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(data.with_extension("stderr"))
            .unwrap();
        let mut child = binary(data).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.find_map(|line| {
            line.ok()?.strip_prefix("listening on ").map(|url| url.trim().to_owned())
        });
        let url = listening.unwrap_or_else(|| {
            let log = std::fs::read_to_string(data.with_extension("stderr")).unwrap_or_default();
            panic!("the server does not start: {log}")
        });
        Self { child, url }
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; gives the exit status and how long it took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = wait(&mut self.child);
        (status, started.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that fails leaves no process behind.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts a server that must not start; its exit status and what it says.
pub fn refused(data: &Path) -> (ExitStatus, String) {
    let mut child = binary(data).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let status = wait(&mut child);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    (status, said)
}

/// Runs another subcommand on a stopped directory; what it says if it fails.
pub fn verify(data: &Path) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    let output = command.arg("verify").arg("--data").arg(data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            drop(child.kill());
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
