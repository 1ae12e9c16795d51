//! A `PostgreSQL` server for the tests of the store and of several processes: in a temporary folder, for as long as they run.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{answers, is_root, run_visibly};
use crate::step::Missing;

/// The user that the distribution's package makes; the server refuses to be root.
const USER: &str = "postgres";
/// Where Debian keeps the server's programs, each version below a folder of its own.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// A server that is running. It ends with the value.
pub struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl PostgresServer {
    /// Makes a cluster and starts it.
    pub fn start() -> Result<Self> {
        let programs = programs().ok_or_else(missing)?;
        let folder = std::env::temp_dir().join(format!("watchkeeper-postgresql-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        // Nobody else is given the port in the moment until the server has it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?.port();
        let server = Self { programs, folder, port };
        if is_root() {
            ensure!(answers("chown", &[USER, &server.folder.display().to_string()]), "no user {USER}");
        }
        server.run(
            "initdb",
            &["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"],
        )?;
        // The tests kill the server at most, never the machine: nothing has to be forced to the disk.
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c fsync=off"
        );
        server.run("pg_ctl", &["start", "--wait", "--silent", "--options", &options, "--log", &server.path("log")])?;
        Ok(server)
    }

    /// How clients reach it.
    pub fn url(&self) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// The folder of `initdb` and `pg_ctl`, for tests that restart a server of their own.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(arguments).args(["-D", &self.path("data")]).current_dir(&self.folder);
        ensure!(run_visibly(&mut command)?.succeeded, "`{}` failed", program.display());
        Ok(())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let stopped = self.run("pg_ctl", &["stop", "--silent", "--mode", "immediate"]);
        let removed = fs::remove_dir_all(&self.folder).context("cannot remove the server's folder");
        if let Err(error) = stopped.and(removed) {
            eprintln!("the PostgreSQL server in {}: {error:#}", self.folder.display());
        }
    }
}

fn missing() -> Missing {
    Missing("the programs of a PostgreSQL server (initdb, pg_ctl) are not installed".to_owned())
}

/// The folder of the newest server's programs that are installed.
pub fn programs() -> Option<PathBuf> {
    let has_programs =
        |folder: &PathBuf| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).try_exists().unwrap_or(false));
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&search_path).find(has_programs) {
        return Some(folder);
    }
    let versions = fs::read_dir(DEBIAN_FOLDER).ok()?.flatten();
    let version = |folder: &PathBuf| -> Option<u32> { folder.parent()?.file_name()?.to_str()?.parse().ok() };
    versions.map(|version| version.path().join("bin")).filter(has_programs).max_by_key(version)
}
