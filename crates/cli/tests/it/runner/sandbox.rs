//! What only the sandbox does.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed};
use watchkeeper_service::program::launch::{Confinement, Ended, HostContract, Launcher as _, Limits};

use super::bench::{Bench, Job, Lifeline, Machine};
use super::launcher;

async fn bench() -> Bench {
    Bench::running(Machine::of(launcher())).await
}

/// Whether this machine lets us make namespaces; where tests must not be left out, it has to.
pub(super) async fn has_namespaces() -> bool {
    let has = launcher().protects_inputs().await;
    assert!(has || std::env::var_os("CI").is_none(), "namespaces are not permitted: the sandbox cannot be tested");
    has
}

pub(super) fn contract(root: &std::path::Path, script: &str) -> HostContract {
    std::fs::create_dir_all(root.join("opt/ml/tmp")).unwrap();
    HostContract {
        root: root.to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        environment: std::env::var("PATH").map(|path| ("PATH".to_owned(), path)).into_iter().collect(),
        read_only: Vec::new(),
        writable: Vec::new(),
        linked: false,
        network_isolation: false,
        confinement: Some(Confinement::default()),
        limits: Limits::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_dies_leaves_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut lifeline = Lifeline::new(folder.path());
    // One that ignores signals, and one that has left for a session of its own.
    let script =
        format!("{}; trap '' TERM HUP INT; setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000", lifeline.hold());
    let running = launcher().launch(&contract(folder.path(), &script)).await.unwrap();
    lifeline.until_held().await;
    // What a process holds is closed when it dies, however it dies.
    drop(running);
    lifeline.until_released().await;
}

/// That the disk is full is what is said, and not that there is no such program.
#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stderr)] // what was not tested
async fn what_a_full_disk_has_no_place_for_is_named() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("what_a_full_disk_has_no_place_for_is_named did not run: it takes root to mount a file system");
        return;
    }
    // In a job's folder for temporary files, which is on its disk.
    let shown = tempfile::tempdir_in("/tmp").unwrap();
    // The folders of the job and what leads to them, and no more; or one more.
    for (files, has_place) in [(6, false), (7, true)] {
        let disk = tempfile::tempdir().unwrap();
        let options = format!("nr_inodes={files}");
        mount(Some("tmpfs"), disk.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
        let mut contract = contract(disk.path(), "true");
        contract.confinement.as_mut().unwrap().shown = vec![shown.path().to_owned()];
        let ended = launcher().launch(&contract).await.unwrap().ended.await.unwrap();
        umount2(disk.path(), MntFlags::MNT_DETACH).unwrap();
        match ended {
            Ended::Exited { status: Some(0), .. } if has_place => {}
            Ended::Refused { reason } if !has_place => {
                assert_eq!(
                    reason,
                    format!("{} could not be shown: No space left on device (os error 28)", shown.path().display())
                );
            }
            other => panic!("{files} files: {other:?}"),
        }
    }
}

/// Who kills the service by its program's name kills all that watch over programs as well.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_survives_who_watched_over_him() {
    if !has_namespaces().await {
        return;
    }
    for which in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let mut lifeline = Lifeline::new(folder.path());
        let script = format!("{}; setsid sleep 1000 & wait", lifeline.hold());
        let mut contract = contract(folder.path(), &script);
        let mark = folder.path().display().to_string();
        contract.environment.insert("MARK".to_owned(), mark.clone());
        let running = launcher().launch(&contract).await.unwrap();
        lifeline.until_held().await;
        kill(watchers(&format!("MARK={mark}"))[which], Signal::SIGKILL).unwrap();
        lifeline.until_released().await;
        assert!(matches!(running.ended.await.unwrap(), Ended::Lost { .. }));
    }
}

/// The parent and the grandparent of the program with this variable.
fn watchers(variable: &str) -> [Pid; 2] {
    let parent = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut marked = processes.filter(|process| {
        let of_shell = std::fs::read(format!("/proc/{process}/comm")).is_ok_and(|name| name == b"sh\n");
        let variables = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        of_shell && variables.split(|&byte| byte == 0).any(|one| one == variable.as_bytes())
    });
    let parent_of_program = parent(&marked.next().unwrap());
    let grandparent = parent(&parent_of_program);
    [parent_of_program, grandparent].map(|process| Pid::from_raw(process.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_end_with_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut lifeline = Lifeline::new(folder.path());
    let script = format!("{}; setsid sh -c 'setsid sleep 1000 & setsid sleep 1000 &'; exit 5", lifeline.hold());
    let running = launcher().launch(&contract(folder.path(), &script)).await.unwrap();
    lifeline.until_held().await;
    let ended = running.ended.await.unwrap();
    assert!(matches!(ended, Ended::Exited { status: Some(5), signal: None, peak_memory_bytes: Some(_) }), "{ended:?}");
    lifeline.until_released().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_is_at_its_place() {
    if !has_namespaces().await {
        return;
    }
    let bench = bench().await;
    let script = "cat /opt/ml/config/processingjobconfig.json > /opt/ml/processing/out/config.json
        ls /opt > /opt/ml/processing/out/opt.txt; id -u > /opt/ml/processing/out/user.txt; mktemp > /opt/ml/processing/out/t.txt";
    let job = Job::shell("place", script).output("out", "s3://bucket/out", "EndOfJob");
    let job = bench.run(&job).await;
    assert_eq!(job.status, Completed, "{job:?} {:?}", bench.log("place", 1).await);
    assert!(bench.object("out/config.json").await.unwrap().contains(&job.arn));
    let (user, tests): (u32, _) =
        (bench.object("out/user.txt").await.unwrap().trim().parse().unwrap(), nix::unistd::geteuid());
    // Where the service is root, the job is nobody that owns anything else.
    assert!(if tests.is_root() { (61_184..=65_519).contains(&user) } else { user == tests.as_raw() }, "{user}");
    assert!(bench.object("out/t.txt").await.unwrap().starts_with("/opt/ml/tmp/"));
    // What else is there can still be seen.
    let opt = bench.object("out/opt.txt").await.unwrap();
    for entry in std::fs::read_dir("/opt").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(opt.lines().any(|line| line == name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_cannot_be_written_to() {
    if !has_namespaces().await {
        return;
    }
    let bench = bench().await;
    // Larger than what is kept in rows: its body is a file, which the job sees as a link.
    let content = "x".repeat(1 << 20);
    bench.put("in/data.csv", content.as_bytes()).await;
    let script = "input=/opt/ml/processing/in; [ $(wc -c < $input/data.csv) = 1048576 ] || exit 4
        echo changed > $input/data.csv && exit 1; rm $input/data.csv && exit 2; touch $input/new && exit 3
        ls -l /opt/ml/processing/in/data.csv; echo fine > /opt/ml/processing/out/fine";
    let job = Job::shell("writing", script).input("in", "s3://bucket/in/", json!({})).output(
        "out",
        "s3://bucket/out",
        "EndOfJob",
    );
    let job = bench.run(&job).await;
    let log = bench.log("writing", 1).await;
    assert_eq!(job.status, Completed, "{job:?} {log:?}");
    assert!(log.iter().any(|line| line.contains("Read-only file system")), "{log:?}");
    assert_eq!(bench.object("in/data.csv").await.unwrap(), content);
}

/// An output below an input can be written to, and what is in it is no link.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_within_an_input() {
    if !has_namespaces().await {
        return;
    }
    let bench = bench().await;
    let content = "x".repeat(1 << 20);
    bench.put("in/data/inner/data.csv", content.as_bytes()).await;
    bench.put("in/data/a.csv", b"1").await;
    let script = "cd /opt/ml/processing/in; echo changed > inner/data.csv; echo no > a.csv && exit 1; exit 0";
    let mut job = Job::shell("within", script).input("in", "s3://bucket/in/data/", json!({}));
    job = job.output("in/inner", "s3://bucket/out", "EndOfJob");
    let job = bench.run(&job).await;
    assert_eq!(job.status, Completed, "{job:?} {:?}", bench.log("within", 1).await);
    assert_eq!(bench.object("out/data.csv").await.unwrap(), "changed\n");
    assert_eq!(bench.object("in/data/inner/data.csv").await.unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn network_isolation() {
    if !has_namespaces().await {
        return;
    }
    let bench = bench().await;
    let program = "import socket
assert [name for _, name in socket.if_nameindex()] == ['lo'], socket.if_nameindex()
server = socket.create_server(('127.0.0.1', 0))
socket.create_connection(server.getsockname()).close()
try:
    socket.create_connection(('192.0.2.1', 80), timeout=5)
except OSError as error:
    print('outside:', error)";
    let job = Job::python("isolated", program).with("/NetworkConfig", json!({"EnableNetworkIsolation": true}));
    let job = bench.run(&job).await;
    let log = bench.log("isolated", 1).await;
    assert_eq!(job.status, Completed, "{job:?} {log:?}");
    assert!(log.contains(&"outside: [Errno 101] Network is unreachable".to_owned()), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits() {
    let bench = bench().await;
    // 4 GiB are what this instance has; nothing of it is touched.
    let instance = "/ProcessingResources/ClusterConfig/InstanceType";
    let program = "try:\n  bytearray(5 << 30)\nexcept MemoryError:\n  print('no memory', flush=True); os._exit(9)";
    let job = bench.run(&Job::python("memory", program).with(instance, json!("ml.t3.medium"))).await;
    let log = bench.log("memory", 1).await;
    assert!(job.status == Failed && log.contains(&"no memory".to_owned()), "{job:?} {log:?}");
    let program =
        "f = open(ml + '/processing/big', 'wb'); f.truncate((1 << 30) - 1); f.seek(0, 2); f.write(b'ab'); f.flush()";
    let job = bench.run(&Job::python("file", program)).await;
    let log = bench.log("file", 1).await;
    assert!(job.status == Failed && log.iter().any(|line| line.contains("File too large")), "{job:?} {log:?}");
}
