//! The configuration: defaults, then a file, then the environment, then flags, parsed once into a plain struct.
//!
//! Guarantees: an unknown key is an error that names it and its source; `Config::validate` refuses nonsense by key;
//! `Debug` shows no secret. `config.default.toml`, compiled in, documents every key with its unit and default.

mod auth;
mod field;
mod quantity;
mod source;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use headwater_engine::limits::Limits;
use headwater_engine::vault::OperatorKey;
use ipnet::IpNet;
use serde::Deserialize;

pub(crate) use field::Secret;
pub(crate) use quantity::duration;

use source::{Environment, Overrides, Readable};

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
    /// What is materialized from the log.
    pub(crate) views: Views,
    /// People and their sessions.
    pub(crate) auth: auth::Auth,
    /// Secrets at rest.
    pub(crate) security: Security,
    /// Deliveries to receivers.
    pub(crate) webhooks: Webhooks,
    /// RestDB.io's interface.
    pub(crate) restdb: RestDb,
}

/// The section `restdb`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestDb {
    /// The name of the database.
    pub(crate) database: String,
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
    /// Longest silence of a stream, milliseconds.
    pub(crate) heartbeat_ms: u64,
    /// Most streams (HTTP/2) open at once on one connection; 0: no HTTP/2.
    pub(crate) http2_streams: u32,
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

/// The section `views`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Views {
    /// Blocks kept in memory, bytes.
    pub(crate) cache_bytes: u64,
    /// Memtables are written out when they hold this much together, bytes.
    pub(crate) memtable_bytes: u64,
    /// Size of one table, bytes.
    pub(crate) table_bytes: u64,
}

/// The section `security`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Security {
    /// The key that secrets at rest are encrypted under; `None`: the file `operator-key` in the data directory.
    #[serde(deserialize_with = "field::optional_secret")]
    pub(crate) operator_key: Option<Secret>,
}

impl Security {
    /// The configured key, which `Config::validate` has seen to be one.
    pub(crate) fn key(&self) -> Option<OperatorKey> {
        self.operator_key.as_ref().and_then(|key| OperatorKey::parse(key.expose()))
    }
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
    /// Attempts at a time for one webhook, where it does not say.
    pub(crate) concurrency: u32,
    /// Attempts at a time, of all webhooks together.
    pub(crate) concurrency_total: u32,
    pub(crate) failing_per_second: u32,
    pub(crate) outstanding_max: u32,
    pub(crate) dead_max: u32,
    /// How long the outcome of attempts may be unsaved, milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// How long attempts under way are waited for at the stop, milliseconds.
    pub(crate) drain_ms: u64,
    /// What to do when webhooks are registered but the store of deliveries is missing.
    pub(crate) missing_store: MissingStore,
}

/// What to do about a store of deliveries that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MissingStore {
    /// Refuse to start.
    Refuse,
    /// Deliver everything since each webhook's start again.
    FromStart,
    /// Deliver what comes from now on.
    FromEnd,
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
            let what = match &error.kind {
                _ if key.ends_with("root_key") || key.ends_with("operator_key") => {
                    "can't be read".to_owned()
                }
                figment::error::Kind::UnknownField(_, known) => {
                    format!("there is no such key; there are {}", known.join(", "))
                }
                other => other.to_string(),
            };
            if key.is_empty() {
                format!("configuration: {what}{source}")
            } else {
                format!("configuration: {key}: {what}{source}")
            }
        })
        .collect();
    anyhow::anyhow!(messages.join("; "))
}
