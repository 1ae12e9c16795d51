//! `watchkeeper demo`: the whole loop in one command and under a minute.
//!
//! A service in this process, on embedded defaults; everything else goes through its interfaces, as a script of its users
//! would: a model is deployed, described, asked, and watched by a schedule of seconds. What is shown is what the service
//! answered, whatever it was.

mod customers;
mod findings;
mod monitor;
mod site;
mod stage;
mod traffic;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use jiff::Timestamp;
use tempfile::TempDir;
use watchkeeper_service::configuration::{Configuration, Loaded, Sources};
use watchkeeper_service::server::{DataDirectory, Service};
use watchkeeper_service::telemetry::tracing_setup;

use super::serve::{Signals, block_on, own_program};
use crate::Ending;
use crate::terminal::count;
use customers::Customers;
use findings::{Baseline, Findings, write_report};
use monitor::Monitor;
use site::Site;
use stage::Stage;
use traffic::{PERIOD_SECONDS, ROOM_TO_SEND, ROOM_TO_WATCH_AND_SEND, Window, send};

/// Where it listens unless the port is taken, as `watchkeeper serve` does.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8470);
/// How long what is under way may take when a signal ends the demo.
const SHUTDOWN_SECONDS: u64 = 5;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct DemoArguments {
    /// End when the drifting traffic was checked, in place of staying up.
    #[arg(long)]
    exit: bool,
    /// Address and port of the service; 127.0.0.1:8470 or, where that is taken, a free port unless given.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of everything that is kept; a new one among the temporary files unless given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &DemoArguments) -> anyhow::Result<Ending> {
    let (folder, temporary) = if let Some(folder) = &arguments.data_dir {
        (std::path::absolute(folder).with_context(|| format!("the folder {}", folder.display()))?, None)
    } else {
        let temporary = tempfile::Builder::new().prefix("watchkeeper-demo-").tempdir()?;
        (temporary.path().to_owned(), Some(temporary))
    };
    let configuration = configuration(&folder, arguments.listen.unwrap_or_else(free_address))?;
    tracing_setup::start(&configuration.log)?;
    block_on(demo(configuration, temporary, arguments.exit))
}

/// Embedded defaults: nothing of a file or of the environment, so that the demo is the same everywhere.
fn configuration(folder: &Path, listen: SocketAddr) -> anyhow::Result<Configuration> {
    let data_dir = folder.to_str().with_context(|| format!("the path {} is not UTF-8", folder.display()))?;
    let flags = vec![("listen", listen.to_string()), ("data_dir", data_dir.to_owned())];
    let Loaded { mut configuration, .. } = Configuration::load(&Sources { flags, ..Sources::default() })?;
    configuration.scheduler.extended_expressions = true;
    configuration.capture.flush_seconds = 1;
    configuration.server.shutdown_seconds = SHUTDOWN_SECONDS;
    configuration.runner.program = own_program()?;
    // What goes wrong is said by the demo itself.
    "error".clone_into(&mut configuration.log.level);
    Ok(configuration)
}

/// The usual address, or another port of it.
fn free_address() -> SocketAddr {
    match TcpListener::bind(ADDRESS) {
        Ok(_) => ADDRESS,
        Err(_) => SocketAddr::new(ADDRESS.ip(), 0),
    }
}

async fn demo(configuration: Configuration, temporary: Option<TempDir>, exits: bool) -> anyhow::Result<Ending> {
    let interrupted = || {
        // Whoever waits for its end has to know that it has shown nothing.
        ensure!(!exits, "ended by a signal before the drifting traffic was checked");
        Ok(Ending::Fine)
    };
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    let directory = DataDirectory::of(Some(&configuration.data_dir))?;
    let service = tokio::select! {
        started = Service::start(configuration) => started?,
        () = signals.next() => return interrupted(),
    };
    // From here on there is something in it; one in which nothing was started goes.
    let _folder = temporary.map(TempDir::keep);
    let stage = Stage::new();
    let told = tokio::select! {
        told = tell(&service, &directory, &stage) => Some(told),
        () = signals.next() => None,
    };
    stage.clear();
    let ending = match told {
        None => interrupted(),
        Some(Ok(name)) if !exits => match stay(&stage, &directory, &name) {
            Ok(()) => {
                signals.next().await;
                Ok(Ending::Fine)
            }
            Err(error) => Err(error),
        },
        Some(told) => told.map(|_| Ending::Fine),
    };
    tokio::select! {
        () = service.shutdown() => {}
        () = signals.next() => anyhow::bail!("ended at once by a second signal"),
    }
    ending
}

/// The story, and the name of its endpoint.
async fn tell(service: &Service, directory: &DataDirectory, stage: &Stage) -> anyhow::Result<String> {
    stage.print(&format!(
        "Watchkeeper {} is listening on http://{}\nand keeps everything in {}\n\n",
        env!("CARGO_PKG_VERSION"),
        service.address(),
        directory.path().display()
    ))?;
    let customers = Customers::new()?;
    let site = Site::of(directory)?;

    stage.doing("deploying a model");
    let monitor = Monitor::deploy(&site).await?;
    let name = monitor.name();
    let features = customers.features.len();
    stage
        .done("deployed", &format!("endpoint {name}: who will leave? a logistic regression of {features} features"))?;

    let folder = directory.path().join("demo").join(name);
    stage.doing("describing what the model was trained on");
    monitor.baseline(&customers).await?;
    let addresses = ["statistics.json", "constraints.json"].map(|document| monitor.baseline_address(document));
    let baseline = Baseline::fetch(&site, addresses, &folder.join("baseline")).await?;
    let known = count(customers.known.len() as u64);
    let columns = baseline.columns();
    stage.done("described", &format!("{known} customers it was trained on: {columns} columns with its answers"))?;

    let findings = watch(stage, &site, &monitor, &customers, &baseline, &folder).await?;
    let report = write_report(&folder, &format!("What passed the endpoint {name}"), &baseline, &findings)?;
    stage.print(&format!("\nreport: {}\n", report.display()))?;
    Ok(name.to_owned())
}

/// Good traffic, and then drifting traffic, each within a window of the schedule.
async fn watch(
    stage: &Stage,
    site: &Site,
    monitor: &Monitor,
    customers: &Customers,
    baseline: &Baseline,
    folder: &Path,
) -> anyhow::Result<Vec<Findings>> {
    // The schedule is made in the window that is sent in, so that there is no check of one in which nothing passed.
    let window = Window::with(ROOM_TO_WATCH_AND_SEND);
    stage.doing(format!("waiting for {}", time(window.start())));
    window.begun().await;
    stage.doing("switching capture on");
    monitor.watch(&format!("rate({PERIOD_SECONDS} seconds)")).await?;
    stage.done(
        "watching",
        &format!("every request and answer is captured, and checked every {PERIOD_SECONDS} seconds"),
    )?;
    let traffic = [
        ("good", "customers of the same months", &customers.unseen),
        ("drifting", "customers some months later", &customers.later),
    ];
    let mut findings = Vec::new();
    for (kind, who, rows) in traffic {
        let window = Window::with(ROOM_TO_SEND);
        stage.doing(format!("waiting for {}", time(window.start())));
        window.begun().await;
        stage.doing(format!("sending {kind} requests"));
        let sent = count(send(site, monitor.name(), rows, window).await?);
        stage.done("sent", &format!("{sent} {kind} requests: {who}"))?;
        stage.doing(format!("waiting for the check at {}", time(window.end())));
        let results = monitor.results(window.tick).await?;
        let found = Findings::fetch(site, &results, who, &folder.join(kind)).await?;
        tell_findings(stage, baseline, &found, window)?;
        findings.push(found);
    }
    monitor.stop_watching().await?;
    Ok(findings)
}

fn time(moment: Timestamp) -> String {
    moment.strftime("%H:%M:%S").to_string()
}

fn tell_findings(stage: &Stage, baseline: &Baseline, found: &Findings, window: Window) -> anyhow::Result<()> {
    let window = format!("{} to {} UTC", time(window.start()), time(window.end()));
    if found.violations() == 0 {
        let records = count(found.records());
        return stage.done("checked", &format!("{window}: no violations in {records} records"));
    }
    stage.found("checked", &window)?;
    stage.print(&format!("\n{}", found.shown(baseline, stage.style())))
}

/// How the service is reached while it stays up.
fn stay(stage: &Stage, directory: &DataDirectory, name: &str) -> anyhow::Result<()> {
    let program = program_in_a_shell();
    let folder = quoted_for_shell(&directory.path().to_string_lossy());
    stage.print(&format!(
        "\n\
         The service stays up until Ctrl-C; the schedule is stopped. In another shell:\n\n    \
         {program} executions {name} --data-dir {folder}\n    \
         eval \"$({program} env --data-dir {folder})\"    # then any SageMaker script or `aws` command\n"
    ))
}

/// How a shell in this folder finds this program.
fn program_in_a_shell() -> String {
    let Ok(program) = std::env::current_exe() else { return "watchkeeper".to_owned() };
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_on_path = std::env::split_paths(&paths).any(|folder| folder.join("watchkeeper") == program);
    if is_on_path {
        return "watchkeeper".to_owned();
    }
    let here = std::env::current_dir().ok();
    // With a slash even where it lies right here: a shell looks for a mere name on the path alone.
    let relative = here.and_then(|here| Some(Path::new(".").join(program.strip_prefix(here).ok()?)));
    quoted_for_shell(&relative.unwrap_or(program).to_string_lossy())
}

/// As it stands where a shell takes it so, else in quotes.
fn quoted_for_shell(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-+,:@%=".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
