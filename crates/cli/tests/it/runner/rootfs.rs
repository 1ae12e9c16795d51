//! Jobs in the unpacked file system of an image.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed};
use watchkeeper_service::configuration::Image;

use super::bench::{Bench, Job, Machine};
use super::launcher;
use super::sandbox::has_namespaces;

/// What the programs of these tests need.
const PROGRAMS: [&str; 22] = [
    "sh", "python3", "cat", "find", "grep", "head", "id", "kill", "ln", "ls", "mkdir", "mkfifo", "mktemp", "rm",
    "setsid", "sleep", "sort", "touch", "wc", "tr", "env", "cp",
];

/// An image made of programs of this machine: with their libraries and Python's, and nothing else. It is made once.
pub(super) fn unpacked() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let bundle = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle");
        let rootfs = bundle.join("rootfs");
        if !rootfs.try_exists().unwrap() {
            std::fs::create_dir_all(&bundle).unwrap();
            // Tests that make it at the same time make the same.
            let making = tempfile::tempdir_in(&bundle).unwrap();
            make(making.path());
            let _ = std::fs::rename(making.keep(), &rootfs);
        }
        rootfs
    })
    .clone()
}

fn make(rootfs: &Path) {
    let text = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    let path = ("PATH", "/usr/bin:/bin");
    let programs =
        PROGRAMS.map(|name| text(Command::new("sh").env(path.0, path.1).args(["-c", &format!("command -v {name}")])));
    let library = text(
        Command::new("python3")
            .env(path.0, path.1)
            .args(["-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]),
    );
    // Python's own modules need libraries as well.
    let modules = PathBuf::from(library.trim()).join("lib-dynload");
    let modules =
        std::fs::read_dir(&modules).into_iter().flatten().map(|entry| entry.unwrap().path().display().to_string());
    let mut files: Vec<String> =
        programs.into_iter().map(|path| path.trim().to_owned()).filter(|path| path.starts_with('/')).collect();
    let needed = text(Command::new("ldd").args(&files).args(modules));
    files.extend(
        needed
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .map(|word| word.trim_end_matches(':').to_owned()),
    );
    files.retain(|file| !file.contains("lib-dynload"));
    files.sort();
    files.dedup();
    let copy = |options: &[&str], from: &str, to: &Path| {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = Command::new("cp").args(options).arg(from).arg(to).output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    };
    for folder in ["usr/bin", "usr/lib", "usr/lib64", "etc", "tmp", "var/tmp", "root"] {
        std::fs::create_dir_all(rootfs.join(folder)).unwrap();
    }
    for folder in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{folder}"), rootfs.join(folder)).unwrap();
    }
    for file in &files {
        copy(&["-L"], file, &rootfs.join(&file[1..]));
    }
    let library = library.trim();
    std::fs::create_dir_all(rootfs.join(&library[1..])).unwrap();
    let everything = "cd \"$1\" && tar -cf - --exclude=test --exclude=__pycache__ --exclude='config-*' --exclude='*-packages' . | tar -xf - -C \"$2\"";
    let copied =
        Command::new("sh").args(["-c", everything, "sh", library]).arg(rootfs.join(&library[1..])).status().unwrap();
    assert!(copied.success());
    // A link that would lead out, did anybody follow it on the machine.
    std::os::unix::fs::symlink("/root", rootfs.join("opt")).unwrap();
    std::fs::write(rootfs.join("etc/image"), "of the image").unwrap();
    Command::new("chmod").args(["755", &rootfs.display().to_string()]).status().unwrap();
}

fn image() -> Image {
    Image { pattern: "*shell*".to_owned(), rootfs: Some(unpacked()), ..Image::default() }
}

fn machine() -> Machine {
    Machine { image: image(), ..Machine::of(launcher()) }
}

mod suite_of_launchers {
    use super::machine;

    crate::launcher_suite!(machine());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_are_those_of_the_image() {
    if !has_namespaces().await {
        return;
    }
    let bench = Bench::running(machine()).await;
    let script = "cat /etc/image > /opt/ml/processing/out/image; [ -e /etc/passwd ] && echo a file of the machine
        ls / /usr > /opt/ml/processing/out/all; echo x > /tmp/a; ls /dev > /opt/ml/processing/out/devices
        head -c 5 /dev/urandom > /dev/null; echo $HOME $PATH; touch $HOME/fine";
    let job = bench.run(&Job::shell("looking", script).output("out", "s3://bucket/out", "EndOfJob")).await;
    let log = bench.log("looking", 1).await;
    assert_eq!(job.status, Completed, "{job:?} {log:?}");
    assert_eq!(bench.object("out/image").await.unwrap(), "of the image");
    assert!(!log.contains(&"a file of the machine".to_owned()), "{log:?}");
    let devices = bench.object("out/devices").await.unwrap();
    let holding_nothing =
        |name: &str| ["null", "zero", "full", "random", "urandom", "tty", "pts", "shm"].contains(&name);
    let links = |name: &str| ["fd", "stdin", "stdout", "stderr", "ptmx"].contains(&name);
    let cards = |name: &str| ["nvidia", "dri", "kfd", "infiniband"].iter().any(|card| name.starts_with(card));
    assert!(devices.lines().all(|name| holding_nothing(name) || links(name) || cards(name)), "{devices}");
}

/// What one job changes of the image, no other sees.
#[tokio::test(flavor = "multi_thread")]
async fn the_image_stays_as_it_is() {
    if !has_namespaces().await {
        return;
    }
    let bench = Bench::running(machine()).await;
    for name in ["first", "second"] {
        let job = bench.run(&Job::shell(name, "ls /new && exit 3; touch /new; rm -f /etc/image; exit 0")).await;
        assert_eq!(job.status, Completed, "{job:?} {:?}", bench.log(name, 1).await);
    }
    assert!(!unpacked().join("new").try_exists().unwrap() && unpacked().join("etc/image").try_exists().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_says_what_it_runs() {
    if !has_namespaces().await {
        return;
    }
    let bundle = tempfile::tempdir().unwrap();
    let rootfs = bundle.path().join("rootfs");
    make(&rootfs);
    let program = "echo $GREETING; pwd; exit 7";
    let document = json!({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"args": ["sh", "-c", program],
        "env": ["PATH=/usr/bin", "GREETING=hello"], "cwd": "/usr/lib"}});
    std::fs::write(bundle.path().join("config.json"), document.to_string()).unwrap();
    // The machine's own user may be another than the one who runs the tests.
    Command::new("chmod").args(["755", &bundle.path().display().to_string()]).status().unwrap();
    let bench = Bench::running(Machine { image: Image { rootfs: Some(rootfs), ..image() }, ..machine() }).await;
    let mut job = Job::shell("own", "");
    job.0["AppSpecification"].as_object_mut().unwrap().remove("ContainerEntrypoint");
    let job = bench.run(&job).await;
    let log = bench.log("own", 1).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().ends_with("exit code: 7"), "{job:?} {log:?}");
    assert!(log.ends_with(&["hello".to_owned(), "/usr/lib".to_owned()]), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there() {
    if !has_namespaces().await {
        return;
    }
    let image = Image { rootfs: Some("/no/such/rootfs".into()), ..image() };
    let bench = Bench::running(Machine { image, ..machine() }).await;
    let job = bench.run(&Job::shell("nothing", "exit 0")).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().contains("images[].rootfs /no/such/rootfs"), "{job:?}");
}
