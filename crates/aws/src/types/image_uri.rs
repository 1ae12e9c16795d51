//! Names of container images.

use std::fmt;
use std::str::FromStr;

use super::{serde_as_text, shown};

/// A container image as requests name it: `[registry/]repository[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageUri {
    text: String,
    repository: std::ops::Range<usize>,
}

/// Why a text is no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not the name of an image: {reason}")]
pub struct ImageUriError {
    text: String,
    reason: &'static str,
}

impl ImageUri {
    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The repository without registry, tag and digest: what decides which program runs.
    ///
    /// ```
    /// # use watchkeeper_aws::types::ImageUri;
    /// let image: ImageUri =
    ///     "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer:latest".parse()?;
    /// assert_eq!(image.repository(), "sagemaker-model-monitor-analyzer");
    /// # Ok::<(), watchkeeper_aws::types::ImageUriError>(())
    /// ```
    pub fn repository(&self) -> &str {
        &self.text[self.repository.clone()]
    }
}

/// The registry's length with its slash: the first part names a host when it has a dot or a port, or is `localhost`
/// (the rule of the image name's own grammar).
fn registry_length(text: &str) -> usize {
    match text.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first.len() + 1,
        _ => 0,
    }
}

impl FromStr for ImageUri {
    type Err = ImageUriError;

    fn from_str(text: &str) -> Result<Self, ImageUriError> {
        let error = |reason| ImageUriError { text: shown(text), reason };
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(error("it holds a blank or a control character"));
        }
        let start = registry_length(text);
        let without_digest = text[start..].find('@').map_or(text.len(), |at| start + at);
        let end = text[start..without_digest].find(':').map_or(without_digest, |at| start + at);
        if text[start..end].split('/').any(str::is_empty) {
            return Err(error("its repository is empty or has an empty part"));
        }
        Ok(Self { text: text.to_owned(), repository: start..end })
    }
}

impl fmt::Display for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(ImageUri);
