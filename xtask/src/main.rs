//! The chores of this repository, as `cargo xtask CHORE`.
//!
//! `test` is the project's one test command. It needs nothing but a Rust toolchain to start: what else a step wants it
//! installs below the target folder (Python packages from lock files, cargo-deny) or, as root on Debian, from the
//! distribution (Chromium). What could not be had is named at the end, and is an error where `CI` is set, so that a
//! gap can be seen on a laptop and cannot slip through in CI.
//!
//! A shell script or a makefile would do the same in fewer lines on one platform; this one is read, checked and
//! formatted like the rest of the project.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to whoever started it")]

mod backends;
mod bench;
mod campaign;
mod codegen;
mod object_servers;
mod postgresql;
mod process;
mod public_api;
mod python;
mod referee_suite;
mod rust_checks;
mod sdk_dependencies;
mod service_suite;
mod step;
mod tally;
mod test_command;
mod workspace;

#[cfg(test)]
mod arrows;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask <chore>

  test [--only STEP]... [--deny]   run every check and test; STEP is one of
                                   format, clippy, documentation, public-api, deny, fuzz, tests, backends,
                                   doc-tests, referees, browser, service
                                   --deny: install cargo-deny below target/ where it is missing (some minutes)
  bench [ARGUMENTS]...             compare with DuckDB on generated data; arguments go to bench/run.py
  bench service [ARGUMENTS]...     measure the service from outside; arguments go to bench/service.py
  bench load [ARGUMENTS]...        measure objects beside the disk and other servers, and a full store; arguments go to bench/load.py
  bench soak [ARGUMENTS]...        measure the service over many hours of a faster clock; arguments go to bench/soak.py
  bench hosting [ARGUMENTS]...     measure endpoints and the proxy beside nginx; arguments go to bench/hosting.py
  bench stalled-store [ARGUMENTS]...
                                   measure memory with a store that stands still; arguments go to bench/stalled_store.py
  bench model-quality [ARGUMENTS]...
                                   measure model quality beside scikit-learn; arguments go to bench/model_quality.py
  bench merge [ARGUMENTS]...       measure the merge of captures with labels beside DuckDB and Polars; arguments go to bench/merge.py
  bench shap [ARGUMENTS]...        measure Kernel SHAP beside shap; arguments go to bench/kernel_shap.py
  bench bias [ARGUMENTS]...        measure bias reports beside smclarify; arguments go to bench/bias.py
  bench http-model [ARGUMENTS]...  measure how much of an explanation's time is its model's own; arguments go to bench/http_model.py
  bench sdk-build [ARGUMENTS]...   measure what the Rust SDK costs to compile; arguments go to bench/sdk_build.py
  campaign NAME [--times N] [--seed S] [--keep DIR]
                                   harm the service again and again, and compare what it acknowledged; names are those of
                                   tests/python/campaigns/campaigns.py
  public-api                       write down the public items of the Rust SDK in crates/sdk/public-api.txt
  sdk-dependencies                 list the dependencies of the Rust SDK and their licences in crates/sdk/docs/dependencies.md
  codegen [--botocore DIR]         write crates/aws/src/generated/ from the models in crates/aws/model/
                                   --botocore: make those models first, from the folder of botocore (with data/ in it)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let succeeded = match arguments.split_first() {
        Some((chore, options)) if chore == "test" => test_command::Options::parse(options)
            .and_then(|options| Ok(test_command::run(&Workspace::locate()?, &options))),
        Some((chore, options)) if chore == "bench" => {
            Workspace::locate().and_then(|workspace| bench::run(&workspace, options))
        }
        Some((chore, options)) if chore == "campaign" => {
            Workspace::locate().and_then(|workspace| campaign::run(&workspace, options))
        }
        Some((chore, options)) if chore == "codegen" => {
            Workspace::locate().and_then(|workspace| codegen::run(&workspace, options))
        }
        Some((chore, [])) if chore == "public-api" => {
            Workspace::locate().and_then(|workspace| public_api::write(&workspace))
        }
        Some((chore, [])) if chore == "sdk-dependencies" => {
            Workspace::locate().and_then(|workspace| sdk_dependencies::write(&workspace))
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match succeeded {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
