//! The defaults of the SageMaker Python SDK that hold for us too: the bucket that `SAGEMAKER_USER_CONFIG_OVERRIDE` leads to.
//!
//! The document is YAML, in S3 or a file of this machine. Two texts at known places are read from it, and read leniently: in
//! a form that is not understood here (anchors, several documents) they count as not set, as they would be in a document
//! without them. Decided against: a YAML crate, which costs every user more to compile than this session does.

use std::io::ErrorKind;
use std::path::PathBuf;

use http::Method;
use tokio::sync::OnceCell;
use watchkeeper_aws::signing::encode_path;
use watchkeeper_aws::types::S3Uri;

use super::{AwsService, RequestParts, Session};
use crate::{Error, Result};

/// Where in the document the names are.
const PLACE: [&str; 4] = ["SageMaker", "PythonSDK", "Modules", "Session"];

/// The default bucket, as far as somebody has named one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub bucket: Option<String>,
    /// What keys begin with.
    pub prefix: Option<String>,
}

/// What the session was given, and what the document adds to it once it was read.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// Given to the session itself.
    pub given: Named,
    /// The address or path in `SAGEMAKER_USER_CONFIG_OVERRIDE`.
    pub document: Option<String>,
    pub complete: OnceCell<Named>,
}

impl Session {
    /// The default bucket and prefix that were given or configured; reads the document the first time it is needed.
    pub(super) async fn named_defaults(&self) -> Result<&Named> {
        let defaults = &self.inner.defaults;
        defaults.complete.get_or_try_init(|| self.read_defaults()).await
    }

    async fn read_defaults(&self) -> Result<Named> {
        let Defaults { given, document, .. } = &self.inner.defaults;
        let Some(place) = document.as_deref().filter(|_| given.bucket.is_none() || given.prefix.is_none()) else {
            return Ok(given.clone());
        };
        let text = if place.starts_with("s3://") {
            let unusable = |error: &dyn std::fmt::Display| {
                Error::Session(format!("SAGEMAKER_USER_CONFIG_OVERRIDE is {place:?}: {error}"))
            };
            let uri: S3Uri = place.parse().map_err(|error| unusable(&error))?;
            let path = format!("/{}", encode_path(&uri.key));
            // Nobody asked for this object in the call that needs it.
            let resource = format!("{place} (SAGEMAKER_USER_CONFIG_OVERRIDE)");
            let parts = RequestParts::new("GetObject", &resource, Method::GET, path);
            let parts = RequestParts { bucket: Some(&uri.bucket), ..parts };
            let answer = self.request(AwsService::S3, parts).await?;
            String::from_utf8_lossy(answer.body()).into_owned()
        } else {
            let path = PathBuf::from(place);
            let text = match std::fs::read_to_string(&path) {
                Err(error) if error.kind() == ErrorKind::IsADirectory => {
                    std::fs::read_to_string(path.join("config.yaml"))
                }
                text => text,
            };
            text.map_err(|source| Error::File { path, reason: source })?
        };
        let found = |name: &str| text_at(&text, &[PLACE.as_slice(), &[name]].concat());
        Ok(Named {
            bucket: given.bucket.clone().or_else(|| found("DefaultS3Bucket")),
            prefix: given.prefix.clone().or_else(|| found("DefaultS3ObjectKeyPrefix")),
        })
    }
}

/// The text at a place of nested maps, in JSON or in YAML's block form.
fn text_at(document: &str, place: &[&str]) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(document) {
        let found = place.iter().try_fold(&value, |value, name| value.get(name))?;
        return found.as_str().map(str::to_owned);
    }
    // The keys around the current line with their columns.
    let mut around: Vec<(usize, String)> = Vec::new();
    for line in document.lines() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with(['#', '-']) {
            continue;
        }
        let column = line.len() - text.len();
        let Some((key, value)) = text.split_once(':') else { continue };
        around.retain(|(outer, _)| *outer < column);
        around.push((column, scalar(key)));
        if around.iter().map(|(_, key)| key.as_str()).eq(place.iter().copied()) {
            return Some(scalar(value)).filter(|value| !value.is_empty());
        }
    }
    None
}

/// A scalar without its quotes, or without the comment behind it.
fn scalar(text: &str) -> String {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.0.to_owned();
        }
    }
    let end = text.find(" #").unwrap_or(text.len());
    if text.starts_with('#') { String::new() } else { text[..end].trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_found_in_yaml_and_in_json() {
        let place = ["SageMaker", "PythonSDK", "Modules", "Session", "DefaultS3Bucket"];
        let yaml = "SchemaVersion: '1.0'\n# of ours\nSageMaker:\n  MonitoringSchedule:\n    Session:\n      DefaultS3Bucket: wrong\n  \
                    PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n      Session:\n        DefaultS3Bucket: 'right'  # yes\n";
        assert_eq!(text_at(yaml, &place).as_deref(), Some("right"));
        assert_eq!(text_at(&yaml.replace("'right'", "right"), &place).as_deref(), Some("right"));
        assert_eq!(text_at(&yaml.replace("'right'", ""), &place), None);
        let json = r#"{"SageMaker": {"PythonSDK": {"Modules": {"Session": {"DefaultS3Bucket": "right"}}}}}"#;
        assert_eq!(text_at(json, &place).as_deref(), Some("right"));
        assert_eq!(text_at("", &place), None);
    }
}
