//! Why a user script failed.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// Which of the two scripts of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The record preprocessor, with `preprocess_handler`.
    Preprocessor,
    /// The post analytics script, with `postprocess_handler`.
    Postprocessor,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Preprocessor => "preprocessor",
            Self::Postprocessor => "postprocessor",
        })
    }
}

/// Why a user script failed; displayed it is what follows `Error: ` in the job's exit message. It is one line,
/// because a status page shows one: AWS's text, then what happened. Tracebacks and records are in the log.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The interpreter could not be started.
    #[error("Exception while invoking {stage} script. {}", not_started(program, error))]
    NotStarted {
        /// Which script.
        stage: Stage,
        /// The interpreter.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// The script cannot be imported, lacks its handler, or raised an exception.
    #[error("Exception while invoking {stage} script. {reason}")]
    Raised {
        /// Which script.
        stage: Stage,
        /// The last line of the traceback, or what the script lacks.
        reason: String,
    },
    /// The preprocessor returned what is no row.
    #[error("Preprocessor must return flat key-value pairs. {0}")]
    NotFlat(String),
    /// The interpreter ended, or stopped talking, before the script was done.
    #[error("Exception while invoking {stage} script. {} {place}", how_it_ended(*status))]
    Ended {
        /// Which script.
        stage: Stage,
        /// How the process ended; `None` when it lives and only its pipes were closed.
        status: Option<ExitStatus>,
        /// Where the script was then.
        place: String,
    },
    /// The script did not answer in time.
    #[error(
        "Exception while invoking {stage} script. no answer within {} s {place}; the variable \
         WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS sets this limit", limit.as_secs_f64()
    )]
    TimeLimit {
        /// Which script.
        stage: Stage,
        /// The limit that was passed.
        limit: Duration,
        /// Where the script was then.
        place: String,
    },
    /// The job was told to stop.
    #[error("stopped while the {0} script ran")]
    Stopped(Stage),
    /// A capture file could not be read during a dry run.
    #[error("could not read the captured data: {0}")]
    Capture(io::Error),
    /// The report of a dry run could not be written.
    #[error("could not write the report of the dry run: {0}")]
    Report(io::Error),
}

fn not_started(program: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        format!(
            "`{program}` was not found; install Python 3.8 or newer, or set the variable WATCHKEEPER_PYTHON to the \
             path of an interpreter"
        )
    } else {
        format!("could not start `{program}`: {error}; the variable WATCHKEEPER_PYTHON names the interpreter")
    }
}

fn how_it_ended(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;

    let Some(status) = status else {
        return "the script closed or garbled the connection to the analyzer".to_owned();
    };
    if let Some(number) = status.signal() {
        let name = nix::sys::signal::Signal::try_from(number).map_or("an unknown signal", |signal| signal.as_str());
        let hint = if name == "SIGKILL" { "; out of memory is the usual reason" } else { "" };
        return format!("python was killed by {name} (signal {number}{hint})");
    }
    format!("the script's process ended with status {}", status.code().unwrap_or_default())
}
