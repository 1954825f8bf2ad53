//! A browser without a window, Debian's Chromium; and a page in it that tells what it shows and does what it is told.
//!
//! Guarantees: the page's own files are served as they are but for one script at the end of each HTML file, which posts what
//! is shown, again and again, and runs what comes back.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use super::{Received, Receiver, Reply, eventually};

/// A browser process with its children.
pub(crate) struct Browser(Child);

impl Browser {
    /// Opens an address.
    pub(crate) fn open(url: &str, profile: &Path) -> Self {
        let child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"])
            // Without a debugging port it would load the page and leave.
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromium starts; see README, Tests");
        Self(child)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        super::program::kill_group(&mut self.0);
    }
}

/// What is shown: the text of each list item with the texts of its parts by class, the text of each element with an id, and
/// what went wrong.
const REPORTER: &str = r#"<script>
{
  const failures = [];
  addEventListener("error", (event) => failures.push(event.message));
  addEventListener("unhandledrejection", (event) => failures.push(String(event.reason)));
  const text = (element) => element.textContent;
  const item = (line) => ({
    id: line.dataset.id, text: text(line),
    parts: Object.fromEntries([...line.querySelectorAll("[class]")].map((part) => [part.className, text(part)])),
  });
  const shown = () => ({
    items: [...document.querySelectorAll("li")].map(item),
    texts: Object.fromEntries([...document.querySelectorAll("[id]")].map((part) => [part.id, text(part)])),
    failures,
  });
  const report = async () => {
    try {
      const answer = await fetch("/told", { method: "POST", body: JSON.stringify(shown()) });
      const code = await answer.text();
      if (code) await (0, eval)(code);
    } catch (error) {
      failures.push(String(error));
    }
    setTimeout(report, 30);
  };
  report();
}
</script>"#;

/// A page in a browser.
pub(crate) struct Page {
    _browser: Browser,
    _profile: TempDir,
    _receiver: Receiver,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// What the page showed last.
    last: Value,
    /// What it is to do next.
    code: String,
}

impl Page {
    /// Serves files by their paths, and opens an address among them.
    pub(crate) fn open(files: &[(&str, String)], address: &str) -> Self {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.clone())).collect();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let receiver = Receiver::answering(move |asked| answer(&files, &shared, asked));
        let profile = TempDir::new().unwrap();
        let browser = Browser::open(&receiver.url(address), profile.path());
        Self { _browser: browser, _profile: profile, _receiver: receiver, seen }
    }

    /// What it shows.
    pub(crate) fn shown(&self) -> Value {
        self.seen.lock().unwrap().last.clone()
    }

    /// The texts of its list items.
    pub(crate) fn lines(&self) -> Vec<String> {
        let shown = self.shown();
        let items = shown["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until it shows something.
    pub(crate) async fn wait(&self, what: &str, found: impl Fn(&Value) -> bool) {
        eventually(what, async || found(&self.shown()).then_some(())).await;
        assert_eq!(self.shown()["failures"], serde_json::json!([]), "{what}");
    }

    /// Runs a script in it.
    pub(crate) fn run(&self, code: &str) {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.code, "", "it has not done the last one yet");
        code.clone_into(&mut seen.code);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the page shows ---\n{:#}", self.shown());
        }
    }
}

fn answer(files: &BTreeMap<String, String>, seen: &Mutex<Seen>, asked: &Received) -> Reply {
    if asked.path == "/told" {
        let mut seen = seen.lock().unwrap();
        seen.last = asked.json();
        return Reply { status: 200, headers: Vec::new(), body: std::mem::take(&mut seen.code) };
    }
    let path = asked.path.split('?').next().unwrap_or_default();
    let Some(text) = files.get(path) else { return Reply::status(404) };
    let (kind, more) = match path.rsplit('.').next() {
        Some("js") => ("text/javascript", ""),
        Some("css") => ("text/css", ""),
        _ => ("text/html", REPORTER),
    };
    let headers = vec![("content-type", kind.to_owned())];
    Reply { status: 200, headers, body: format!("{text}{more}") }
}
