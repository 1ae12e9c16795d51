//! SIGTERM and SIGINT end a run with nothing half-written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a run has to come to a safe point; one that waits for standard input or a pipe never does.
const GRACE: Duration = Duration::from_secs(2);

/// A flag that a signal raises. A second signal, or the end of the grace, ends the process at once: `last_words` says
/// what there is to say and returns the status to end with.
pub(crate) fn stop_flag(last_words: impl Fn() -> i32 + Send + 'static) -> std::io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let flag = Arc::clone(&stopped);
    let (arrived, arrivals) = channel();
    std::thread::spawn(move || signals.forever().try_for_each(|signal| arrived.send(signal)));
    std::thread::spawn(move || {
        if arrivals.recv().is_ok() {
            flag.store(true, Ordering::Relaxed);
            // Either way.
            let _ = arrivals.recv_timeout(GRACE);
            watchkeeper_analyzer::output::exit(last_words());
        }
    });
    Ok(stopped)
}
