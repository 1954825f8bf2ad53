//! The command line as a whole: which commands there are, and which file runs each.

use clap::{Parser, Subcommand};

use crate::command;

/// A self-hosted, event-sourced realtime data engine.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// What to do; without one the server runs.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The server's own flags, for when no command is named.
    #[command(flatten)]
    pub(crate) serve: command::serve::ServeArgs,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (what happens without a command, too)
    Serve(command::serve::ServeArgs),
    /// Write the documents of a JSON, JSON Lines or CSV file into a collection
    Import(command::import::ImportArgs),
    /// Write a collection's documents, as of one moment, to a file or stdout
    Export(command::export::ExportArgs),
    /// Print events as JSON Lines
    Tail(command::tail::TailArgs),
    /// Send a webhook's events again
    Replay(command::replay::ReplayArgs),
    /// Check the log's chain, and the views against the log
    Verify(command::verify::VerifyArgs),
    /// Make the views anew from the log
    Rebuild(command::rebuild::RebuildArgs),
    /// Write a consistent copy of the log to a file
    Backup(command::backup::BackupArgs),
    /// Make a data directory from a backup
    Restore(command::restore::RestoreArgs),
    /// Make, list and revoke keys
    #[command(subcommand)]
    Key(command::key::KeyCommand),
    /// Measure a running server
    Bench(command::bench::BenchArgs),
}

impl Command {
    /// Runs a command other than `serve`.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(_) => anyhow::bail!("serve is no client command"),
            Self::Import(args) => command::import::run(args).await,
            Self::Export(args) => command::export::run(args).await,
            Self::Tail(args) => command::tail::run(args).await,
            Self::Replay(args) => command::replay::run(args).await,
            Self::Verify(args) => command::verify::run(args).await,
            Self::Rebuild(args) => command::rebuild::run(args).await,
            Self::Backup(args) => command::backup::run(args).await,
            Self::Restore(args) => command::restore::run(&args),
            Self::Key(command) => command::key::run(command).await,
            Self::Bench(args) => command::bench::run(args).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_server_runs_with_its_flags() {
        let bare = Arguments::try_parse_from(["headwater"]).unwrap();
        assert!(bare.command.is_none());
        let with = Arguments::try_parse_from(["headwater", "--listen", "127.0.0.1:0"]).unwrap();
        assert_eq!(with.serve.listen.as_deref(), Some("127.0.0.1:0"));
    }

    #[test]
    fn documented_command_lines_are_understood() {
        let lines = [
            "serve --data d --listen 127.0.0.1:0 --root-key k --config f --log-format json",
            "import --collection c --format csv --select m --id-field f -",
            "export --collection c --format json --output f",
            "tail --from 3 --collections a,b --follow",
            "replay --webhook w --from 0 --to 9 --dry-run",
            "verify --data d",
            "rebuild --url http://127.0.0.1:1 --key k",
            "backup --output f",
            "restore --data d --input f",
            "key create --label l --admin --ttl 30d",
            "key create --collections orders=read,create;*=read",
            "key create --web --origin https://a.example --path /rest/** --methods GET,POST",
            "key list",
            "key revoke abc",
            "bench create --concurrency 64 --seconds 5 --json",
        ];
        for line in lines {
            let words = std::iter::once("headwater").chain(line.split(' '));
            Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
