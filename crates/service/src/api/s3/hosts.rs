//! Which bucket a host names.

use s3s::host::{S3Host, VirtualHost};
use s3s::{S3Result, s3_error};

/// What AWS's own host names end in.
const AWS_DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"];

/// Both addressing styles: a bucket in front of `localhost` or of an S3 host of AWS, else in the path.
pub(crate) struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let virtual_host = VirtualHost::new(host);
        match bucket_of_host(host) {
            Some(bucket) if s3s::path::check_bucket_name(&bucket) => Ok(virtual_host.with_bucket(bucket)),
            Some(_) => Err(s3_error!(InvalidBucketName)),
            None => Ok(virtual_host),
        }
    }
}

/// The bucket that a host (any case, with or without port) names: `b.localhost`, `b.s3.localhost`,
/// `b.s3.us-east-1.amazonaws.com`, `b.s3-us-west-2.amazonaws.com`, `b.s3.amazonaws.com`,
/// `b.s3.dualstack.eu-west-1.amazonaws.com`.
pub(crate) fn bucket_of_host(host: &str) -> Option<String> {
    let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    if let Some(name) = host.strip_suffix(".localhost") {
        let bucket = name.strip_suffix(".s3").unwrap_or(name);
        return (bucket != "s3").then(|| bucket.to_owned());
    }
    let name = AWS_DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
    let labels: Vec<&str> = name.split('.').collect();
    // Behind the bucket: the service, perhaps `dualstack`, perhaps the region. Buckets may have dots, and labels like `s3`.
    let service = labels.iter().rposition(|label| *label == "s3" || label.starts_with("s3-"))?;
    (service > 0 && labels.len() - service <= 3).then(|| labels[..service].join("."))
}

/// Whether a host (any case, without port) is one of AWS's.
pub(crate) fn is_aws_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    AWS_DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|name| !name.is_empty()))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_hosts() {
        let cases = [
            ("localhost", None),
            ("localhost:8470", None),
            ("127.0.0.1:8470", None),
            ("data.localhost:8470", Some("data")),
            ("Data.LOCALHOST", Some("data")),
            ("s3.localhost", None),
            ("data.s3.localhost:80", Some("data")),
            ("my.data.s3.amazonaws.com", Some("my.data")),
            ("data.s3.us-east-1.amazonaws.com", Some("data")),
            ("data.s3.us-east-1.amazonaws.com:443", Some("data")),
            ("data.s3-us-west-2.amazonaws.com", Some("data")),
            ("data.s3.dualstack.eu-west-1.amazonaws.com", Some("data")),
            ("data.s3.cn-north-1.amazonaws.com.cn", Some("data")),
            ("data.s3.us-east-1.api.aws", Some("data")),
            ("s3.amazonaws.com", None),
            ("s3.us-east-1.amazonaws.com", None),
            ("s3-us-west-2.amazonaws.com", None),
            ("s3.data.s3.us-east-1.amazonaws.com", Some("s3.data")),
            ("api.sagemaker.us-east-1.amazonaws.com", None),
            ("watchkeeper.internal:8470", None),
        ];
        for (host, bucket) in cases {
            assert_eq!(bucket_of_host(host).as_deref(), bucket, "{host}");
        }
    }

    #[test]
    fn hosts_of_aws() {
        assert!(is_aws_host("sts.us-east-1.amazonaws.com"));
        assert!(is_aws_host("STS.cn-north-1.amazonaws.com.cn"));
        assert!(is_aws_host("sagemaker.us-east-1.api.aws"));
        assert!(!is_aws_host("amazonaws.com.example.org"));
        assert!(!is_aws_host("pypi.org"));
        assert!(!is_aws_host(".amazonaws.com"));
        assert!(!is_aws_host("evilamazonaws.com"));
    }
}
