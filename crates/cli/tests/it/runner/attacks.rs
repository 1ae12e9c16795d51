//! Programs and scripts of users that want more than their job: each has to fail, and its job's log has to say so.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed};
use watchkeeper_service::program::launch::{Ended, HostContract, Launcher as _, Limits};

use super::bench::{Bench, Job, Lifeline, Machine};
use super::sandbox::{contract, has_namespaces};
use super::service::Service;
use super::{launcher, rootfs, without_namespaces};
use crate::program::Folder;
use crate::service::{ANALYZER, BUCKET, ROLE};

/// Tries everything with these files and folders, and with these processes, and says what it reached.
const ATTACK: &str = "
import ctypes, os, shutil, socket, subprocess

def ways(path):
    yield 'read', lambda: open(path, 'rb').read(1)
    yield 'list', lambda: os.listdir(path)
    yield 'write to', lambda: open(path, 'r+b')
    yield 'make a file in', lambda: open(os.path.join(path, 'new'), 'wb')
    yield 'open up', lambda: os.chmod(path, 0o777)
    yield 'link to', lambda: os.link(path, TEMPORARY + '/link')
    yield 'rename', lambda: os.rename(path, path + '-renamed')
    yield 'remove', lambda: os.remove(path)

def attack():
    for path in FILES:
        for way, do in ways(path):
            try:
                do()
            except OSError:
                continue
            print('reached:', way, path, flush=True)
    trace = ctypes.CDLL(None).ptrace
    for process in PROCESSES:
        for name in ['environ', 'mem', 'maps', 'fd', 'fdinfo/0', 'root/etc/hostname', 'cwd/.']:
            path = f'/proc/{process}/{name}'
            try:
                if name == 'fd':
                    # Numbers say nothing; where they lead to would.
                    [os.readlink(f'{path}/{number}') for number in os.listdir(path)]
                elif name == 'cwd/.':
                    os.listdir(path)
                else:
                    open(path, 'rb').read(1)
            except OSError:
                continue
            print('reached:', path, flush=True)
        try:
            # Who watches over the job may have its user; no signal from within ends it.
            os.kill(process, 9 if process == 1 else 0)
            if process != 1:
                print('reached: a signal to', process, flush=True)
        except OSError:
            pass
        if trace(16, process, 0, 0) == 0:
            trace(17, process, 0, 0)
            print('reached: tracing', process, flush=True)
    print('the attack is over', flush=True)
";

fn attack(files: &[PathBuf], processes: &[u32]) -> String {
    let (files, processes) = (json!(files), json!(processes));
    format!("TEMPORARY = '/tmp'\nFILES = {files}\nPROCESSES = {processes}\n{ATTACK}")
}

/// Every file and folder below a folder, and the folder.
fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut at = 0;
    while at < found.len() {
        if std::fs::symlink_metadata(&found[at]).unwrap().is_dir() {
            found.extend(std::fs::read_dir(&found[at]).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    found
}

fn assert_repelled(log: &[String]) {
    // The analyzer puts the kind of line before it.
    assert!(log.iter().any(|line| line.ends_with("the attack is over")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("reached:")), "{log:#?}");
}

/// A service whose folder, file of settings and variables are worth something, with a job of somebody else that runs.
struct Attacked {
    service: Service,
    folder: Folder,
    settings: PathBuf,
    _lifeline: Lifeline,
}

impl Attacked {
    async fn new() -> Self {
        let folder = Folder::new();
        let server = folder.path("elsewhere/server.py");
        // The file of settings lies beside a program that models see.
        let settings = format!(
            "[[images]]\nmatch = \"*shell*\"\n[[images]]\nmatch = \"*server*\"\ncommand = [\"python3\", \"{}\"]\n",
            server.display()
        );
        let settings = folder.write("elsewhere/settings.toml", settings);
        let service = Service::start_on(&folder, settings.to_str().unwrap(), Stdio::null());
        service.put("victim/secret", "secret of another job").await;
        let mut lifeline = Lifeline::new(&folder.path("data"));
        let script = format!("{}; sleep 1000", lifeline.hold());
        let victim = Job::shell("victim", "")
            .with("/AppSpecification/ContainerEntrypoint", json!(["sh", "-c", script]))
            .input("in", &format!("s3://{BUCKET}/victim/"), json!({}));
        service.call("CreateProcessingJob", victim.0).await;
        lifeline.until_held().await;
        Self { service, folder, settings, _lifeline: lifeline }
    }

    fn attack(&self) -> String {
        let mut files = everything_in(&self.folder.path("data"));
        let has = |name: &str| files.iter().any(|path| path.ends_with(name));
        assert!(has("master.key") && has("credentials.json") && has("opt/ml/processing/in/secret"), "{files:?}");
        files.extend([self.settings.clone()]);
        let service = self.service.running.process.id();
        attack(&files, &[service, 1])
    }

    /// What the job's log says once it has ended.
    async fn log_of(&self, job: Value) -> Vec<String> {
        let name = job["ProcessingJobName"].as_str().unwrap().to_owned();
        self.service.call("CreateProcessingJob", job).await;
        let ended = self.service.ended(&name).await;
        let log = self.service.log(&name).await;
        assert_eq!(ended["ProcessingJobStatus"], "Completed", "{ended} {log:#?}");
        log
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reaches_neither_the_service_nor_another_job() {
    if !has_namespaces().await {
        return;
    }
    let attacked = Attacked::new().await;
    attacked.service.put("code/attack.py", attacked.attack() + "\nattack()\n").await;
    let job = Job::shell("attacker", "")
        .with("/AppSpecification/ContainerEntrypoint", json!(["python3", "/opt/ml/processing/code/attack.py"]))
        .input("code", &format!("s3://{BUCKET}/code/"), json!({}));
    assert_repelled(&attacked.log_of(job.0).await);
}

/// The analyzer runs it in its own process's sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn a_preprocessor_script_reaches_neither_the_service_nor_another_job() {
    if !has_namespaces().await {
        return;
    }
    let attacked = Attacked::new().await;
    let script = attacked.attack() + "\ndef preprocess_handler(record):\n    attack()\n    return {'a': 1}\n";
    attacked.service.put("code/attack.py", script).await;
    let record = crate::traffic::record(0, "0.5", "31,a");
    attacked.service.put("captured/capture.jsonl", record).await;
    let job = Job::shell("attacker", "")
        .with("/AppSpecification", json!({"ImageUri": ANALYZER}))
        .with(
            "/Environment",
            json!({
                "dataset_format": "{\"sagemakerCaptureJson\": {\"captureIndexNames\": [\"endpointInput\"]}}",
                "dataset_source": "/opt/ml/processing/captured",
                "output_path": "/opt/ml/processing/out",
                "publish_cloudwatch_metrics": "Disabled",
                "record_preprocessor_script": "/opt/ml/processing/code/attack.py",
            }),
        )
        .input("captured", &format!("s3://{BUCKET}/captured/"), json!({}))
        .input("code", &format!("s3://{BUCKET}/code/"), json!({}))
        .output("out", &format!("s3://{BUCKET}/out"), "EndOfJob");
    assert_repelled(&attacked.log_of(job.0).await);
}

/// A model server that carries out the attack when it is asked.
const SERVER: &str = "
import contextlib, http.server, io, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b'')
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            attack()
        self.answer(said.getvalue().encode())
    def answer(self, text):
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

http.server.HTTPServer(('127.0.0.1', int(os.environ['SAGEMAKER_BIND_TO_PORT'])), Handler).serve_forever()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_model_server_reaches_neither_the_service_nor_a_job() {
    if !has_namespaces().await {
        return;
    }
    let attacked = Attacked::new().await;
    attacked.folder.write("elsewhere/server.py", attacked.attack() + SERVER);
    let variant =
        json!({"VariantName": "one", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1});
    for (operation, input) in [
        (
            "CreateModel",
            json!({"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "host.example/server:1"}}),
        ),
        ("CreateEndpointConfig", json!({"EndpointConfigName": "c", "ProductionVariants": [variant]})),
        ("CreateEndpoint", json!({"EndpointName": "e", "EndpointConfigName": "c"})),
    ] {
        attacked.service.call(operation, input).await;
    }
    attacked.service.in_service("e").await;
    let said = attacked.service.ask("e", "anything").await;
    assert_repelled(&said.lines().map(str::to_owned).collect::<Vec<_>>());
}

/// Landlock keeps what mounts would, but not who has the service's user from changing who else may read its files; where the
/// service is root, jobs have users of their own. The tests' process does not hide its table of files as the service does.
#[tokio::test(flavor = "multi_thread")]
async fn without_namespaces_landlock_and_users_keep_the_service() {
    let of_the_services_user =
        ["reached: open up ", &format!("reached: /proc/{}/fd", std::process::id())].map(str::to_owned);
    let mut machines = vec![(without_namespaces::launcher(), of_the_services_user.as_slice())];
    machines.extend(without_namespaces::launcher_as_root().map(|launcher| (launcher, [].as_slice())));
    for (launcher, reached) in machines {
        assert!(!launcher.protects_inputs().await);
        let bench = Bench::running(Machine::of(launcher)).await;
        let mut lifeline = Lifeline::new(bench.folder.path());
        bench.put("in/secret", b"secret of another job").await;
        let victim =
            Job::shell("victim", &format!("{}; sleep 1000", lifeline.hold())).input("in", "s3://bucket/in/", json!({}));
        bench.create(&victim).await;
        lifeline.until_held().await;
        let files = everything_in(bench.folder.path());
        assert!(files.iter().any(|path| path.ends_with("master.key")), "{files:?}");
        let program = attack(&files, &[std::process::id()]).replace("'/tmp'", "os.environ['TMPDIR']");
        let job = bench.run(&Job::python("attacker", &(program + "\nattack()\n"))).await;
        let mut log = bench.log("attacker", 1).await;
        if log.iter().any(|line| line.contains("the kernel has no Landlock")) {
            continue;
        }
        assert_eq!(job.status, Completed, "{log:#?}");
        log.retain(|line| !reached.iter().any(|known| line.starts_with(known)));
        assert_repelled(&log);
    }
}

/// A launch without a service; how it ended and what it said.
async fn run(contract: &HostContract) -> (Ended, String) {
    let mut running = launcher().launch(contract).await.unwrap();
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut running.output, &mut said).await.unwrap();
    (running.ended.await.unwrap(), said)
}

fn python(root: &Path, program: &str, limits: Limits) -> HostContract {
    let command = ["python3", "-c", program].map(str::to_owned).to_vec();
    HostContract { command, limits, ..contract(root, "") }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_machine_can_be_changed_and_nobody_gets_more_rights() {
    if !has_namespaces().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script =
        "for path in /bin /etc /usr/lib /opt / /dev /sys/kernel /run; do echo x > $path/attack && echo reached: $path
        done; touch /tmp/fine /dev/shm/fine && echo fine; grep -E '^(NoNewPrivs|CapEff)' /proc/self/status";
    let (_, said) = run(&contract(folder.path(), script)).await;
    assert!(said.contains("fine\n") && !said.contains("reached:"), "{said}");
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("CapEff:\t0000000000000000"), "{said}");
}

/// Processes of the job that forks.
const MOST: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_ends_at_its_limit() {
    if !has_namespaces().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = "import os, signal
count = 0
try:
    while True:
        if os.fork() == 0:
            signal.pause()
        count += 1
except BlockingIOError as error:
    print(count, error.errno, flush=True)";
    let (ended, said) =
        run(&python(folder.path(), program, Limits { processes: Some(MOST), ..Limits::default() })).await;
    assert!(matches!(ended, Ended::Exited { status: Some(0), .. }), "{ended:?} {said}");
    let (count, error) = said.trim().split_once(' ').unwrap();
    assert_eq!(error, "11", "{said}");
    assert!((10..MOST).contains(&count.parse().unwrap()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_limits_of_processes_and_open_files() {
    let bench = Bench::running(Machine::of(launcher())).await;
    let program = "import resource
print(resource.getrlimit(resource.RLIMIT_NPROC)[1] < 100000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 65536)";
    assert_eq!(bench.run(&Job::python("limited", program)).await.status, Completed);
    assert!(bench.log("limited", 1).await.contains(&"True True".to_owned()));
}

/// Each process alone has less than it may.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_fill_the_memory_together_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let program = "import os, signal
for _ in range(8):
    if os.fork() == 0:
        memory = bytearray(b'x') * (60 << 20)
        signal.pause()
signal.pause()";
    let (ended, said) =
        run(&python(folder.path(), program, Limits { memory_bytes: Some(200 << 20), ..Limits::default() })).await;
    let Ended::OverLimit { reason } = &ended else { panic!("{ended:?} {said}") };
    assert!(reason.contains("200 MiB of its instance type"), "{reason}");
}

/// Each file alone is smaller than it may be.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_fill_the_volume_together_end_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let script = "while :; do head -c 1000000 /dev/zero > $(mktemp /opt/ml/tmp/XXXXXX) || sleep 1; done";
    let limits = Limits { volume_bytes: Some(20 << 20), ..Limits::default() };
    let root = folder.path().join("opt/ml/tmp");
    let script = script.replace("/opt/ml/tmp", "${TMPDIR:-/opt/ml/tmp}");
    let (ended, said) = run(&HostContract { limits, ..contract(folder.path(), &script) }).await;
    let Ended::OverLimit { reason } = &ended else { panic!("{ended:?} {said}") };
    assert!(reason.contains("more than VolumeSizeInGB"), "{reason}");
    assert!(std::fs::read_dir(root).unwrap().count() >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_leaves_the_reserve_of_the_disk() {
    let bench =
        Bench::running_with(Machine::of(launcher()), |settings| settings.objects.reserve_bytes = u64::MAX >> 1).await;
    let job = bench.run(&Job::shell("greedy", "sleep 1000")).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().contains("objects.reserve_bytes"), "{job:?}");
}

/// Neither what listens on this machine, nor its sockets without a path, which files do not keep.
#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_job_reaches_nothing_of_the_machines_network() {
    if !has_namespaces().await {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = format!("watchkeeper-{port}");
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _abstract = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let program = format!(
        "import socket
def reach(what, family, address):
    try:
        socket.socket(family).connect(address)
        print('reached', what, flush=True)
    except OSError as error:
        print('not', what, type(error).__name__, flush=True)
reach('port', socket.AF_INET, ('127.0.0.1', {port}))
reach('name', socket.AF_UNIX, '\\0{name}')"
    );
    let bench = Bench::running(Machine::of(launcher())).await;
    let job = Job::python("isolated", &program).with("/NetworkConfig", json!({"EnableNetworkIsolation": true}));
    assert_eq!(bench.run(&job).await.status, Completed);
    let log = bench.log("isolated", 1).await;
    assert!(log.contains(&"not port ConnectionRefusedError".to_owned()), "{log:?}");
    assert!(log.contains(&"not name ConnectionRefusedError".to_owned()), "{log:?}");
    // What it is kept from is there.
    assert_eq!(bench.run(&Job::python("open", &program)).await.status, Completed);
    let log = bench.log("open", 1).await;
    assert!(log.contains(&"reached port".to_owned()), "{log:?}");
}

/// All known ways out of a changed root.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_an_unpacked_image_does_not_get_out_of_it() {
    if !has_namespaces().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    std::fs::write(&mark, "of the machine").unwrap();
    let program = format!(
        "import ctypes, os
MARK = {mark:?}
libc = ctypes.CDLL(None, use_errno=True)
def out(way):
    for path in [MARK, '../' * 40 + MARK[1:]]:
        if os.path.exists(path):
            print('reached:', way, flush=True)
def attempt(way, do):
    try:
        do()
    except (OSError, ValueError) as error:
        print('refused:', way, error, flush=True)
    out(way)
def chroot():
    os.makedirs('/tmp/jail', exist_ok=True)
    os.chroot('/tmp/jail')
    for _ in range(60):
        os.chdir('..')
    os.chroot('.')
def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def enter(kind):
    check(libc.setns(os.open('/proc/1/ns/' + kind, os.O_RDONLY), 0))
def device():
    os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))
    open('/tmp/disk', 'rb').read(1)
    print('reached: the disk', flush=True)
out('at first')
attempt('the root of the first process', lambda: os.chdir('/proc/1/root'))
attempt('a handle of the first process', lambda: os.listdir('/proc/1/fd'))
attempt('the namespace of mounts', lambda: enter('mnt'))
attempt('the namespace of processes', lambda: enter('pid'))
attempt('unmounting', lambda: check(libc.umount2(b'/', 2)))
attempt('unmounting /proc', lambda: check(libc.umount2(b'/proc', 2)))
attempt('namespaces of its own', lambda: check(libc.unshare(0x10000000 | 0x00020000)))
attempt('unmounting there', lambda: check(libc.umount2(b'/opt/ml', 2)))
attempt('a device', device)
attempt('a second root', chroot)
print('the attack is over', flush=True)"
    );
    let mut contract = python(&folder.path().join("job"), &program, Limits::default());
    contract.environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    contract.confinement.as_mut().unwrap().rootfs = Some(rootfs::unpacked());
    let (ended, said) = run(&contract).await;
    assert!(matches!(ended, Ended::Exited { status: Some(0), .. }), "{ended:?} {said}");
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_repelled(&lines);
}
