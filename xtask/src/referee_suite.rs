//! The steps that test the command line from outside, in Python.

use std::process::Command;

use anyhow::Result;

use crate::process::{answers, install_system_packages, run_visibly};
use crate::python;
use crate::step::{Context, Missing};
use crate::tally::Tally;
use crate::workspace::{Workspace, build_program};

const LOCK_FILE: &str = "tests/python/requirements.lock";

/// Statistics and judgements against NumPy, SciPy, PyArrow and Python's own readers.
pub fn referees(context: &Context<'_>) -> Result<Tally> {
    let mut pytest = pytest(context.workspace)?;
    Ok(Tally::of_runner(&run_visibly(pytest.arg("tests/python/referees"))?))
}

/// The HTML report in headless Chromium.
pub fn browser(context: &Context<'_>) -> Result<Tally> {
    let chromium = chromium()?;
    let mut pytest = pytest(context.workspace)?;
    Ok(Tally::of_runner(&run_visibly(pytest.arg("tests/python/browser").env("CHROMIUM", chromium))?))
}

/// pytest of the locked environment, told where the program under test is. The debug build is what is tested: it checks
/// for overflow, and its folding crates are optimised.
fn pytest(workspace: &Workspace) -> Result<Command> {
    let python = python::environment(workspace, "referees", LOCK_FILE)?;
    let program = build_program(workspace)?;
    let mut pytest = workspace.command(python);
    pytest.args(["-m", "pytest"]).env("PYTHONDONTWRITEBYTECODE", "1");
    pytest.env("WATCHKEEPER", program);
    Ok(pytest)
}

fn chromium() -> Result<&'static str> {
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|it| answers(it, &["--version"]));
    if let Some(program) = found() {
        return Ok(program);
    }
    install_system_packages(&["chromium"])?;
    found().ok_or_else(|| Missing("no Chromium (install `chromium` from your distribution)".to_owned()).into())
}
