//! SIGTERM and SIGINT end a run with nothing half-written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a run has to come to a safe point; one that waits for standard input never does.
const GRACE: Duration = Duration::from_secs(2);

/// A flag that a signal raises. A second signal, or the end of the grace, ends the process at once: until a run has
/// written all of its results they have temporary names.
pub(crate) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let flag = Arc::clone(&stopped);
    std::thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            flag.store(true, Ordering::Relaxed);
            std::thread::spawn(|| {
                std::thread::sleep(GRACE);
                end_now();
            });
            signals.next();
            end_now();
        }
    });
    Ok(stopped)
}

fn end_now() -> ! {
    crate::output::say(&format!("Error: {}\n", watchkeeper_analyzer::Error::Stopped));
    std::process::exit(2)
}
