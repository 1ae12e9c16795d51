//! Jobs in the sandbox of a machine that permits no namespaces.

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed};
use watchkeeper_service::program::launch::Launcher as _;
use watchkeeper_service::program::sandbox::Sandbox;

use super::bench::{Bench, Job, Machine};

/// The program in a user namespace whose root may make no others; where not even that is permitted, there are none anyway.
pub(super) fn launcher() -> Sandbox {
    let program = env!("CARGO_BIN_EXE_watchkeeper");
    let script = "unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_mnt_namespaces; exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    let permitted = std::process::Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
    if permitted.is_ok_and(|output| output.status.success()) {
        Sandbox::new(["sh", "-c", &format!("exec {script}"), program].map(str::to_owned).to_vec())
    } else {
        Sandbox::new(vec![program.to_owned()])
    }
}

/// The program as root that has everybody's ids and may make no namespaces, as in a container; none where the tests are not
/// root, or may make no user namespace.
pub(super) fn launcher_as_root() -> Option<Sandbox> {
    let script = "import ctypes, os, sys
told, tell = os.pipe()
may, let = os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(tell, b'x')
    os.read(may, 1)
    open('/proc/sys/user/max_mnt_namespaces', 'w').write('0')
    os.execv(sys.argv[1], sys.argv[1:])
os.read(told, 1)
for ids in 'uid', 'gid':
    open(f'/proc/{child}/{ids}_map', 'w').write('0 0 65536')
os.write(let, b'x')
os.close(0)
os.waitpid(child, 0)";
    let program = env!("CARGO_BIN_EXE_watchkeeper");
    let wrapped = ["python3", "-c", script, program].map(str::to_owned).to_vec();
    let probe = std::process::Command::new("python3").args(&wrapped[1..]).args(["--version"]).output().unwrap();
    (nix::unistd::geteuid().is_root() && probe.status.success() && !probe.stdout.is_empty())
        .then(|| Sandbox::new(wrapped))
}

crate::launcher_suite!(Machine::of(launcher()));

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_said() {
    assert!(!launcher().protects_inputs().await);
    let bench = Bench::running(Machine::of(launcher())).await;
    let job = bench.run(&Job::shell("plain", "echo $WATCHKEEPER_JOB_ROOT")).await;
    let log = bench.log("plain", 1).await;
    assert_eq!(job.status, Completed, "{log:?}");
    assert!(log[1].starts_with("note: the job's folder is not at /opt/ml (namespaces are not permitted"), "{log:?}");
    assert!(log[1].contains(&format!("below {}, which is in the variable WATCHKEEPER_JOB_ROOT", log[2])), "{log:?}");
    let job = Job::shell("isolated", "exit 0").with("/NetworkConfig", json!({"EnableNetworkIsolation": true}));
    let job = bench.run(&job).await;
    assert_eq!(job.status, Failed);
    let reason = job.failure_reason.unwrap();
    assert!(
        reason.starts_with("EnableNetworkIsolation needs a network namespace, and namespaces are not permitted"),
        "{reason}"
    );
}
