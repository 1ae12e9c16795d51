//! The log of a program as its clients read it: one stream an instance, in the group of jobs or endpoints of its kind.
//!
//! What a program says goes through [`ProgramLog::append`] in chunks; whoever appends waits until the chunk is stored, so that
//! a talkative program is slowed down instead of being kept in memory. A log that cannot be written ends no program.

use std::sync::Arc;

use watchkeeper_store::Error;
use watchkeeper_store::logs::{LogEvent, Logs};

use crate::context::Clock;

/// The log group of all processing jobs.
pub const PROCESSING_JOBS: &str = "/aws/sagemaker/ProcessingJobs";

/// The log group of all batch transform jobs.
pub const TRANSFORM_JOBS: &str = "/aws/sagemaker/TransformJobs";
/// What an endpoint's name is appended to for its log group.
pub const ENDPOINTS: &str = "/aws/sagemaker/Endpoints/";

/// The log stream of one instance of a program.
#[derive(Clone)]
pub struct ProgramLog {
    logs: Arc<dyn Logs>,
    clock: Arc<dyn Clock>,
    group: String,
    stream: String,
}

impl ProgramLog {
    /// The stream of a group; both are made where they are not there yet.
    pub async fn open(logs: Arc<dyn Logs>, clock: Arc<dyn Clock>, group: &str, stream: String) -> Self {
        let log = Self { logs, clock, group: group.to_owned(), stream };
        if let Err(error) = log.create().await {
            tracing::warn!(group, stream = log.stream, %error, "the log stream of a program could not be made");
        }
        log
    }

    /// The stream of an instance of a job: `<job>/<host>-<epoch seconds>`.
    pub fn job_stream(job: &str, host: &str, started: jiff::Timestamp) -> String {
        format!("{job}/{host}-{}", started.as_second())
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// This moment, as events have it.
    pub fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// A line of the service itself.
    pub async fn say(&self, text: &str) {
        let timestamp = self.now();
        let lines = text.lines().filter(|line| !line.is_empty());
        self.append(lines.map(|line| LogEvent { timestamp, message: line.to_owned() }).collect()).await;
    }

    /// Lines, in their order. When this returns they are stored, or a warning is in the service's own log.
    pub async fn append(&self, events: Vec<LogEvent>) {
        if events.is_empty() {
            return;
        }
        let again = events.clone();
        let appended = match self.logs.append(&self.group, &self.stream, events, self.now()).await {
            // Somebody deleted the group while the program ran.
            Err(Error::NoSuchLogGroup(_) | Error::NoSuchLogStream(_)) => match self.create().await {
                Ok(()) => self.logs.append(&self.group, &self.stream, again, self.now()).await,
                Err(error) => Err(error),
            },
            other => other,
        };
        if let Err(error) = appended {
            tracing::warn!(stream = self.stream, %error, "lines of a program's log were lost");
        }
    }

    async fn create(&self) -> Result<(), Error> {
        match self.logs.create_stream(&self.group, &self.stream, self.now()).await {
            Err(Error::NoSuchLogGroup(_)) => {}
            Err(Error::LogStreamExists(_)) => return Ok(()),
            other => return other,
        }
        match self.logs.create_group(&self.group, self.now()).await {
            Ok(()) | Err(Error::LogGroupExists(_)) => {}
            Err(error) => return Err(error),
        }
        match self.logs.create_stream(&self.group, &self.stream, self.now()).await {
            Err(Error::LogStreamExists(_)) => Ok(()),
            other => other,
        }
    }
}
