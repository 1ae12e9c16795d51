//! The benches: the comparison with other programs (`bench/run.py`), the service from outside (`bench/service.py`) and with a
//! great deal in it, beside the disk and other S3 servers (`bench/load.py`), or for many hours (`bench/soak.py`), endpoints and
//! the proxy beside nginx (`bench/hosting.py`); memory with a store that stands still (`bench/stalled_store.py`); model quality
//! beside scikit-learn (`bench/model_quality.py`); the merge of captures with labels beside DuckDB and Polars (`bench/merge.py`);
//! Kernel SHAP beside shap (`bench/kernel_shap.py`); bias reports beside smclarify (`bench/bias.py`); what an explanation takes beside the time of its
//! model (`bench/http_model.py`); and what the Rust SDK takes to compile (`bench/sdk_build.py`).

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::process::run_visibly;
use crate::python::{BOTO3, script};
use crate::workspace::{Workspace, build_optimised};

const DUCKDB: (&str, &str) = ("bench", "bench/requirements.lock");
const REFEREES: (&str, &str) = ("referees", "tests/python/requirements.lock");

/// True when the bench ran and every claim held.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let Some((name, rest)) = arguments.split_first() else { return against_duckdb(workspace, arguments) };
    match name.as_str() {
        "service" => service(workspace, "bench/service.py", rest),
        "load" => service(workspace, "bench/load.py", rest),
        "soak" => soak(workspace, rest),
        "hosting" => service(workspace, "bench/hosting.py", rest),
        "stalled-store" => service(workspace, "bench/stalled_store.py", rest),
        "model-quality" => beside_others(workspace, REFEREES, "bench/model_quality.py", &[], rest),
        "merge" => beside_others(workspace, DUCKDB, "bench/merge.py", &[], rest),
        "bias" => beside_others(workspace, REFEREES, "bench/bias.py", &[], rest),
        "http-model" => beside_others(workspace, REFEREES, "bench/http_model.py", &[], rest),
        "shap" => against_shap(workspace, rest),
        "sdk-build" => sdk_build(workspace, rest),
        _ => against_duckdb(workspace, arguments),
    }
}

/// The service as it is shipped.
fn service(workspace: &Workspace, script: &str, arguments: &[String]) -> Result<bool> {
    bench(workspace, BOTO3, ("dist", script), &[], arguments)
}

/// The service with a clock that runs faster.
fn soak(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let accelerated = example(workspace, "service with a clock of its own", "watchkeeper-service", "accelerated")?;
    let options = ["--accelerated".into(), accelerated.into_os_string()];
    bench(workspace, BOTO3, ("release", "bench/soak.py"), &options, arguments)
}

fn against_duckdb(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let reader = ["--reader".into(), example(workspace, "reader", "watchkeeper-data", "read")?.into_os_string()];
    beside_others(workspace, DUCKDB, "bench/run.py", &reader, arguments)
}

/// The engine alone beside the library: what the command line does more, it does for a model elsewhere.
fn against_shap(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let explainer = example(workspace, "explainer", "watchkeeper-engine", "kernel_shap")?;
    let mut bench = script(workspace, REFEREES, "bench/kernel_shap.py")?;
    Ok(run_visibly(bench.arg("--explainer").arg(explainer).args(arguments))?.succeeded)
}

/// What a program that uses the Rust SDK compiles.
fn sdk_build(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let mut bench = script(workspace, REFEREES, "bench/sdk_build.py")?;
    Ok(run_visibly(bench.args(arguments))?.succeeded)
}

/// Builds an example of a crate for release; `what` it is to people.
fn example(workspace: &Workspace, what: &str, package: &str, name: &str) -> Result<PathBuf> {
    let build = ["build", "--release", "--package", package, "--example", name, "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the {what} does not build");
    Ok(workspace.target.join("release/examples").join(name))
}

/// The command line beside other programs, on data that are made below the target directory.
fn beside_others(
    workspace: &Workspace,
    environment: (&str, &str),
    script: &str,
    options: &[OsString],
    arguments: &[String],
) -> Result<bool> {
    let data = ["--data".into(), workspace.target.join("bench").into_os_string()];
    bench(workspace, environment, ("release", script), &[options, &data].concat(), arguments)
}

/// A script with the program of a profile.
fn bench(
    workspace: &Workspace,
    environment: (&str, &str),
    (profile, path): (&str, &str),
    options: &[OsString],
    arguments: &[String],
) -> Result<bool> {
    let mut bench = script(workspace, environment, path)?;
    bench.arg("--watchkeeper").arg(build_optimised(workspace, profile)?).args(options).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}
