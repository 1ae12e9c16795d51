//! The benches: the comparison with other programs (`bench/run.py`), the service from outside (`bench/service.py`), and
//! endpoints and the proxy beside nginx (`bench/hosting.py`); memory with a store that stands still
//! (`bench/stalled_store.py`); model quality beside scikit-learn (`bench/model_quality.py`); the merge of captures with
//! labels beside DuckDB and Polars (`bench/merge.py`); Kernel SHAP beside shap (`bench/kernel_shap.py`); bias reports beside smclarify
//! (`bench/bias.py`); and what an explanation takes beside the time of its model (`bench/http_model.py`).

use std::ffi::OsString;

use anyhow::{Result, ensure};

use crate::process::run_visibly;
use crate::python;
use crate::workspace::Workspace;

const DUCKDB: (&str, &str) = ("bench", "bench/requirements.lock");
const REFEREES: (&str, &str) = ("referees", "tests/python/requirements.lock");
const BOTO3: (&str, &str) = ("service-boto3", "tests/python/service/boto3.lock");

/// True when the bench ran and every claim held.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    match arguments.split_first() {
        Some((first, rest)) if first == "service" => service(workspace, "bench/service.py", rest),
        Some((first, rest)) if first == "hosting" => service(workspace, "bench/hosting.py", rest),
        Some((first, rest)) if first == "stalled-store" => service(workspace, "bench/stalled_store.py", rest),
        Some((first, rest)) if first == "model-quality" => {
            beside_others(workspace, REFEREES, "bench/model_quality.py", &[], rest)
        }
        Some((first, rest)) if first == "merge" => beside_others(workspace, DUCKDB, "bench/merge.py", &[], rest),
        Some((first, rest)) if first == "bias" => beside_others(workspace, REFEREES, "bench/bias.py", &[], rest),
        Some((first, rest)) if first == "http-model" => {
            beside_others(workspace, REFEREES, "bench/http_model.py", &[], rest)
        }
        Some((first, rest)) if first == "shap" => against_shap(workspace, rest),
        _ => against_duckdb(workspace, arguments),
    }
}

/// The service as it is shipped.
fn service(workspace: &Workspace, script: &str, arguments: &[String]) -> Result<bool> {
    bench(workspace, BOTO3, ("dist", script), &[], arguments)
}

fn against_duckdb(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let reader = ["build", "--release", "--package", "watchkeeper-data", "--example", "read", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&reader))?.succeeded, "the reader does not build");
    let reader = ["--reader".into(), workspace.target.join("release/examples/read").into_os_string()];
    beside_others(workspace, DUCKDB, "bench/run.py", &reader, arguments)
}

/// The engine alone beside the library: what the command line does more, it does for a model elsewhere.
fn against_shap(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, REFEREES.0, REFEREES.1)?;
    let explainer = ["build", "--release", "--package", "watchkeeper-engine", "--example", "kernel_shap", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&explainer))?.succeeded, "the explainer does not build");
    let mut bench = workspace.command(python);
    bench.args(["-u", "bench/kernel_shap.py", "--explainer"]).env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg(workspace.target.join("release/examples/kernel_shap")).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
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

/// A script of an environment (its name, and the file that locks it), with the program of a profile.
fn bench(
    workspace: &Workspace,
    (environment, lock): (&str, &str),
    (profile, script): (&str, &str),
    options: &[OsString],
    arguments: &[String],
) -> Result<bool> {
    let python = python::environment(workspace, environment, lock)?;
    let build = ["build", "--profile", profile, "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let mut bench = workspace.command(python);
    bench.arg("-u").arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg("--watchkeeper").arg(workspace.target.join(profile).join("watchkeeper")).args(options).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}
