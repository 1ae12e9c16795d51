//! Sets up and reads monitors of machine-learning models: the classes of Python's `sagemaker.model_monitor`, under the same
//! names, for [Watchkeeper](https://docs.rs/watchkeeper) and for Amazon SageMaker alike.
//!
//! A [`Session`] says where requests go and who signs them. The monitors are in [`model_monitor`], what they take and give
//! beside that in [`processing`], [`clarify`], [`network`], [`predictor`] and [`image_uris`]. The [`guide`] shows each class as a
//! Python script uses it, and its twin.
//!
//! ```no_run
//! use watchkeeper::Session;
//! use watchkeeper::model_monitor::{CronExpressionGenerator, DatasetFormat, DefaultModelMonitor};
//!
//! # async fn run() -> Result<(), watchkeeper::Error> {
//! let session = Session::from_env().await?;
//! let mut monitor = DefaultModelMonitor::new(&session, "monitoring-role").max_runtime_in_seconds(1800);
//! monitor.suggest_baseline(std::path::Path::new("train.csv"), DatasetFormat::csv(true)).await?;
//! monitor
//!     .create_monitoring_schedule("churn")
//!     .schedule_cron_expression(CronExpressionGenerator::hourly())
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Three conventions hold everywhere:
//!
//! - What must be given is an argument; what may be given is a setter of the request that a method returns. **A request is sent
//!   when it is awaited**, never before.
//! - Waiting may be given up at any point: dropping the future leaves the job or schedule as it is, and the value that stands
//!   for it usable.
//! - What Python answers with `NotImplementedError` is no method here.

pub mod clarify;
pub mod documents;
mod error;
pub mod guide;
pub mod image_uris;
pub mod inputs;
pub mod model_monitor;
pub mod network;
pub mod predictor;
pub mod processing;
mod request;
mod s3;
pub mod session;
mod word;

#[cfg(feature = "blocking")]
pub mod blocking;

pub use error::{Error, Result};
pub use s3::Source;
pub use session::Session;
pub use watchkeeper_aws::Time;
pub use watchkeeper_aws::types::{ImageUri, S3Uri, ScheduleExpression, TimeOffset};
