//! The log of the service itself, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::configuration::{LogFormat, LogSettings};

/// What is said only when it is asked for by name: these crates report every refused request as an error of theirs.
const QUIET: [&str; 2] = ["s3s=off", "sqlx=warn"];

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("the log level `{level}` is wrong")]
    Level {
        /// The filter.
        level: String,
        /// What is wrong.
        source: ParseError,
    },
    /// There is a log already.
    #[error("the log is set up already")]
    SetUp(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the log of this process.
pub fn start(settings: &LogSettings) -> Result<(), Error> {
    let wrong = |source| Error::Level { level: settings.level.clone(), source };
    let mut directives: Vec<&str> = QUIET.to_vec();
    directives.push(&settings.level);
    let filter = EnvFilter::builder().parse(directives.join(",")).map_err(wrong)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => subscriber.with_ansi(false).finish().try_init()?,
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
