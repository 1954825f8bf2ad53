//! The `headwater` binary: command line, configuration, and the server's start and stop.
//!
//! Guarantees: stdout carries data only; every failure ends with one `error:` line on stderr and a non-zero exit.

mod arguments;
mod bench;
mod client;
mod command;
mod config;
mod deliveries;
mod job;
mod offline;
mod output;
mod progress;
mod serve;
mod source;
mod sse;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// Creates double under it, compared with the system's (measured; docs/decisions).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let command = arguments.command.unwrap_or(Command::Serve(arguments.serve));
    let outcome = match command {
        Command::Serve(serve) => return command::serve::run(&serve),
        other => run_client(other),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that is a client; one thread is enough, and leaves the rest to the server.
fn run_client(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(command.run());
    // A reader blocked on stdin must not hold up the end.
    runtime.shutdown_background();
    outcome
}
