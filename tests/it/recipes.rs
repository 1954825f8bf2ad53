//! The recipes of `docs/recipes.md`, run as they stand: every command in its order, by a shell.

use std::path::Path;
use std::process::Command;

use crate::harness::{ROOT, Server};

/// The commands of the document.
fn commands() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_recipes_do_what_they_say() {
    let server = Server::with(&[
        ("HEADWATER_AUTH__SIGN_UP", "open"),
        ("HEADWATER_AUTH__DEFAULT_ROLES", "member"),
    ]);
    let commands = commands();
    assert!(commands.lines().count() > 50, "the document has its commands");
    let binary = Path::new(env!("CARGO_BIN_EXE_headwater")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let script = server.file("recipes.sh");
    std::fs::write(&script, format!("set -eu\n{commands}")).unwrap();
    let ran = Command::new("bash")
        .arg(&script)
        .current_dir(script.parent().unwrap())
        .env("PATH", path)
        .env("HEADWATER_URL", server.url())
        .env("ROOT", ROOT)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(out.matches("ok: ").count() >= 15, "{out}");
}
