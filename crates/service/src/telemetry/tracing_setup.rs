//! The log of the service itself, on standard error.

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::configuration::{LogFormat, LogSettings};

/// What is said only when it is asked for by name: these crates report every refused request as an error of theirs.
const QUIET: [&str; 2] = ["s3s=off", "sqlx=warn"];

/// Whether something may be said at all, whatever is asked for: below warnings the protocol crate of S3 shows requests with
/// their headers, session tokens among them, and the signatures it expects.
fn may_be_said(metadata: &Metadata<'_>) -> bool {
    let is_of_s3s = metadata.target() == "s3s" || metadata.target().starts_with("s3s::");
    !is_of_s3s || *metadata.level() <= Level::WARN
}

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
        LogFormat::Text => subscriber.with_ansi(false).finish().with(filter_fn(may_be_said)).try_init()?,
        LogFormat::Json => subscriber.json().flatten_event(true).finish().with(filter_fn(may_be_said)).try_init()?,
    }
    Ok(())
}
