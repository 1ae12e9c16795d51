//! Jobs in containers. The engine is a stand-in, which does what its arguments say without a container; with an engine on the
//! machine and an image to use, the last test takes them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed};
use watchkeeper_service::configuration::Image;

use super::bench::{Bench, Job, Machine};
use super::launcher;

/// A folder with the stand-in, and what it was told.
struct Engine(TempDir);

impl Engine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("engine");
        std::fs::write(&program, include_str!("engine.py")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("engine")
    }

    /// The lines of what it was told.
    fn told(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.0.path().join("told")).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }

    fn machine(&self) -> Machine {
        let container = Some("registry.example/*".to_owned());
        let image = Image { pattern: "*shell*".to_owned(), container, ..Image::default() };
        Machine { image, container_engine: Some(self.program()), ..Machine::of(launcher()) }
    }
}

mod suite_of_launchers {
    use std::sync::LazyLock;

    use super::{Engine, Machine};

    /// One engine for all, as on a machine.
    static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

    fn machine() -> Machine {
        let machine = ENGINE.machine();
        assert!(machine.container_engine.as_ref().is_some_and(|path| path.try_exists().unwrap()));
        machine
    }

    crate::launcher_suite!(machine(), in containers);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_is_told() {
    let engine = Engine::new();
    let bench = Bench::running(engine.machine()).await;
    bench.put("in/a.csv", b"1").await;
    let job = Job::shell("told", "echo $MINE; cat $ml/processing/in/a.csv")
        .with("/Environment", json!({"MINE": "value", "LD_PRELOAD": ""}))
        .with("/NetworkConfig", json!({"EnableNetworkIsolation": true}))
        .with("/ProcessingResources/ClusterConfig/InstanceType", json!("ml.m5.large"))
        .input("in", "s3://bucket/in/", json!({}))
        .output("in/out", "s3://bucket/out", "EndOfJob");
    let job = bench.run(&job).await;
    let log = bench.log("told", 1).await;
    assert_eq!(job.status, Completed, "{job:?} {log:?}");
    assert!(log.contains(&"value".to_owned()), "{log:?}");
    let told = engine.told();
    let run = told.iter().find(|line| line.starts_with("run ")).unwrap();
    let root = bench.folder.path().join("jobs");
    for part in [
        "--rm --init --name watchkeeper-told-1-algo-1 ",
        "--security-opt no-new-privileges ",
        "/opt/ml:/opt/ml:rw --volume ",
        "/opt/ml/processing/in:/opt/ml/processing/in:ro --volume ",
        "/opt/ml/processing/in/out:/opt/ml/processing/in/out:rw ",
        "--network none --memory 8589934592 --pids-limit 4096 ",
        "--entrypoint sh registry.example/host.example/shell:1 -c ",
        &format!("--volume {}/told", root.display()),
    ] {
        assert!(run.contains(part), "{part}: {run}");
    }
    assert!(!run.contains("value"), "{run}");
    // The engine answers before anything is started, and what an earlier service left is removed before that.
    assert!(told.iter().position(|line| line == "info").unwrap() < told.iter().position(|line| line == run).unwrap());
    assert!(told[0].starts_with("ps --all --quiet --filter label=watchkeeper.owner="), "{told:?}");
    assert_eq!(told.last().unwrap(), "rm --force watchkeeper-told-1-algo-1");
}

/// Only the engine knows that, and says so where the program would.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_in_the_image() {
    let engine = Engine::new();
    let bench = Bench::running(engine.machine()).await;
    let entrypoint = json!(["no-such-program", "--x"]);
    let job = bench.run(&Job::shell("nothing", "").with("/AppSpecification/ContainerEntrypoint", entrypoint)).await;
    assert_eq!(job.status, Failed);
    let log = bench.log("nothing", 1).await;
    assert!(log.iter().any(|line| line.contains("no-such-program")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_not_there() {
    let engine = Engine::new();
    let machine = Machine { container_engine: Some("/no/such/engine".into()), ..engine.machine() };
    let bench = Bench::running(machine).await;
    let job = bench.run(&Job::shell("nothing", "exit 0")).await;
    assert_eq!(job.status, Failed);
    let reason = job.failure_reason.unwrap();
    assert!(reason.contains("/no/such/engine") && reason.contains("hosting.container_engine"), "{reason}");
}

/// Nothing is downloaded here.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Docker or Podman, and an image with a shell in WATCHKEEPER_TEST_CONTAINER_IMAGE"]
async fn a_real_engine() {
    const IMAGE: &str = "WATCHKEEPER_TEST_CONTAINER_IMAGE";
    let engines = ["docker", "podman"].map(|name| (name, Command::new(name).arg("info").output()));
    let engine = engines.into_iter().find(|(_, output)| output.as_ref().is_ok_and(|output| output.status.success()));
    let (engine, _) = engine.expect("there is a container engine that answers");
    let image = std::env::var(IMAGE).expect("the variable names an image");
    let stand_in = Engine::new();
    let image = Image { container: Some(image), ..stand_in.machine().image };
    let bench = Bench::running(Machine { image, container_engine: Some(engine.into()), ..stand_in.machine() }).await;
    bench.put("in/a.csv", b"1\n").await;
    let job = Job::shell(
        "real",
        "cp /opt/ml/processing/in/a.csv /opt/ml/processing/out/; touch /opt/ml/processing/in/b || echo kept",
    )
    .input("in", "s3://bucket/in/", json!({}))
    .output("out", "s3://bucket/out", "EndOfJob");
    let job = bench.run(&job).await;
    let log = bench.log("real", 1).await;
    assert_eq!(job.status, Completed, "{job:?} {log:?}");
    assert_eq!(bench.object("out/a.csv").await.unwrap(), "1\n");
    assert!(log.contains(&"kept".to_owned()), "{log:?}");
}
