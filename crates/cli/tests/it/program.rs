//! The program in a folder and an environment of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder that a run takes place in.
pub(crate) struct Folder(TempDir);

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).canonicalize().unwrap()
}

/// A command with nothing of the environment of whoever runs the tests but where programs are.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "WATCHKEEPER_PYTHON"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the churn example's files under the names that the README uses.
    pub(crate) fn with_churn() -> Self {
        let folder = Self::new();
        for name in ["baseline.csv", "current.csv"] {
            folder.write(name, std::fs::read(repository("examples/churn").join(name)).unwrap());
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders that it is in.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Makes a pipe, for what a program reads or writes while it is watched.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(command("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).try_exists().unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Every file and empty folder below, hidden ones too, with content.
    pub(crate) fn contents(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let root = self.path(name);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if !kind.is_dir() {
                    // A pipe has no content to compare.
                    let content = if kind.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                    found.insert(name, content);
                } else if std::fs::read_dir(&path).unwrap().next().is_none() {
                    found.insert(format!("{name}/"), Vec::new());
                } else {
                    folders.push(path);
                }
            }
        }
        found
    }

    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        self.contents(name).into_keys().collect()
    }

    /// The program with this folder as its current one.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(arguments).envs(environment.iter().copied()).output().unwrap())
    }

    pub(crate) fn run_on(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A program that has read enough closes its end.
            scope.spawn(move || pipe.write_all(input));
            Ran::of(child.wait_with_output().unwrap())
        })
    }

    /// What violations there are after a run: check, feature and description.
    pub(crate) fn violations(&self, folder: &str) -> Vec<(String, String, String)> {
        let document = self.json(&format!("{folder}/constraint_violations.json"));
        let text = |violation: &Value, key: &str| violation[key].as_str().unwrap().to_owned();
        let violations = document["violations"].as_array().unwrap().iter();
        violations
            .map(|one| (text(one, "constraint_check_type"), text(one, "feature_name"), text(one, "description")))
            .collect()
    }
}

impl Ran {
    /// What came of a run. However bad the input, no run ends in a panic.
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        let status = output.status.code().unwrap_or_else(|| panic!("{}: {stderr}", output.status));
        Self { status, stdout, stderr }
    }

    /// The run, whose exit status was this one.
    #[track_caller]
    pub(crate) fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}{}", self.stdout, self.stderr);
        self
    }
}
