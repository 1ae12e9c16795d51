//! Databases and servers for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;
use watchkeeper_store::{DatabaseSettings, MasterKeySource, Store, StoreSettings};

/// The server that the test command has started.
const SERVER: &str = "WATCHKEEPER_TEST_POSTGRESQL";
/// The folder of `initdb` and `pg_ctl`.
const PROGRAMS: &str = "WATCHKEEPER_TEST_POSTGRESQL_PROGRAMS";

/// A new database. It goes with the value.
pub(crate) struct TestDatabase {
    server: PgConnectOptions,
    name: String,
    port: u16,
}

impl TestDatabase {
    /// On the server of the test command.
    pub(crate) async fn create() -> Self {
        let server = std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} is not set"));
        Self::create_on(server.parse().unwrap()).await
    }

    async fn create_on(server: PgConnectOptions) -> Self {
        let name = format!("watchkeeper_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0");
        sqlx::query(AssertSqlSafe(create)).execute(&mut server.connect().await.unwrap()).await.unwrap();
        let port = server.get_port();
        Self { server, name, port }
    }

    /// The same database behind another port.
    pub(crate) fn behind(&self, port: u16) -> Self {
        Self { server: self.server.clone(), name: self.name.clone(), port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://{}@{}:{}/{}", self.server.get_username(), self.server.get_host(), self.port, self.name)
    }

    pub(crate) fn settings(&self, folder: &Path) -> StoreSettings {
        StoreSettings {
            database: Some(DatabaseSettings { url: self.url(), max_connections: 4 }),
            // The processes that share a database have the same.
            master_key: MasterKeySource::Text("5a".repeat(32)),
            ..StoreSettings::in_directory(folder)
        }
    }

    /// A store with a data directory of its own, as another process would have it.
    pub(crate) async fn open(&self) -> (TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(&self.settings(folder.path())).await.unwrap();
        (folder, store)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        self.server.clone().database(&self.name).connect().await.unwrap()
    }
}

/// A server that only one test has.
pub(crate) struct TestServer {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// With further settings, which may name files that are made in the server's folder.
    pub(crate) fn start_with(settings: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let programs = std::env::var_os(PROGRAMS).unwrap_or_else(|| panic!("{PROGRAMS} is not set")).into();
        // Nobody else is given the port in the moment until the server has it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder: tempfile::tempdir().unwrap(), programs, port };
        let settings = settings(server.folder.path()).iter().fold(String::new(), |all, setting| all + " -c " + setting);
        if is_root() {
            let given = Command::new("chown").args(["-R", "postgres"]).arg(server.folder.path()).status().unwrap();
            assert!(given.success());
        }
        server.run("initdb", &["--username", "postgres", "--auth", "trust", "--no-sync", "--no-instructions"]);
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {settings}");
        server.run("pg_ctl", &["start", "--wait", "--silent", "--options", &options, "--log", &server.path("log")]);
        server
    }

    pub(crate) async fn database(&self) -> TestDatabase {
        TestDatabase::create_on(format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port).parse().unwrap())
            .await
    }

    /// As after a crash: connections break off, and what was not committed is gone.
    pub(crate) fn restart(&self) {
        self.run("pg_ctl", &["restart", "--wait", "--silent", "--mode", "immediate", "--log", &self.path("log")]);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs one of the server's programs, which refuse to be root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let status = command.args(arguments).args(["-D", &self.path("data")]).current_dir("/").status().unwrap();
        assert!(status.success(), "{command:?}");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "--silent", "--mode", "immediate"]);
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
