//! The command line of Watchkeeper.
//!
//! One file per command. A command takes resolved arguments, calls the analyzer as a library and says how the process
//! ends: 0 nothing found, 1 violations, 2 failed.

mod arguments;
mod batches;
mod commands;
mod connection;
mod dataset;
mod operators;
mod output;
mod signals;
mod terminal;
mod watcher;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};

/// How a command that did its work ended.
pub(crate) enum Ending {
    /// Nothing was found.
    Fine,
    /// Violations were found.
    Violations,
    /// A job failed and has left its message; its contract asks for status 1.
    JobFailed,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Baseline(arguments) => commands::baseline::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Quality(arguments) => commands::quality::run(&arguments),
        Command::Bias(arguments) => commands::clarify::run_bias(&arguments),
        Command::Explain(arguments) => commands::clarify::run_explain(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Analyze(arguments) => commands::analyze::run(&arguments),
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Env(arguments) => commands::env::run(&arguments),
        Command::Keys(arguments) => commands::keys::run(&arguments),
        Command::Backup(arguments) => commands::backup::run(&arguments),
        Command::Restore(arguments) => commands::restore::run(&arguments),
        Command::Config(arguments) => commands::config::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Logs(arguments) => commands::logs::run(&arguments),
        Command::Executions(arguments) => commands::executions::run(&arguments),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Backfill(arguments) => commands::backfill::run(&arguments),
        Command::Labels(arguments) => commands::labels::run(&arguments),
        Command::Remerge(arguments) => commands::remerge::run(&arguments),
        Command::Pause(arguments) => commands::pause::run(&arguments),
        Command::Resume(arguments) => commands::resume::run(&arguments),
        Command::Why(arguments) => commands::why::run(&arguments),
        Command::Proxy(arguments) => commands::proxy::run(&arguments),
        Command::Ingest(arguments) => commands::ingest::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Sandbox(arguments) => commands::sandbox::run(&arguments),
        Command::Completions { shell } => commands::completions::run(shell),
    };
    match result {
        Ok(Ending::Fine) => ExitCode::SUCCESS,
        Ok(Ending::Violations | Ending::JobFailed) => ExitCode::from(1),
        Err(error) => {
            output::say(&format!("Error: {}\n", terminal::readable(&explained(&error))));
            ExitCode::from(2)
        }
    }
}

/// The variables of the process that are text.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// An error and its causes, each said once: many errors end in the words of their cause.
fn explained(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.ends_with(&cause) { text } else { format!("{text}: {cause}") })
}
