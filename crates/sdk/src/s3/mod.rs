//! Files of this machine and of S3.

use std::path::{Path, PathBuf};

use watchkeeper_aws::types::S3Uri;

/// Where a dataset or a script is: a file or folder here, which is uploaded, or what is in S3 already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file or a folder of this machine.
    Local(PathBuf),
    /// An object or a prefix.
    S3(S3Uri),
}

impl From<S3Uri> for Source {
    fn from(uri: S3Uri) -> Self {
        Self::S3(uri)
    }
}

impl From<&S3Uri> for Source {
    fn from(uri: &S3Uri) -> Self {
        Self::S3(uri.clone())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl std::str::FromStr for Source {
    type Err = watchkeeper_aws::types::S3UriError;

    /// `s3://...` is an address, anything else a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("s3://") { text.parse().map(Self::S3) } else { Ok(Self::Local(text.into())) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(formatter),
            Self::S3(uri) => uri.fmt(formatter),
        }
    }
}

/// As its text: the wire has addresses alone, and what is here is uploaded before it gets there.
impl serde::Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
