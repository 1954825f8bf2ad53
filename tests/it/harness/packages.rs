//! Published packages of other languages, installed once into the build directory by pip and npm.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The programs of `tests/clients` with their packages.
pub(crate) struct Packages {
    dir: PathBuf,
}

impl Packages {
    /// Installs what is not installed yet; one test at a time.
    pub(crate) fn installed() -> &'static Self {
        static PACKAGES: OnceLock<Packages> = OnceLock::new();
        PACKAGES.get_or_init(|| {
            let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
            install(&dir);
            Self { dir }
        })
    }

    /// Gives lines to the Python program; its lines.
    pub(crate) fn python(&self, program: &str, input: &[Value]) -> Vec<Value> {
        lines(self.command(&source().join(program)), input)
    }

    /// Gives lines to the JavaScript program; its lines.
    pub(crate) fn node(&self, program: &str, input: &[Value]) -> Vec<Value> {
        lines(self.command(&self.dir.join(program)), input)
    }

    /// Gives lines to a program that needs none of the packages; its lines.
    pub(crate) fn plain(&self, program: &str, input: &[Value]) -> Vec<Value> {
        lines(self.command(&source().join(program)), input)
    }

    /// A directory for programs of a test, from which they find the packages.
    pub(crate) fn directory(&self) -> TempDir {
        TempDir::new_in(&self.dir).unwrap()
    }

    /// Runs a program of any of the languages, by what its name ends in. JavaScript has to be in a directory of here.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let ending = program.extension().and_then(|ending| ending.to_str());
        let interpreter = match ending {
            Some("py") => "python3",
            Some("mjs") => "node",
            Some("sh") => "bash",
            _ => panic!("what runs {}?", program.display()),
        };
        let mut command = Command::new(interpreter);
        command.env("PYTHONPATH", self.dir.join("python")).arg(program);
        command
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Installs, unless the very same was installed before.
fn install(dir: &Path) {
    let wanted: String = ["requirements.txt", "package.json", "verify.mjs"]
        .map(|name| std::fs::read_to_string(source().join(name)).unwrap())
        .concat();
    let marker = dir.join("installed");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return;
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir).unwrap();
    }
    std::fs::create_dir_all(dir).unwrap();
    for name in ["package.json", "verify.mjs"] {
        std::fs::copy(source().join(name), dir.join(name)).unwrap();
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    pip.arg(dir.join("python")).arg("-r").arg(source().join("requirements.txt"));
    succeed(pip);
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(dir);
    succeed(npm.current_dir(dir).stdin(Stdio::null()));
    std::fs::write(marker, wanted).unwrap();
}

fn succeed(mut command: impl std::borrow::BorrowMut<Command>) {
    let command = command.borrow_mut();
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; see README, Tests"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn lines(mut command: Command, input: &[Value]) -> Vec<Value> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for line in input {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
