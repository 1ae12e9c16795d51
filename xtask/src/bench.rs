//! The benches: the comparison with other programs (`bench/run.py`), the service from outside (`bench/service.py`), and
//! endpoints and the proxy beside nginx (`bench/hosting.py`); memory with a store that stands still
//! (`bench/stalled_store.py`); model quality beside scikit-learn (`bench/model_quality.py`); and the merge of captures with
//! labels beside DuckDB (`bench/merge.py`).

use anyhow::{Result, ensure};

use crate::process::run_visibly;
use crate::python;
use crate::workspace::Workspace;

/// True when the bench ran and every claim held.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    match arguments.split_first() {
        Some((first, rest)) if first == "service" => service(workspace, "bench/service.py", rest),
        Some((first, rest)) if first == "hosting" => service(workspace, "bench/hosting.py", rest),
        Some((first, rest)) if first == "stalled-store" => service(workspace, "bench/stalled_store.py", rest),
        Some((first, rest)) if first == "model-quality" => model_quality(workspace, rest),
        Some((first, rest)) if first == "merge" => merge(workspace, rest),
        _ => against_duckdb(workspace, arguments),
    }
}

fn service(workspace: &Workspace, script: &str, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, "service-boto3", "tests/python/service/boto3.lock")?;
    // As it is shipped.
    let build = ["build", "--profile", "dist", "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let mut bench = workspace.command(python);
    bench.arg("-u").arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg("--watchkeeper").arg(workspace.target.join("dist/watchkeeper")).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}

fn model_quality(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, "referees", "tests/python/requirements.lock")?;
    let build = ["build", "--release", "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let mut bench = workspace.command(python);
    bench.arg("-u").arg("bench/model_quality.py").env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg("--watchkeeper").arg(workspace.target.join("release/watchkeeper"));
    bench.arg("--data").arg(workspace.target.join("bench")).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}

fn merge(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, "bench", "bench/requirements.lock")?;
    let build = ["build", "--release", "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let mut bench = workspace.command(python);
    bench.arg("-u").arg("bench/merge.py").env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg("--watchkeeper").arg(workspace.target.join("release/watchkeeper"));
    bench.arg("--data").arg(workspace.target.join("bench")).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}

fn against_duckdb(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, "bench", "bench/requirements.lock")?;
    let build = ["build", "--release", "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let reader = ["build", "--release", "--package", "watchkeeper-data", "--example", "read", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&reader))?.succeeded, "the reader does not build");
    let mut bench = workspace.command(python);
    bench.arg("-u").arg("bench/run.py").env("PYTHONDONTWRITEBYTECODE", "1");
    bench.arg("--watchkeeper").arg(workspace.target.join("release/watchkeeper"));
    bench.arg("--reader").arg(workspace.target.join("release/examples/read"));
    bench.arg("--data").arg(workspace.target.join("bench")).args(arguments);
    Ok(run_visibly(&mut bench)?.succeeded)
}
