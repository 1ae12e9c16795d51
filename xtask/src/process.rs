//! Running a program so that its output is both seen and read.

use std::io::{BufRead, BufReader, Write, pipe};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A program that has ended.
pub struct Ended {
    pub succeeded: bool,
    /// Standard output and standard error as they came, line by line.
    pub output: String,
}

/// Runs `command` to its end; every line it prints appears at once and is kept. Both of its streams go through one
/// pipe, which keeps their order.
pub fn run_visibly(command: &mut Command) -> Result<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    let second_writer = writer.try_clone().context("cannot copy the end of a pipe")?;
    let spawned = command.stdin(Stdio::null()).stdout(writer).stderr(second_writer).spawn();
    // The command still holds the writing ends: unless they are dropped, the reader never sees the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned.with_context(|| format!("cannot run `{name}`"))?;

    let mut output = String::new();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).with_context(|| format!("cannot read what `{name}` prints"))? > 0 {
        let mut screen = std::io::stdout().lock();
        screen.write_all(&line).and_then(|()| screen.flush()).context("cannot write to standard output")?;
        output.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{name}`"))?;
    Ok(Ended { succeeded: status.success(), output })
}

/// Whether `program` can be started and says so with status 0, in silence.
pub fn answers(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether this user may do everything.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|answer| answer.stdout == b"0\n")
}

/// Installs packages of a Debian-like distribution, where this user may. True when they are there afterwards.
pub fn install_system_packages(packages: &[&str]) -> Result<bool> {
    if !answers("apt-get", &["--version"]) || !is_root() {
        return Ok(false);
    }
    println!("installing {} with apt-get", packages.join(", "));
    let apt_get = |arguments: &[&str]| {
        run_visibly(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(arguments))
    };
    Ok(apt_get(&["update"])?.succeeded
        && apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())?.succeeded)
}
