//! The step that tests the service from outside, in the languages and with the libraries of its users.
//!
//! Every set of client libraries has an environment and a pytest process of its own: no two versions of the SageMaker SDK
//! can be installed side by side. Within a set the tests wait more than they compute (the SDK sleeps ten seconds between two
//! looks at a log), so several workers, each with a service of its own, run at once.

use anyhow::{Result, ensure};

use crate::campaign;
use crate::process::run_visibly;
use crate::python;
use crate::step::Context;
use crate::tally::Tally;
use crate::workspace::build_program;

/// A set of client libraries, and the tests that need it.
struct Suite {
    /// The lock file's name, and the environment's.
    libraries: &'static str,
    /// Below `tests/python`.
    folder: &'static str,
    workers: &'static str,
}

const SUITES: &[Suite] = &[
    Suite { libraries: "boto3", folder: "service/wire", workers: "4" },
    // What nobody's client sends: two workers, as each watches the memory of a service of its own.
    Suite { libraries: "boto3", folder: "service/attacks", workers: "2" },
    // A few faults of each kind; `cargo xtask campaign` is for many.
    Suite { libraries: "boto3", folder: "campaigns", workers: "2" },
    Suite { libraries: "s3fs", folder: "service/dataframes", workers: "0" },
    Suite { libraries: "sagemaker-2", folder: "service/sdk", workers: "4" },
    Suite { libraries: "sagemaker-3", folder: "service/sdk", workers: "4" },
    // What the Rust SDK sends, against what Python's does and how botocore signs.
    Suite { libraries: "sagemaker-2", folder: "sdk_requests", workers: "2" },
];

/// The service through boto3, the AWS command line, s3fs with pandas, and both versions of the SageMaker SDK.
pub fn service(context: &Context<'_>) -> Result<Tally> {
    let workspace = context.workspace;
    let mut environments = Vec::new();
    for suite in SUITES {
        let lock_file = format!("tests/python/service/{}.lock", suite.libraries);
        environments.push(python::environment(workspace, &format!("service-{}", suite.libraries), &lock_file)?);
    }
    let program = build_program(workspace)?;
    let example = ["build", "--workspace", "--all-features", "--example", "signed_requests", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&example))?.succeeded, "the example of the Rust SDK does not build");

    campaign::install_packages()?;

    let mut tally = Tally::default();
    for (suite, python) in SUITES.iter().zip(environments) {
        println!("\n--- {} with {}", suite.folder, suite.libraries);
        let mut pytest = workspace.command(python);
        pytest.args(["-m", "pytest", "--numprocesses", suite.workers]);
        pytest.arg(format!("tests/python/{}", suite.folder));
        pytest.env("PYTHONDONTWRITEBYTECODE", "1");
        pytest.env("WATCHKEEPER_BINARY", &program);
        pytest.env("WATCHKEEPER_SIGNED_REQUESTS", workspace.target.join("debug/examples/signed_requests"));
        tally += Tally::of_runner(&run_visibly(&mut pytest)?);
    }
    Ok(tally)
}
