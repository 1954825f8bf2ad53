//! The limits that Headwater's figures are measured against: what the same machine does with the bare parts.
//!
//! `echo`, `synced` and `answer` serve HTTP on a free port and say where; `append` and `point-read` measure and print
//! one JSON object.

mod append;
mod http;
mod point_read;
mod synced;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The limits that Headwater's figures are measured against.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    limit: Limit,
}

#[derive(Subcommand)]
enum Limit {
    /// Parse a JSON body and send it back: the most that any JSON API on this stack can do
    Echo,
    /// The same after one writer has appended and synced it: the most that a durable one can do
    Synced {
        /// Directory for the file
        #[arg(long)]
        directory: PathBuf,
    },
    /// Answer a GET with 300 bytes of JSON
    Answer,
    /// Append records to a preallocated file, with one fdatasync a group
    Append {
        /// Directory for the file
        #[arg(long)]
        directory: PathBuf,
        /// Records a sync
        #[arg(long, default_value_t = 256)]
        records: usize,
        /// Bytes of a record
        #[arg(long, default_value_t = 256)]
        bytes: usize,
        /// How long, seconds
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Read keys of a bare fjall keyspace at random
    PointRead {
        /// Directory for the keyspace
        #[arg(long)]
        directory: PathBuf,
        /// How many keys
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        /// Bytes of a value
        #[arg(long, default_value_t = 250)]
        bytes: usize,
        /// How long, seconds
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().limit {
        Limit::Echo => http::serve(http::echo()),
        Limit::Synced { directory } => http::serve(synced::router(&directory)?),
        Limit::Answer => http::serve(http::answer()),
        Limit::Append { directory, records, bytes, seconds } => {
            append::run(&directory, records, bytes, seconds)
        }
        Limit::PointRead { directory, keys, bytes, seconds } => {
            point_read::run(&directory, keys, bytes, seconds)
        }
    }
}
