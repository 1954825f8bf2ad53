//! The real binary on a port of its own, over a scratch directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use tempfile::TempDir;

use super::command::command;
use super::{Client, PATIENCE, headwater};

/// The key with full access.
pub(crate) const ROOT: &str = "root-key-of-the-tests";

/// What tests set unless they say otherwise.
const SETTINGS: [(&str, &str); 4] = [
    ("HEADWATER_LIMITS__DISK_RESERVE", "0"),
    ("HEADWATER_LOG__SEGMENT_BYTES", "1MiB"),
    ("HEADWATER_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8"),
    ("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,50ms,100ms"),
];

/// A server and its directory; both go when it is dropped.
pub(crate) struct Server {
    dir: TempDir,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    scheme: String,
    address: String,
}

impl Server {
    /// Starts on an empty directory.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts with settings from the environment.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut server = Self::prepared(settings);
        server.restart();
        server
    }

    /// A directory and settings, without a process.
    pub(crate) fn prepared(settings: &[(&str, &str)]) -> Self {
        let all = SETTINGS.iter().chain(settings);
        Self {
            dir: TempDir::new().unwrap(),
            settings: all.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            child: None,
            scheme: "http".to_owned(),
            address: "127.0.0.1:0".to_owned(),
        }
    }

    /// Sets something otherwise for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Starts again with a certificate of its own.
    pub(crate) fn encrypt(&mut self) {
        assert!(self.stop().success());
        let (cert, key) = (self.file("cert.pem"), self.file("key.pem"));
        let kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
        let made = Command::new("openssl")
            .args(kind)
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-keyout", text(&key), "-out", text(&cert)])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.set("HEADWATER_TLS__CERT", text(&cert));
        self.set("HEADWATER_TLS__KEY", text(&key));
        self.restart();
    }

    /// Starts again, on the same directory and address.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "it is running");
        let (child, lines) = self.spawn(&["serve", "--listen", &self.address, "--root-key", ROOT]);
        self.child = Some(child);
        let line = lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("it does not listen:\n{}", self.log()));
        let url = line.strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let (scheme, address) = url.unwrap_or_else(|| panic!("unexpected: {line}"));
        (self.scheme, self.address) = (scheme.to_owned(), address.to_owned());
    }

    /// Runs the binary on this directory with these settings; its lines on stdout come one by one.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> (Child, Receiver<String>) {
        let data = self.data();
        let mut command = command();
        command.args(arguments).arg("--data").arg(data);
        self.spawned(command.envs(self.settings.iter().map(|(name, value)| (name, value))))
    }

    /// Runs a command of the binary that goes on; its lines on stdout come one by one.
    pub(crate) fn spawn_client(&self, arguments: &[&str]) -> (Child, Receiver<String>) {
        self.spawned(command().args(arguments))
    }

    fn spawned(&self, command: &mut Command) -> (Child, Receiver<String>) {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // A test that has read enough does not hold up the process.
                drop(sender.send(line));
            }
        });
        (child, lines)
    }

    /// Kills it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop, and waits for the end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap(), name);
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        ended(&mut self.child.take().unwrap())
    }

    /// The address with the scheme.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path for a file of the test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// All that was logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("stderr")
    }

    /// Sends bytes as they are; all that is answered until the server closes the connection.
    pub(crate) fn converse(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A client with full access.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url(), Some(ROOT))
    }

    /// Runs a command of the binary against this server.
    pub(crate) fn run(&self, arguments: &[&str]) -> super::Ended {
        headwater(arguments, &[("HEADWATER_URL", &self.url()), ("HEADWATER_KEY", ROOT)], "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}

/// Sends a signal to a process of the test.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end of a process.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Whether a file or directory is there; for messages that name one.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
