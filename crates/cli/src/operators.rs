//! The operators' interface of the service, as the commands call it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::{Method, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use watchkeeper_aws::Time;
use watchkeeper_aws::signing::encode_path;
use watchkeeper_aws::types::{S3Uri, TimeOffset};
use watchkeeper_service::api::operators::Failure;

use crate::arguments::OutputFormat;
use crate::connection::Connection;

/// Which service, and how its answer is shown.
#[derive(Args)]
pub(crate) struct ServiceArguments {
    /// The folder of the service; the platform's data folder unless given.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Tables or JSON.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: OutputFormat,
}

impl ServiceArguments {
    /// The service's interface.
    pub(crate) fn open(&self) -> anyhow::Result<Operators> {
        Operators::open(self.data_dir.as_deref())
    }

    /// Prints an answer as JSON, or as what `text` makes of it.
    pub(crate) fn print<T: Serialize>(&self, answer: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let shown = match self.format {
            OutputFormat::Json => serde_json::to_string_pretty(answer)? + "\n",
            OutputFormat::Text => text(answer),
        };
        crate::output::print(&shown)
    }
}

/// How often an execution is looked at that is waited for.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// How long a service may be away while it is waited for: it is restarted, and the execution goes on.
const PATIENCE: Duration = Duration::from_mins(1);

/// For how long a service that is waited for has not answered.
#[derive(Default)]
pub(crate) struct Patience {
    failing_since: Option<Instant>,
}

impl Patience {
    /// It has answered.
    pub(crate) fn renew(&mut self) {
        self.failing_since = None;
    }

    /// Takes a failure, or gives it back when there have been nothing but failures for a minute.
    pub(crate) fn bear(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        let since = self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE { Err(error) } else { Ok(()) }
    }
}

/// The operators' interface of a service.
pub(crate) struct Operators {
    connection: Connection,
}

impl Operators {
    /// The interface of the service of a data directory; of the platform's without one.
    pub(crate) fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self { connection: Connection::open(data_dir)? })
    }

    /// Asks for something. `path` is what follows `/_watchkeeper/`, part by part.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, Option<&str>)]) -> anyhow::Result<T> {
        self.call(Method::GET, path, query, Vec::new())
    }

    /// Asks for something that may not be there.
    pub(crate) fn find<T: DeserializeOwned>(&self, path: &[&str]) -> anyhow::Result<Option<T>> {
        let response = self.response(Method::GET, path, &[], Vec::new())?;
        if response.status() == StatusCode::NOT_FOUND && serde_json::from_slice::<Failure>(response.body()).is_ok() {
            return Ok(None);
        }
        answer(&response).map(Some)
    }

    /// Asks for something to be there.
    pub(crate) fn put<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> anyhow::Result<T> {
        self.call(Method::PUT, path, &[], serde_json::to_vec(body)?)
    }

    /// Hands in JSON lines.
    pub(crate) fn post_lines<T: DeserializeOwned>(&self, path: &[&str], lines: Vec<u8>) -> anyhow::Result<T> {
        self.call(Method::POST, path, &[], lines)
    }

    /// Asks for something to be done.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> anyhow::Result<T> {
        self.call(Method::POST, path, &[], serde_json::to_vec(body)?)
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, Option<&str>)],
        body: Vec<u8>,
    ) -> anyhow::Result<T> {
        answer(&self.response(method, path, query, body)?)
    }

    fn response(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, Option<&str>)],
        body: Vec<u8>,
    ) -> anyhow::Result<Response<Bytes>> {
        let mut target = "/_watchkeeper".to_owned();
        for part in path {
            target.push('/');
            target.push_str(&encoded(part));
        }
        let given = query.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))));
        let given: Vec<String> = given.collect();
        if !given.is_empty() {
            target.push('?');
            target.push_str(&given.join("&"));
        }
        let headers = [("content-type", "application/json")];
        let call = self.connection.client.request(method, &target, &headers, body, "sagemaker");
        Ok(self.connection.wait(call)?)
    }

    /// Lets some time pass before the next question.
    pub(crate) fn pause(&self, time: Duration) {
        self.connection.wait(async { tokio::time::sleep(time).await });
    }

    /// An object of the service's store; None where there is none.
    pub(crate) fn object(&self, address: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let address: S3Uri = address.parse()?;
        let target = encode_path(&format!("/{}/{}", address.bucket, address.key));
        let response =
            self.connection.wait(self.connection.client.request(Method::GET, &target, &[], Vec::new(), "s3"))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(response.into_body().to_vec())),
            status => bail!("the service answered {status} for {address}"),
        }
    }
}

/// What the service has answered, or the failure that it says.
fn answer<T: DeserializeOwned>(response: &Response<Bytes>) -> anyhow::Result<T> {
    if !response.status().is_success() {
        match serde_json::from_slice::<Failure>(response.body()) {
            Ok(failure) => bail!("{}", failure.error),
            Err(_) => bail!("the service answered {}", response.status()),
        }
    }
    serde_json::from_slice(response.body()).context("the answer of the service cannot be read")
}

/// One part of a path or a query.
fn encoded(text: &str) -> String {
    encode_path(text).replace('/', "%2F")
}

/// A moment of the command line: ISO 8601, or so long ago as a duration says (`-PT1H`).
pub(crate) fn moment(text: &str) -> Result<String, String> {
    if let Ok(offset) = text.parse::<TimeOffset>() {
        let back = SignedDuration::from_secs(offset.duration().as_secs().saturating_abs());
        let moment = Timestamp::now().checked_sub(back).map_err(|error| error.to_string())?;
        return Ok(Time(moment).to_string());
    }
    let moment = Time::parse(text).ok_or("write it as 2026-01-31T23:00:00Z, or as a time ago such as -PT1H")?;
    Ok(moment.to_string())
}
