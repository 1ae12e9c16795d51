//! The step that tests the store, and several processes of the service, on the servers that may take the place of files: a
//! database server and S3 servers. The tests are those that are ignored for want of them.

use std::process::Command;

use anyhow::Result;

use crate::campaign;
use crate::object_servers::ObjectServer;
use crate::postgresql::PostgresServer;
use crate::process::{answers, run_visibly};
use crate::step::{Context, Missing};
use crate::tally::Tally;

/// What the names of these tests contain.
const NAMES: &[&str] = &["postgresql", OUTSIDE_S3];
const OUTSIDE_S3: &str = "outside_s3";

/// Starts the servers and runs the tests that need them.
pub fn backends(context: &Context<'_>) -> Result<Tally> {
    if let Some(missing) = campaign::install_packages()?.first() {
        return Err(Missing(format!("the package {missing} is not installed")).into());
    }
    let database = PostgresServer::start()?;
    let moto = ObjectServer::moto(context)?;
    let mut tests = test_command(context, NAMES);
    tests.env("WATCHKEEPER_TEST_POSTGRESQL", database.url());
    tests.env("WATCHKEEPER_TEST_POSTGRESQL_PROGRAMS", database.programs());
    moto.tell(&mut tests);
    let mut tally = Tally::of_runner(&run_visibly(&mut tests)?);
    // Moto checks no signatures; our own service does, and it is what many will have.
    let own = ObjectServer::own(context)?;
    let mut tests = test_command(context, &[OUTSIDE_S3]);
    own.tell(&mut tests);
    tally += Tally::of_runner(&run_visibly(&mut tests)?);
    Ok(tally)
}

/// Of the whole workspace, as the step before has built it: packages alone have other features of their dependencies.
fn test_command(context: &Context<'_>, names: &[&str]) -> Command {
    let packages = ["--workspace", "--all-features", "--no-fail-fast", "--locked"];
    if answers("cargo", &["nextest", "--version"]) {
        let filter: Vec<String> = names.iter().map(|name| format!("test({name})")).collect();
        let mut tests = context.workspace.cargo(&["nextest", "run", "--run-ignored", "only"]);
        // One after the other: calls have ten seconds, and the servers, ours without optimisation, have the same cores.
        tests.args(packages).args(["--test-threads", "1", "--filterset", &filter.join(" | ")]);
        tests
    } else {
        let mut tests = context.workspace.cargo(&["test"]);
        tests.args(packages).args(["--", "--ignored", "--test-threads", "1"]).args(names);
        tests
    }
}
