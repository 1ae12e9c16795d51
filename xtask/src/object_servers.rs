//! S3 servers for the tests of objects that are kept outside: moto's, which is somebody else's idea of S3, and our own service.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::python;
use crate::step::Context;
use crate::workspace::build_program;

const LOCK_FILE: &str = "tests/python/backends/moto.lock";

/// A server that is running. It ends with the value.
pub struct ObjectServer {
    process: Child,
    endpoint_url: String,
    /// Id and secret of a key to it, where it wants a certain one.
    key: Option<(String, String)>,
    folder: Option<PathBuf>,
}

impl ObjectServer {
    /// Installs and starts moto's server, which keeps everything in memory.
    pub fn moto(context: &Context<'_>) -> Result<Self> {
        let python = python::environment(context.workspace, "backends-moto", LOCK_FILE)?;
        let mut command = context.workspace.command(&python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = process.stderr.take().context("the server's standard error is a pipe")?;
        Self::listening(process, log, None).context("moto's server does not start")
    }

    /// Builds and starts our own service on a temporary folder.
    pub fn own(context: &Context<'_>) -> Result<Self> {
        let program = build_program(context.workspace)?;
        let folder = std::env::temp_dir().join(format!("watchkeeper-objects-{}", std::process::id()));
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let said = process.stdout.take().context("the service's standard output is a pipe")?;
        let mut server = Self::listening(process, said, Some(folder.clone())).context("the service does not start")?;
        let credentials = fs::read_to_string(folder.join("credentials.json")).context("the service made no key")?;
        let credentials: serde_json::Value = serde_json::from_str(&credentials)?;
        let text = |name: &str| credentials[name].as_str().map(str::to_owned).context("the key is incomplete");
        server.key = Some((text("AccessKeyId")?, text("SecretAccessKey")?));
        Ok(server)
    }

    /// Waits for the address that it prints; where it prints none, it is ended.
    fn listening(process: Child, printed: impl Read + Send + 'static, folder: Option<PathBuf>) -> Result<Self> {
        let mut server = Self { process, endpoint_url: String::new(), key: None, folder };
        server.endpoint_url = first_address(printed).context("it prints no address")?;
        Ok(server)
    }

    /// Tells the tests where it is.
    pub fn tell(&self, tests: &mut Command) {
        tests.env("WATCHKEEPER_TEST_S3", &self.endpoint_url);
        if let Some((id, secret)) = &self.key {
            tests.env("WATCHKEEPER_TEST_S3_ACCESS_KEY_ID", id).env("WATCHKEEPER_TEST_S3_SECRET_ACCESS_KEY", secret);
        }
    }
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(folder) = &self.folder
            && let Err(error) = fs::remove_dir_all(folder)
        {
            eprintln!("the folder {} of the service stays behind: {error}", folder.display());
        }
    }
}

/// The first address in what a program prints. What it prints later is read and forgotten, as it would wait for that.
fn first_address(printed: impl Read + Send + 'static) -> Option<String> {
    let mut lines = BufReader::new(printed).lines();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let start = line.find("http://")?;
        line[start..].split_whitespace().next().map(str::to_owned)
    });
    std::thread::spawn(move || lines.for_each(drop));
    address
}
