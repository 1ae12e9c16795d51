//! Threads that stand back: captures are made and stored with what time answers leave.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How far back: as far as there is. Against a thread that answers, one that stands back so far gets a hundredth of a core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;
/// Threads for what waits for the disk.
const BLOCKING_THREADS: usize = 8;

/// Lets this thread stand back. Where that is not possible it works like all others.
pub(super) fn stand_back() {
    // Elsewhere the whole process would.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread of the captures does not stand back");
    }
}

/// A runtime whose threads stand back.
pub(super) struct Background(Option<Runtime>);

impl Background {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("captures")
            .on_thread_start(stand_back)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Handle {
        self.0.as_ref().expect("the runtime is there until this is dropped").handle().clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // In place of a drop, which waits, and must not be where futures run.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
