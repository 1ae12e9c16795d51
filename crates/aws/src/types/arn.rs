//! Amazon Resource Names.

use std::fmt;
use std::str::FromStr;

use super::{serde_as_text, shown};

/// A name of the form `arn:partition:service:region:account:resource`; region and account may be empty (S3, IAM).
///
/// Names inside ARNs are in lower case on the wire while look-ups do not regard case, so two ARNs are compared by
/// whoever knows what they name, not here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// `sagemaker`, `s3`, `iam`, ...
    pub service: String,
    /// `eu-central-1`; empty for services without regions.
    pub region: String,
    /// Twelve digits; empty for buckets.
    pub account: String,
    /// Everything after the fifth colon, which may hold more of them: `processing-job/name`, `alarm:name`.
    pub resource: String,
}

/// Why a text is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not an ARN: {reason}")]
pub struct ArnError {
    text: String,
    reason: &'static str,
}

/// The longest ARN AWS's models allow anywhere.
const LONGEST: usize = 2048;

impl Arn {
    /// The kind before the first `/` or `:` of the resource; empty when the resource is a name alone.
    ///
    /// ```
    /// # use watchkeeper_aws::types::Arn;
    /// let arn: Arn = "arn:aws:sagemaker:eu-central-1:111122223333:processing-job/nightly".parse()?;
    /// assert_eq!((arn.resource_kind(), arn.resource_name()), ("processing-job", "nightly"));
    /// # Ok::<(), watchkeeper_aws::types::ArnError>(())
    /// ```
    pub fn resource_kind(&self) -> &str {
        self.resource.split_once(['/', ':']).map_or("", |(kind, _)| kind)
    }

    /// What follows the first `/` or `:` of the resource; the whole resource when there is none.
    pub fn resource_name(&self) -> &str {
        self.resource.split_once(['/', ':']).map_or(self.resource.as_str(), |(_, name)| name)
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let error = |reason| ArnError { text: shown(text), reason };
        if text.len() > LONGEST {
            return Err(error("it is longer than 2048 bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(error("it holds a blank or a control character"));
        }
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return Err(error("it does not begin with 'arn:'"));
        }
        let (Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error("it has fewer than six parts between colons"));
        };
        if partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(error("partition, service and resource must not be empty"));
        }
        Ok(Self {
            partition: partition.to_owned(),
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

serde_as_text!(Arn);

/// The ARN of a SageMaker resource: `kind_path` is `processing-job`, `monitoring-schedule`, ...; the name is put in
/// lower case, as the real service does.
pub fn resource_arn(kind_path: &str, region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:sagemaker:{region}:{account}:{kind_path}/{}", name.to_lowercase())
}
