//! Where the services are.

use crate::{Error, Result};

/// A service that requests go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AwsService {
    /// Jobs, schedules, endpoints.
    SageMaker,
    /// Invocations of endpoints.
    SageMakerRuntime,
    /// Objects.
    S3,
    /// Who calls.
    Sts,
    /// Roles.
    Iam,
    /// Logs of jobs.
    CloudWatchLogs,
}

impl AwsService {
    pub(super) const ALL: [Self; 6] =
        [Self::SageMaker, Self::SageMakerRuntime, Self::S3, Self::Sts, Self::Iam, Self::CloudWatchLogs];

    /// What its variable `AWS_ENDPOINT_URL_…` ends with; in lower case its key in a `services` section.
    pub(super) fn identifier(self) -> &'static str {
        match self {
            Self::SageMaker => "SAGEMAKER",
            Self::SageMakerRuntime => "SAGEMAKER_RUNTIME",
            Self::S3 => "S3",
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::CloudWatchLogs => "CLOUDWATCH_LOGS",
        }
    }

    /// The service's name in signatures.
    pub(super) fn signing_name(self) -> &'static str {
        match self {
            Self::SageMaker | Self::SageMakerRuntime => "sagemaker",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::CloudWatchLogs => "logs",
        }
    }
}

/// Regions that share accounts and a domain.
#[derive(Debug)]
pub(crate) struct Partition {
    pub domain: &'static str,
    /// The host of IAM, and the region of its signatures.
    iam: (&'static str, &'static str),
}

/// Source: botocore's `partitions.json` and the rule set of IAM. What regions begin with stands first.
static PARTITIONS: [(&str, Partition); 7] = [
    ("cn-", Partition { domain: "amazonaws.com.cn", iam: ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1") }),
    ("us-gov-", Partition { domain: "amazonaws.com", iam: ("iam.us-gov.amazonaws.com", "us-gov-west-1") }),
    ("us-iso-", Partition { domain: "c2s.ic.gov", iam: ("iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1") }),
    ("us-isob-", Partition { domain: "sc2s.sgov.gov", iam: ("iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1") }),
    ("eu-isoe-", Partition { domain: "cloud.adc-e.uk", iam: ("iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1") }),
    (
        "us-isof-",
        Partition { domain: "csp.hci.ic.gov", iam: ("iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1") },
    ),
    ("eusc-", Partition { domain: "amazonaws.eu", iam: ("iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1") }),
];

/// The partition of all other regions.
static AWS: Partition = Partition { domain: "amazonaws.com", iam: ("iam.amazonaws.com", "us-east-1") };

impl Partition {
    pub(crate) fn of_region(region: &str) -> &'static Self {
        let known = PARTITIONS.iter().find(|(beginning, _)| region.starts_with(beginning));
        known.map_or(&AWS, |(_, partition)| partition)
    }
}

/// The address of a service: scheme and authority, and what paths begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `https` or `http`.
    pub scheme: String,
    /// Host and port.
    pub authority: String,
    /// Without a slash at its end; mostly empty.
    pub base_path: String,
}

impl Endpoint {
    /// Reads an address that somebody has set; `named` says where, for the error.
    pub(super) fn parse(text: &str, named: &str) -> Result<Self> {
        // What stands before the host may be a secret.
        let shown = match text.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
            Some((scheme, Some((_, host)))) => format!("{scheme}://…@{host}"),
            _ => text.to_owned(),
        };
        let unusable = |reason: &str| Error::Session(format!("{named} is {shown:?}, which cannot be used: {reason}"));
        let uri: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme.ok_or_else(|| unusable("it must begin with http:// or https://"))?;
        let authority = uri.authority().ok_or_else(|| unusable("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(unusable("it must have neither user nor query"));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            authority: authority.to_string(),
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// AWS's own address of a service.
    pub(super) fn of_aws(service: AwsService, region: &str, partition: &Partition) -> Self {
        let domain = partition.domain;
        let authority = match service {
            AwsService::SageMaker => format!("api.sagemaker.{region}.{domain}"),
            AwsService::SageMakerRuntime => format!("runtime.sagemaker.{region}.{domain}"),
            AwsService::S3 => format!("s3.{region}.{domain}"),
            AwsService::Sts => format!("sts.{region}.{domain}"),
            AwsService::Iam => partition.iam.0.to_owned(),
            AwsService::CloudWatchLogs => format!("logs.{region}.{domain}"),
        };
        Self { scheme: "https".to_owned(), authority, base_path: String::new() }
    }
}

/// The region that signatures for a service name.
pub(super) fn signing_region<'r>(service: AwsService, region: &'r str, partition: &'r Partition) -> &'r str {
    if service == AwsService::Iam { partition.iam.1 } else { region }
}
