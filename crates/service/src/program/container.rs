//! A job or a model server in a container: what the container engine is told. The engine's command line runs as the program
//! that is watched over, so that signals, output and end of the container are those of a program.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::time::timeout;

use super::environment::Variables;
use crate::Configuration;

/// The port that a model server has in its container.
pub(crate) const PORT: u16 = 8080;
/// The label that says whose a container is.
const OWNER: &str = "watchkeeper.owner";
/// The machine, by the name that containers have for it.
const HOST: &str = "host.docker.internal";
/// How long the engine may take for an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
/// The longest line of a file of variables: the engine reads no longer ones.
const LONGEST_LINE: usize = 32 << 10;
/// Variables that the engine's command line itself is run with.
const OF_THE_ENGINE: [&str; 8] =
    ["PATH", "HOME", "USER", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "CONTAINER_HOST", "XDG_RUNTIME_DIR"];

/// A folder of this machine in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Where it is on this machine.
    pub(crate) folder: PathBuf,
    /// Where it is in the container.
    pub(crate) place: String,
    /// Whether it can be written to there.
    pub(crate) writable: bool,
}

/// A container that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// The engine's command line program.
    pub(crate) engine: String,
    /// The container's name.
    pub(crate) name: String,
    /// Whose it is, see [`owner_of_jobs`] and [`owner_of_models`].
    pub(crate) owner: String,
    /// The image.
    pub(crate) image: String,
    /// What replaces the image's entrypoint, where it is not empty.
    pub(crate) entrypoint: Vec<String>,
    /// The arguments of the image's program.
    pub(crate) arguments: Vec<String>,
    /// The folders that it sees, those within others behind these.
    pub(crate) volumes: Vec<Volume>,
    /// Whether there is to be no network but the loopback.
    pub(crate) network_isolation: bool,
    /// All variables of the container.
    pub(crate) environment: Variables,
    /// The file that they are handed over in, see [`Container::write_variables`].
    pub(crate) variables_file: PathBuf,
    /// The most bytes of memory.
    pub(crate) memory_bytes: Option<u64>,
    /// The most processes and threads.
    pub(crate) processes: Option<u64>,
}

impl Container {
    /// The engine's command, which serves the container's port at a port of this machine where one is given. Variables are in
    /// a file: arguments can be read by every user of the machine, and what a request sets must not be in the environment of a
    /// program of this machine, where `LD_PRELOAD` and the engine's own settings would lead out of the container.
    pub(crate) fn command(&self, port: Option<u16>) -> Vec<String> {
        let mut command: Vec<String> = ["run", "--rm", "--init", "--name", &self.name].map(str::to_owned).to_vec();
        command.insert(0, self.engine.clone());
        let mut option = |name: &str, value: String| command.extend([name.to_owned(), value]);
        option("--label", format!("{OWNER}={}", self.owner));
        option("--security-opt", "no-new-privileges".to_owned());
        if let Some(port) = port {
            option("--publish", format!("127.0.0.1:{port}:{PORT}"));
        }
        for Volume { folder, place, writable } in &self.volumes {
            option("--volume", format!("{}:{place}:{}", folder.display(), if *writable { "rw" } else { "ro" }));
        }
        if self.network_isolation {
            option("--network", "none".to_owned());
        } else {
            option("--add-host", format!("{HOST}:host-gateway"));
        }
        if let Some(bytes) = self.memory_bytes {
            option("--memory", bytes.to_string());
        }
        if let Some(processes) = self.processes {
            option("--pids-limit", processes.to_string());
        }
        option("--env-file", self.variables_file.display().to_string());
        for (name, value) in self.variables().iter().filter(|(name, value)| !is_a_line(name, value)) {
            option("--env", format!("{name}={value}"));
        }
        if let Some(program) = self.entrypoint.first() {
            option("--entrypoint", program.clone());
        }
        command.push(self.image.clone());
        command.extend(self.entrypoint.iter().skip(1).chain(&self.arguments).cloned());
        command
    }

    /// The variables of the engine's command.
    pub(crate) fn command_environment() -> Variables {
        OF_THE_ENGINE.iter().filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
    }

    /// Writes the file of variables, which nobody else may read.
    pub(crate) fn write_variables(&self) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.variables_file)?;
        let variables = self.variables();
        let lines = variables.iter().filter(|(name, value)| is_a_line(name, value));
        let lines: Vec<String> = lines.map(|(name, value)| format!("{name}={value}\n")).collect();
        file.write_all(lines.concat().as_bytes())
    }

    /// The variables in the container, where this machine's own address is another.
    fn variables(&self) -> Variables {
        let mut variables = self.environment.clone();
        if let Some(url) = variables.get_mut("AWS_ENDPOINT_URL") {
            *url = url.replacen("//127.0.0.1:", &format!("//{HOST}:"), 1).replacen(
                "//localhost:",
                &format!("//{HOST}:"),
                1,
            );
        }
        variables
    }

    /// Ends the container and removes it; that there is none is fine.
    pub(crate) async fn remove(&self) {
        let mut command = engine_command(&self.engine, &["rm", "--force", &self.name]);
        match timeout(LONGEST_ANSWER, command.output()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(container = self.name, %error, "a container could not be removed"),
            Err(_) => tracing::warn!(container = self.name, "a container was not removed within {LONGEST_ANSWER:?}"),
        }
    }

    /// Whether the engine answers. An error says what to do.
    pub(crate) async fn check_engine(&self) -> Result<(), String> {
        let advice = "start it, or name another program in hosting.container_engine";
        let refused = |what: &str| {
            format!("the container engine `{}`, which image `{}` needs, {what}: {advice}", self.engine, self.image)
        };
        let output = match timeout(LONGEST_ANSWER, engine_command(&self.engine, &["info"]).output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(refused(&format!("could not be asked ({error})"))),
            Err(_) => return Err(refused(&format!("gave no answer within {LONGEST_ANSWER:?}"))),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
        Err(refused(&format!("does not work ({})", said.trim())))
    }
}

/// Whether a variable can be in a file of variables.
fn is_a_line(name: &str, value: &str) -> bool {
    let is_line = |text: &str| !text.contains(['\n', '\r']);
    is_line(name) && is_line(value) && name.len() + value.len() < LONGEST_LINE
}

/// The owner of the containers of a service's jobs. The service's models, which start and end apart from them, leave them
/// alone.
pub(crate) fn owner_of_jobs(data_folder: &Path) -> String {
    format!("{}-jobs", owner_of_models(data_folder))
}

/// The owner of the containers of a service's models: services with other folders leave them alone.
pub(crate) fn owner_of_models(data_folder: &Path) -> String {
    hex::encode(&Sha256::digest(data_folder.as_os_str().as_bytes())[..8])
}

/// Removes the containers that an earlier process left, where the configuration has images that run in some.
pub(crate) async fn sweep(configuration: &Configuration, owner: &str) {
    if configuration.images.iter().all(|image| image.container.is_none()) {
        return;
    }
    let engine = &configuration.hosting.container_engine;
    let filter = format!("label={OWNER}={owner}");
    let listing = engine_command(engine, &["ps", "--all", "--quiet", "--filter", &filter]).output();
    let Ok(Ok(listing)) = timeout(LONGEST_ANSWER, listing).await else { return };
    let listed = String::from_utf8_lossy(&listing.stdout);
    let containers: Vec<&str> = listed.split_whitespace().collect();
    if containers.is_empty() || !listing.status.success() {
        return;
    }
    let arguments: Vec<&str> = ["rm", "--force"].into_iter().chain(containers).collect();
    if let Ok(Err(error)) = timeout(LONGEST_ANSWER, engine_command(engine, &arguments).output()).await {
        tracing::warn!(%error, "containers of an earlier process could not be removed");
    }
}

fn engine_command(engine: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(engine);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn container() -> Container {
        let environment = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:8470"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("LD_PRELOAD", "/model/evil.so"),
            ("TEXT", "two\nlines"),
        ];
        Container {
            engine: "podman".to_owned(),
            name: "watchkeeper-churn".to_owned(),
            owner: "0123".to_owned(),
            image: "host.example/churn:3".to_owned(),
            entrypoint: Vec::new(),
            arguments: vec!["serve".to_owned()],
            volumes: vec![Volume {
                folder: PathBuf::from("/data/models/churn/opt/ml/model"),
                place: "/opt/ml/model".to_owned(),
                writable: false,
            }],
            network_isolation: false,
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            variables_file: PathBuf::from("/data/models/churn/variables"),
            memory_bytes: Some(8 << 30),
            processes: Some(4096),
        }
    }

    #[test]
    fn the_command_of_a_container() {
        let expected = "podman run --rm --init --name watchkeeper-churn --label watchkeeper.owner=0123 \
             --security-opt no-new-privileges --publish 127.0.0.1:41001:8080 --volume /data/models/churn/opt/ml/model:/opt/ml/model:ro \
             --add-host host.docker.internal:host-gateway --memory 8589934592 --pids-limit 4096 --env-file /data/models/churn/variables --env TEXT=two\nlines host.example/churn:3 serve";
        assert_eq!(container().command(Some(41001)).join(" "), expected);
    }

    #[test]
    fn an_entrypoint_goes_before_the_image_and_its_arguments_behind_it() {
        let entrypoint = ["python3", "/opt/program/server.py"].map(str::to_owned).to_vec();
        let command = Container { entrypoint, memory_bytes: None, ..container() }.command(Some(1)).join(" ");
        assert!(
            command.ends_with("--entrypoint python3 host.example/churn:3 /opt/program/server.py serve"),
            "{command}"
        );
        assert!(!command.contains("--memory"), "{command}");
    }

    #[test]
    fn an_isolated_job_has_folders_and_no_network() {
        let volume = |place: &str, writable| Volume {
            folder: PathBuf::from(format!("/data/jobs/j{place}")),
            place: place.to_owned(),
            writable,
        };
        let volumes = vec![volume("/opt/ml", true), volume("/opt/ml/processing/in", false)];
        let command = Container { volumes, network_isolation: true, ..container() }.command(None).join(" ");
        let expected = "--volume /data/jobs/j/opt/ml:/opt/ml:rw --volume \
                        /data/jobs/j/opt/ml/processing/in:/opt/ml/processing/in:ro --network none --memory";
        assert!(command.contains(expected) && !command.contains("--publish"), "{command}");
    }

    #[test]
    fn values_are_in_a_file_of_our_own_and_not_in_the_environment_of_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let container = Container { variables_file: folder.path().join("variables"), ..container() };
        container.write_variables().unwrap();
        let expected = "AWS_ENDPOINT_URL=http://host.docker.internal:8470\nAWS_SECRET_ACCESS_KEY=secret\n\
                        LD_PRELOAD=/model/evil.so\n";
        assert_eq!(std::fs::read_to_string(&container.variables_file).unwrap(), expected);
        let mode = std::fs::metadata(&container.variables_file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let variables = Container::command_environment();
        assert_eq!(variables.get("PATH"), std::env::var("PATH").ok().as_ref());
        assert!(variables.keys().all(|name| OF_THE_ENGINE.contains(&name.as_str())), "{variables:?}");
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there() {
        let engine = Container { engine: "no-such-engine".to_owned(), ..container() };
        let Err(reason) = engine.check_engine().await else { panic!("there is no such engine") };
        assert!(reason.contains("no-such-engine") && reason.contains("hosting.container_engine"), "{reason}");
    }
}
