//! `watchkeeper serve`: the service until a signal ends it.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use watchkeeper_service::configuration::{Configuration, Loaded, Sources};
use watchkeeper_service::server::Service;
use watchkeeper_service::telemetry::tracing_setup;

use crate::arguments::ServeArguments;
use crate::{Ending, environment, output};

/// How long a thread for blocking work is kept when there is none: idle memory is what counts here.
const BLOCKING_THREAD_IDLE: std::time::Duration = std::time::Duration::from_secs(5);
/// How long blocking work, such as a read of a file system that hangs, may still take when the service has ended.
const BLOCKING_WORK_END: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<Ending> {
    let mut configuration = load(arguments)?.configuration;
    if configuration.runner.program.is_empty() {
        configuration.runner.program = own_program()?;
    }
    tracing_setup::start(&configuration.log)?;
    hide_from_programs();
    block_on(serve(configuration))
}

/// Other programs of the same user, as jobs may be, do not look into this process: neither into its memory nor at its
/// variables, which may have keys.
fn hide_from_programs() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!(%error, "programs of the same user can look into this process");
    }
}

/// What runs the built-in images: this program.
pub(super) fn own_program() -> anyhow::Result<Vec<String>> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    Ok(vec![program.to_string_lossy().into_owned()])
}

/// Carries out a command that has a service, or what a service keeps, in this process.
pub(super) fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_keep_alive(BLOCKING_THREAD_IDLE)
        .build()
        .context("the asynchronous runtime does not start")?;
    let ended = runtime.block_on(command);
    // Dropped, it would wait for blocking work without end.
    runtime.shutdown_timeout(BLOCKING_WORK_END);
    ended
}

/// The effective configuration of a command line.
pub(crate) fn load(arguments: &ServeArguments) -> anyhow::Result<Loaded> {
    let mut flags = Vec::new();
    if let Some(listen) = arguments.listen {
        flags.push(("listen", listen.to_string()));
    }
    if let Some(folder) = &arguments.data_dir {
        let text = folder.to_str().with_context(|| format!("the path {} is not UTF-8", folder.display()))?;
        flags.push(("data_dir", text.to_owned()));
    }
    let sources = Sources { flags, file: arguments.config.clone(), variables: environment() };
    Ok(Configuration::load(&sources)?)
}

async fn serve(configuration: Configuration) -> anyhow::Result<Ending> {
    // Before anything is started, so that no signal finds nobody.
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    let service = tokio::select! {
        started = Service::start(configuration) => started?,
        () = signals.next() => return Ok(Ending::Fine),
    };
    output::print(&format!("Watchkeeper is listening on http://{}\n", service.address()))?;
    signals.next().await;
    tokio::select! {
        () = service.shutdown() => Ok(Ending::Fine),
        () = signals.next() => anyhow::bail!("ended at once by a second signal"),
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
