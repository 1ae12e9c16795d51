//! Every call from code without an asynchronous runtime: `.block()` in place of `.await`.
//!
//! There is no second set of classes: whatever can be awaited, the futures of `async` methods and the requests that methods
//! return, can be blocked on.
//!
//! ```no_run
//! use watchkeeper::Session;
//! use watchkeeper::blocking::Block;
//! use watchkeeper::model_monitor::DefaultModelMonitor;
//!
//! # fn main() -> watchkeeper::Result<()> {
//! let session = Session::from_env().block()?;
//! let monitor = DefaultModelMonitor::attach(&session, "churn").block()?;
//! for execution in monitor.list_executions().block()? {
//!     println!("{}", execution.job_name());
//! }
//! # Ok(())
//! # }
//! ```

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Error, Result};

/// Waiting for a call on the thread that makes it.
pub trait Block {
    /// What the call gives.
    type Output;

    /// Sends the request and waits for its answer.
    ///
    /// # Errors
    /// Those of the call; and [`Error::WithinRuntime`] on a thread of an asynchronous runtime, whose other tasks would stand
    /// still: await the call there (from `spawn_blocking`, through `Handle::block_on`).
    fn block(self) -> Result<Self::Output>;
}

impl<Request, Output> Block for Request
where
    Request: IntoFuture<Output = Result<Output>>,
{
    type Output = Output;

    fn block(self) -> Result<Output> {
        if Handle::try_current().is_ok() {
            return Err(Error::WithinRuntime);
        }
        runtime()?.block_on(self.into_future())
    }
}

/// One for all calls, because connections live in the runtime that opened them. Its own thread keeps them alive between calls.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread().worker_threads(1).thread_name("watchkeeper").enable_all().build();
    let runtime = made.map_err(|error| Error::Session(format!("no thread for its connections: {error}")))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
