//! `serve`, `env`, `keys` and `config`: a service as a process, and what its commands say of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::program::{Folder, Ran, command};
use crate::service::Service;

#[test]
fn either_signal_ends_it_with_nothing_more_said_on_standard_output() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut service = Service::start();
        service.running.send(signal);
        assert!(service.running.process.wait().unwrap().success(), "{signal}");
        let mut rest = String::new();
        service.running.lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut service = Service::start_with_log(Stdio::piped());
    // A request that does not end holds the first signal up.
    let mut stream = TcpStream::connect(service.address()).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut leave = [0; 12];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100");
    service.running.send(Signal::SIGTERM);
    let mut log = BufReader::new(service.running.process.stderr.take().unwrap()).lines();
    assert!(log.by_ref().any(|line| line.unwrap().contains("stopping")), "the first signal is heard");
    service.running.send(Signal::SIGTERM);
    assert_eq!(service.running.process.wait().unwrap().code(), Some(2));
}

#[test]
fn a_folder_and_a_port_that_are_in_use_are_named() {
    let service = Service::start();
    let ran = service.run(&["serve", "--listen", "127.0.0.1:0"]).ended(2);
    assert!(ran.stderr.contains("data") && ran.stderr.contains("in use by another service"), "{}", ran.stderr);
    let ran = service.folder.run(&["serve", "--listen", service.address(), "--data-dir", "other"]).ended(2);
    assert!(ran.stderr.contains(&format!("cannot listen on {}", service.address())), "{}", ran.stderr);
}

#[test]
fn a_shell_takes_the_variables_as_they_are_written() {
    let service = Service::start();
    let program = env!("CARGO_BIN_EXE_watchkeeper");
    let script = format!(
        "eval \"$('{program}' env --data-dir data)\"; printf '%s|%s|%s' \"$AWS_ENDPOINT_URL\" \"$AWS_DEFAULT_REGION\" \
         \"$SAGEMAKER_USER_CONFIG_OVERRIDE\"; \
         eval \"$('{program}' env --proxy --data-dir data)\"; \
         printf '|%s|%s|%s' \"$HTTPS_PROXY\" \"$AWS_CA_BUNDLE\" \"${{AWS_ENDPOINT_URL-unset}}\""
    );
    let mut shell = command("sh");
    shell.args(["-c", &script]).current_dir(service.folder.path(""));
    let ran = Ran::of(shell.output().unwrap()).ended(0);
    let url = format!("http://{}", service.address());
    let authority = service.folder.path("").canonicalize().unwrap().join("data/ca.pem");
    let expected =
        format!("{url}|us-east-1|s3://watchkeeper-system/sagemaker-config.yaml|{url}|{}|unset", authority.display());
    assert_eq!(ran.stdout, expected);
}

#[test]
fn other_formats_hold_the_same() {
    let service = Service::start();
    let json = service.run(&["env", "--format", "json"]).ended(0);
    let variables: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let secret = variables["AWS_SECRET_ACCESS_KEY"].as_str().unwrap();
    let dotenv = service.run(&["env", "--format", "dotenv"]).ended(0).stdout;
    assert!(dotenv.lines().any(|line| line == format!("AWS_SECRET_ACCESS_KEY=\"{secret}\"")), "{dotenv}");
    let powershell = service.run(&["env", "--format", "powershell"]).ended(0).stdout;
    assert!(powershell.lines().any(|line| line == format!("$env:AWS_SECRET_ACCESS_KEY = '{secret}'")), "{powershell}");
}

#[test]
fn a_profile_is_written_beside_what_is_there() {
    use std::os::unix::fs::PermissionsExt as _;

    let service = Service::start();
    let config = service.folder.write("aws/config", "[default]\nregion = eu-west-1\n");
    let credentials = service.folder.path("aws/credentials");
    let environment =
        [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())];
    // Twice: the second takes the place of the first.
    for _ in 0..2 {
        let arguments = ["env", "--profile", "watch", "--data-dir", "data"];
        let ran = service.folder.run_with(&arguments, &environment).ended(0);
        assert!(ran.stdout.contains("export AWS_PROFILE='watch'\n"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("AWS_SECRET_ACCESS_KEY="), "{}", ran.stdout);
    }
    let expected = format!(
        "[default]\nregion = eu-west-1\n\n[profile watch]\nregion = us-east-1\nendpoint_url = http://{}\n",
        service.address()
    );
    assert_eq!(service.folder.read("aws/config"), expected);
    assert!(service.folder.read("aws/credentials").starts_with("[watch]\naws_access_key_id = AKIA"));
    let mode = std::fs::metadata(&credentials).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let ran = service.run(&["env", "--profile", "a b]"]).ended(2);
    assert!(ran.stderr.contains("a profile's name takes"), "{}", ran.stderr);
}

#[test]
fn keys_are_made_listed_and_taken_away() {
    let service = Service::start();
    let made = service.run(&["keys", "create", "--description", "notebook"]).ended(0).stdout;
    let (id, secret) = made.split_once('\n').unwrap();
    let id = id.strip_prefix("AWS_ACCESS_KEY_ID=").unwrap();
    let secret = secret.trim_end().strip_prefix("AWS_SECRET_ACCESS_KEY=").unwrap();
    let listed = service.run(&["keys", "list"]).ended(0).stdout;
    let line = listed.lines().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("Active") && line.ends_with("notebook"), "{line}");
    assert!(!listed.contains(secret));
    service.run(&["keys", "disable", id]).ended(0);
    assert!(service.run(&["keys", "list"]).ended(0).stdout.contains("Inactive"));
    service.run(&["keys", "delete", id]).ended(0);
    assert!(!service.run(&["keys", "list"]).ended(0).stdout.contains(id));
    let ran = service.run(&["keys", "delete", id]).ended(2);
    assert!(ran.stderr.contains(&format!("there is no access key {id}")), "{}", ran.stderr);
}

#[test]
fn without_a_service_the_commands_say_how_to_start_one() {
    let folder = Folder::new();
    for arguments in [&["env", "--data-dir", "data"][..], &["keys", "list", "--data-dir", "data"]] {
        let ran = folder.run(arguments).ended(2);
        assert!(ran.stderr.contains("watchkeeper serve --data-dir data"), "{}", ran.stderr);
    }
    // One that has stopped left its address.
    let mut service = Service::start();
    service.running.send(Signal::SIGTERM);
    service.running.process.wait().unwrap();
    let ran = service.run(&["keys", "list"]).ended(2);
    assert!(ran.stderr.contains(service.address()), "{}", ran.stderr);
}

#[test]
fn the_configuration_is_shown_with_its_origins() {
    let folder = Folder::new();
    folder.write("settings.toml", "region = 'eu-west-1'\n[runner]\nparallel_jobs = 2\n");
    let arguments = ["config", "--config", "settings.toml", "--listen", "127.0.0.1:9", "--data-dir", "data"];
    let environment = [
        ("WATCHKEEPER_RUNNER_PARALLEL_JOBS", "5"),
        ("WATCHKEEPER_SECRET_ACCESS_KEY", "very-secret"),
        ("WATCHKEEPER_ACCESS_KEY_ID", "AKIAMINE"),
    ];
    let shown = folder.run_with(&arguments, &environment).ended(0).stdout;
    for (setting, origin) in [
        ("listen = \"127.0.0.1:9\"", "--listen"),
        ("data_dir = \"data\"", "--data-dir"),
        ("region = \"eu-west-1\"", "settings.toml"),
        ("runner.parallel_jobs = 5", "WATCHKEEPER_RUNNER_PARALLEL_JOBS"),
        ("account = \"000000000000\"", "default"),
        ("default_bucket is not set", "default"),
    ] {
        let has = |line: &str| line.starts_with(setting) && line.ends_with(&format!("# {origin}"));
        assert!(shown.lines().any(has), "{setting}, {origin}: {shown}");
    }
    assert!(!shown.contains("very-secret"));
    let ran = folder.run_with(&["config"], &[("WATCHKEEPER_ROLES", "cook"), ("HOME", "/nowhere")]).ended(2);
    assert!(ran.stderr.contains("WATCHKEEPER_ROLES") && ran.stderr.contains("cook"), "{}", ran.stderr);
}
