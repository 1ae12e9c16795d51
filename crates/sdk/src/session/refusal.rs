//! What a service says when it refuses, in the words of its protocol.

use std::borrow::Cow;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use watchkeeper_aws::client::ClientError;
use watchkeeper_aws::xml;

use super::AwsService;
use crate::Error;

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub request_id: String,
    /// The service's clock, to the second.
    pub date: Option<Timestamp>,
    /// Where the bucket is, when S3 says so.
    pub bucket_region: Option<String>,
}

impl Refusal {
    /// The refusal in an answer; none in a success. S3 begins to answer some calls before it knows whether they succeed: a refusal
    /// then comes with status 200.
    pub(super) fn in_answer(service: AwsService, operation: &str, answer: &Response<Bytes>) -> Option<Self> {
        let is_late = service == AwsService::S3
            && matches!(operation, "CompleteMultipartUpload" | "CopyObject" | "UploadPartCopy")
            && xml::element(&String::from_utf8_lossy(answer.body()), "Error").is_some();
        if answer.status().is_success() && !is_late {
            return None;
        }
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = if is_late { 500 } else { answer.status().as_u16() };
        let (code, message, request_id) = match service {
            AwsService::SageMaker | AwsService::SageMakerRuntime | AwsService::CloudWatchLogs => of_json(answer),
            AwsService::S3 | AwsService::Sts | AwsService::Iam => of_xml(answer),
        };
        let request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id")).unwrap_or(request_id);
        let date = header("date").and_then(|text| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
        let bucket_region = header("x-amz-bucket-region").or_else(|| region_in(service, answer));
        // It becomes a part of an address.
        let is_region = |region: &String| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        Some(Self { status, code, message, request_id, date, bucket_region: bucket_region.filter(is_region) })
    }

    pub(super) fn into_error(self, operation: &'static str, resource: &str) -> Error {
        let Self { status, code, message, request_id, .. } = self;
        Error::Service { operation, resource: resource.to_owned(), code, message, status, request_id }
    }

    /// Whether what was to be made is there already.
    pub(super) fn is_already_there(&self) -> bool {
        self.code.starts_with("ResourceInUse") || self.message.to_ascii_lowercase().contains("already exist")
    }

    /// Whether what was to be deleted is not there.
    pub(super) fn is_not_there(&self) -> bool {
        self.code.starts_with("ResourceNotFound")
            || self.code == "ValidationException" && self.message.starts_with("Could not find")
    }
}

/// The region that S3 names in place of the one that a signature was for.
fn region_in(service: AwsService, answer: &Response<Bytes>) -> Option<String> {
    let text = String::from_utf8_lossy(answer.body());
    let error = (service == AwsService::S3).then(|| xml::element(&text, "Error")).flatten()?;
    xml::text(error, "Region").map(Cow::into_owned)
}

fn of_json(answer: &Response<Bytes>) -> (String, String, String) {
    match ClientError::of_json(answer) {
        ClientError::Service { code, message, request_id, .. } => (code, message, request_id),
        other => ("UnknownError".to_owned(), other.to_string(), String::new()),
    }
}

/// Code, message and identifier of an answer of S3, STS or IAM; those to `HEAD` have no body.
fn of_xml(answer: &Response<Bytes>) -> (String, String, String) {
    let text = String::from_utf8_lossy(answer.body());
    let status = answer.status();
    let error = xml::element(&text, "Error").unwrap_or_default();
    let code = xml::text(error, "Code").map_or_else(|| status.as_str().to_owned(), Cow::into_owned);
    let reason = status.canonical_reason().unwrap_or("no message");
    let message = xml::text(error, "Message").map_or_else(|| reason.to_owned(), Cow::into_owned);
    let request_id = xml::text(&text, "RequestId").or_else(|| xml::text(&text, "RequestID"));
    (code, message, request_id.unwrap_or_default().into_owned())
}
