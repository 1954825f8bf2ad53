//! A server with the collections of the vendor's examples, and the examples with its address and a key in them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::issued;
use super::recorded::prepare;
use crate::harness::{Client, Packages, Page, Server, text};

/// What stands in the examples.
const BASE: &str = "https://mydb-fafc.restdb.io";
const KEY: &str = "560bd47058e7ab1b2648f4e7";
const CUSTOMER: &str = "55c348ee6fde358e3c00bb8a";

/// A server with the collections of the examples, and a directory for programs.
pub(super) struct Stage {
    server: Server,
    pub(super) root: Client,
    directory: TempDir,
}

impl Stage {
    /// With a certificate, for `with_tls`.
    pub(super) async fn secure() -> Self {
        let mut server = Server::prepared(&[]);
        let (cert, key) = (server.file("cert.pem"), server.file("key.pem"));
        let curve = "ec_paramgen_curve:prime256v1";
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext"])
            .arg("subjectAltName=DNS:localhost,IP:127.0.0.1")
            .args(["-keyout", text(&key), "-out", text(&cert)])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.restart();
        fill(&server.client()).await;
        Self::around(server)
    }

    /// Turns on TLS. What a test prepares comes before: its own client does not trust the certificate.
    pub(super) fn with_tls(&mut self) {
        self.server.stop();
        for (name, file) in [("HEADWATER_TLS__CERT", "cert.pem"), ("HEADWATER_TLS__KEY", "key.pem")]
        {
            let path = self.server.file(file);
            self.server.set(name, text(&path));
        }
        self.server.restart();
    }

    /// Without TLS.
    pub(super) async fn plain() -> Self {
        let server = Server::start();
        fill(&server.client()).await;
        Self::around(server)
    }

    fn around(server: Server) -> Self {
        let root = server.client();
        Self { root, server, directory: Packages::installed().directory() }
    }

    /// An example with the server's address and a key.
    pub(super) fn example(&self, name: &str, key: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/restdb/examples");
        let example = std::fs::read_to_string(path.join(name)).unwrap();
        let url = self.server.url();
        let port = url.rsplit(':').next().unwrap().to_owned();
        let text = example.replace(BASE, &url).replace(KEY, key);
        let text = text.replace("\"mydb-fafc.restdb.io\"", "\"127.0.0.1\"");
        let text = text.replace("port: 443", &format!("port: {port}"));
        assert_ne!(text, example, "{name} names no server");
        text
    }

    /// A program among the examples, ready to be started.
    pub(super) fn command(&self, name: &str, key: &str) -> Command {
        let path = self.directory.path().join(name);
        std::fs::write(&path, self.example(name, key)).unwrap();
        let mut command = Packages::installed().command(&path);
        let cert = self.server.file("cert.pem");
        command.env("NODE_EXTRA_CA_CERTS", &cert).env("REQUESTS_CA_BUNDLE", &cert);
        command
    }

    /// What a program prints.
    pub(super) fn run(&self, name: &str, key: &str) -> String {
        let output = self.command(name, key).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {errors}");
        String::from_utf8(output.stdout).unwrap() + &errors
    }

    /// The same, as JSON, line by line.
    pub(super) fn told(&self, name: &str, key: &str) -> Vec<Value> {
        let printed = self.run(name, key);
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{name} prints {printed}"))
        };
        printed.lines().map(read).collect()
    }

    /// A page among the examples.
    pub(super) fn page(&self, name: &str, key: &str) -> Page {
        self.page_with(&self.example(name, key))
    }

    pub(super) fn page_with(&self, html: &str) -> Page {
        let jquery = self.directory.path().parent().unwrap();
        let jquery = jquery.join("node_modules/jquery/dist/jquery.min.js");
        let jquery = std::fs::read_to_string(jquery).unwrap();
        Page::open(&[("/page.html", html.to_owned()), ("/jquery.js", jquery)], "/page.html")
    }
}

async fn fill(root: &Client) {
    prepare(root).await;
    root.post("/rest/customers", &json!({"_id": CUSTOMER, "name": "Ann"})).await.expect(201);
}

/// A key for pages of any port of this machine; `more` goes into its grant.
pub(super) async fn web_key(root: &Client, more: Value) -> String {
    let mut grant = json!({"collections": {"*": ["*"]}, "origins": ["http://127.0.0.1:*"]});
    grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    issued(root, json!({"kind": "web", "grant": grant})).await.key
}
