//! The configuration: defaults, then a file, then the environment, then flags, parsed once into a plain struct.
//!
//! Guarantees: an unknown key is an error that names it and its source; [`Config::validate`] refuses nonsense by key;
//! `Debug` shows no secret. `config.default.toml`, compiled in, documents every key with its unit and default.

mod field;
mod quantity;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use headwater_engine::limits::Limits;
use ipnet::IpNet;
use serde::Deserialize;

pub(crate) use field::Secret;
pub(crate) use quantity::duration;

use source::{Environment, Readable};

/// The documented defaults.
const DEFAULT: &str = include_str!("config.default.toml");

/// Every setting of the server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where data is, and who is listened to.
    pub(crate) server: Server,
    /// The log's files.
    pub(crate) log: Log,
    /// Limits of requests, documents and resources.
    pub(crate) limits: Limits,
    /// Encryption of connections.
    pub(crate) tls: Tls,
    /// How collections come into being.
    pub(crate) collections: Collections,
    /// Deliveries to receivers.
    pub(crate) webhooks: Webhooks,
}

/// The section `server`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Address and port; port 0 picks a free one.
    pub(crate) listen: SocketAddr,
    /// A key with full access, if one is given.
    #[serde(deserialize_with = "field::optional_secret")]
    pub(crate) root_key: Option<Secret>,
    /// Whether plain HTTP may be served on an address other than loopback.
    pub(crate) allow_plain_http: bool,
    /// Networks whose forwarded client address is believed.
    #[serde(deserialize_with = "field::networks")]
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// The section `log`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// Size of one segment file, bytes.
    pub(crate) segment_bytes: u64,
    /// Age after which closed segments may be dropped, seconds; `None` keeps everything.
    #[serde(deserialize_with = "field::none_when_zero")]
    pub(crate) retention_seconds: Option<u64>,
    /// Size over which the oldest closed segments may be dropped, bytes; `None` keeps everything.
    #[serde(deserialize_with = "field::none_when_zero")]
    pub(crate) retention_bytes: Option<u64>,
    /// What an acknowledgement promises.
    pub(crate) durability: Durability,
}

/// What an acknowledged write has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// The disk.
    Sync,
    /// The operating system only.
    Relaxed,
}

/// The section `tls`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate chain, a PEM file.
    #[serde(deserialize_with = "field::optional_path")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key, a PEM file.
    #[serde(deserialize_with = "field::optional_path")]
    pub(crate) key: Option<PathBuf>,
}

impl Tls {
    /// Certificate chain and private key, if connections are to be encrypted.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        Some((self.cert.as_deref()?, self.key.as_deref()?))
    }
}

/// The section `collections`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collections {
    /// Whether a collection must be defined before its first write.
    pub(crate) strict: bool,
}

/// The section `webhooks`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhooks {
    /// Networks that receivers may be on although they are loopback or private.
    #[serde(deserialize_with = "field::networks")]
    pub(crate) allow_networks: Vec<IpNet>,
    /// Wait before each attempt.
    #[serde(deserialize_with = "field::durations")]
    pub(crate) retry_schedule: Vec<Duration>,
    /// Time for a receiver to answer, milliseconds.
    pub(crate) timeout_ms: u64,
}

/// What was given on the command line; wins over everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// `server.data`.
    pub(crate) data: Option<PathBuf>,
    /// `server.listen`.
    pub(crate) listen: Option<String>,
    /// `server.root_key`.
    pub(crate) root_key: Option<Secret>,
    /// `server.allow_plain_http`.
    pub(crate) allow_plain_http: bool,
}

impl Config {
    /// Reads every source; `variables` is the environment.
    pub(crate) fn load(
        flags: &Flags,
        variables: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Readable(Toml::string(DEFAULT)));
        let file = flags.config.clone().or_else(|| non_empty(variables, "HEADWATER_CONFIG"));
        if let Some(file) = file {
            anyhow::ensure!(
                file.is_file(),
                "the configuration file {} does not exist",
                file.display()
            );
            figment = figment.merge(Readable(Toml::file_exact(file)));
        }
        let config: Self = figment
            .merge(Readable(Environment { variables }))
            .merge(Overrides::of_environment(variables))
            .merge(Overrides::of_flags(flags))
            .extract()
            .map_err(describe)?;
        config.validate()?;
        Ok(config)
    }

    /// Refuses settings that make no sense, by key.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        let listen = self.server.listen;
        anyhow::ensure!(
            !self.server.data.as_os_str().is_empty(),
            "server.data is empty; name the data directory"
        );
        anyhow::ensure!(
            self.tls.cert.is_some() == self.tls.key.is_some(),
            "tls.cert and tls.key go together: give both or neither"
        );
        anyhow::ensure!(
            listen.ip().is_loopback() || self.tls.files().is_some() || self.server.allow_plain_http,
            "server.listen is {listen}, which is not loopback, and there is no tls.cert: keys and data would travel \
             unencrypted; configure TLS, or allow it with --allow-plain-http (server.allow_plain_http)"
        );
        if let Some(key) = &self.server.root_key {
            anyhow::ensure!(
                key.expose().len() >= 8 && key.expose().chars().all(|c| c.is_ascii_graphic()),
                "server.root_key must be at least 8 visible ASCII characters without spaces"
            );
        }
        self.validate_sizes()?;
        self.validate_webhooks()
    }

    fn validate_sizes(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        anyhow::ensure!(
            (64 << 10..=4 << 30).contains(&self.log.segment_bytes),
            "log.segment_bytes is {}; it must be from 64KiB to 4GiB",
            self.log.segment_bytes
        );
        let least_one: [(&str, u64); 16] = [
            ("body_bytes", limits.body_bytes),
            ("document_bytes", limits.document_bytes),
            ("nesting", limits.nesting.into()),
            ("id_bytes", limits.id_bytes.into()),
            ("member_name_bytes", limits.member_name_bytes.into()),
            ("batch_documents", limits.batch_documents.into()),
            ("write_queue", limits.write_queue.into()),
            ("group_events", limits.group_events.into()),
            ("group_bytes", limits.group_bytes),
            ("connections", limits.connections.into()),
            ("connections_per_address", limits.connections_per_address.into()),
            ("connections_per_key", limits.connections_per_key.into()),
            ("subscriptions_per_connection", limits.subscriptions_per_connection.into()),
            ("header_bytes", limits.header_bytes.into()),
            ("header_timeout_ms", limits.header_timeout_ms),
            ("body_timeout_ms", limits.body_timeout_ms),
        ];
        for (key, value) in least_one {
            anyhow::ensure!(value > 0, "limits.{key} is 0; it must be at least 1");
        }
        Ok(())
    }

    fn validate_webhooks(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.webhooks.retry_schedule.is_empty(),
            "webhooks.retry_schedule is empty; it needs at least one attempt, for instance \"0s\""
        );
        anyhow::ensure!(
            (1..=600_000).contains(&self.webhooks.timeout_ms),
            "webhooks.timeout_ms is {}; it must be from 1 to 600000",
            self.webhooks.timeout_ms
        );
        Ok(())
    }
}

/// Settings with names of their own: the variables without a section, and the flags.
struct Overrides {
    name: &'static str,
    server: Dict,
}

impl Overrides {
    fn of_environment(variables: &BTreeMap<String, String>) -> Self {
        let names = [
            ("data", "HEADWATER_DATA"),
            ("listen", "HEADWATER_LISTEN"),
            ("root_key", "HEADWATER_ROOT_KEY"),
        ];
        let server = names
            .into_iter()
            .filter_map(|(key, name)| Some((key, variables.get(name)?)))
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())))
            .collect();
        Self { name: "environment (HEADWATER_DATA, _LISTEN, _ROOT_KEY)", server }
    }

    fn of_flags(flags: &Flags) -> Self {
        let data = flags.data.as_ref().map(|path| Value::from(path.to_string_lossy().as_ref()));
        let settings = [
            ("data", data),
            ("listen", flags.listen.as_deref().map(Value::from)),
            ("root_key", flags.root_key.as_ref().map(|key| Value::from(key.expose()))),
            ("allow_plain_http", flags.allow_plain_http.then(|| Value::from(true))),
        ];
        let server = settings
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        Self { name: "flags", server }
    }
}

impl Provider for Overrides {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let settings = Dict::from([("server".to_owned(), Value::from(self.server.clone()))]);
        Ok(Map::from([(Profile::Default, settings)]))
    }
}

fn non_empty(variables: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    variables.get(name).filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// Says what is wrong with which key, and where it came from; a value of a secret is not repeated.
fn describe(error: figment::Error) -> anyhow::Error {
    let messages: Vec<String> = error
        .into_iter()
        .map(|error| {
            let key = error.path.join(".");
            let source = error
                .metadata
                .as_ref()
                .map(|metadata| match &metadata.source {
                    Some(source) => format!(" ({source})"),
                    None => format!(" ({})", metadata.name),
                })
                .unwrap_or_default();
            let secret = key.ends_with("root_key");
            let what = if secret { "can't be read".to_owned() } else { error.kind.to_string() };
            if key.is_empty() {
                format!("configuration: {what}{source}")
            } else {
                format!("configuration: {key}: {what}{source}")
            }
        })
        .collect();
    anyhow::anyhow!(messages.join("; "))
}
