//! `headwater serve`: reads the configuration, starts logging, hands over to the server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Flags, Secret};

/// The server's flags; each also has a variable, which it wins over.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServeArgs {
    /// Data directory [env: HEADWATER_DATA] [default: ./headwater-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address and port; port 0 picks a free one [env: HEADWATER_LISTEN] [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// A key with full access [env: HEADWATER_ROOT_KEY]
    #[arg(long, value_name = "KEY", value_parser = secret)]
    pub(crate) root_key: Option<Secret>,
    /// A configuration file, TOML [env: HEADWATER_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Serve plain HTTP on an address other than loopback
    #[arg(long)]
    pub(crate) allow_plain_http: bool,
    /// How log lines look, on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Threads for reads of the log and of views, queries and hashes. Each keeps memory of its own, and a thousand readers that
/// fall behind at once would start as many as there may be.
const BLOCKING_THREADS: usize = 64;

/// Serves until a signal or a failure.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    start_logging(args.log_format);
    let started = configuration(args).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        Ok((config, runtime))
    });
    match started {
        Ok((config, runtime)) => {
            let code = runtime.block_on(crate::serve::serve(config));
            // Blocking work that does not look at the stop must not hold up the end; the log is closed.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn configuration(args: &ServeArgs) -> anyhow::Result<Config> {
    let flags = Flags {
        config: args.config.clone(),
        data: args.data.clone(),
        listen: args.listen.clone(),
        root_key: args.root_key.clone(),
        allow_plain_http: args.allow_plain_http,
    };
    let readable = |(name, text): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, text.into_string().ok()?))
    };
    let variables: BTreeMap<String, String> = std::env::vars_os().filter_map(readable).collect();
    Config::load(&flags, &variables)
}

/// Log lines go to stderr; `RUST_LOG` chooses which.
fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_target(false).with_ansi(is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
