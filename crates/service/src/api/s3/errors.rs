//! What can go wrong, in S3's words.

use s3s::{S3Error, S3ErrorCode};
use watchkeeper_store::{Error as StoreError, StorageFault, keys};

use super::checksums::Mismatch;
use crate::server::chunks::TOO_LARGE;

/// An error with S3's own text.
pub(super) fn error(code: S3ErrorCode) -> S3Error {
    let message = message_of(code.as_str());
    let mut error = S3Error::new(code);
    if let Some(message) = message {
        error.set_message(message);
    }
    error
}

/// An error with a text of ours.
pub(super) fn error_saying(code: S3ErrorCode, message: impl Into<String>) -> S3Error {
    S3Error::with_message(code, message.into())
}

/// An error of a code that the protocol crate does not know.
pub(super) fn custom(code: &'static str, status: http::StatusCode, message: impl Into<String>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.into());
    error.set_status_code(status);
    error
}

/// What S3 says with a code, for the codes that clients and people meet.
pub(crate) fn message_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" => "Access Denied",
        "BadDigest" => "The Content-MD5 or checksum value that you specified did not match what the server received.",
        "BucketAlreadyOwnedByYou" => {
            "Your previous request to create the named bucket succeeded and you already own it."
        }
        "BucketNotEmpty" => "The bucket you tried to delete is not empty",
        "EntityTooLarge" => "Your proposed upload exceeds the maximum allowed object size.",
        "EntityTooSmall" => "Your proposed upload is smaller than the minimum allowed size",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidDigest" => "The Content-MD5 or checksum value that you specified is not valid.",
        "InvalidPart" => {
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified \
             entity tag may not match the part's entity tag."
        }
        "InvalidPartOrder" => "The list of parts was not in ascending order. Parts must be ordered by part number.",
        "InvalidRange" => "The requested range is not satisfiable",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MetadataTooLarge" => "Your metadata headers exceed the maximum allowed metadata size",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchBucketPolicy" => "The bucket policy does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        "NoSuchTagSet" => "The TagSet does not exist",
        "NoSuchUpload" => {
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
             completed."
        }
        "NoSuchVersion" => "The specified version does not exist.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold",
        "RequestTimeTooSkewed" => "The difference between the request time and the current time is too large.",
        "RequestTimeout" => {
            "Your socket connection to the server was not read from or written to within the timeout period. Idle \
             connections will be closed."
        }
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        "SlowDown" => "Please reduce your request rate.",
        "TooManyBuckets" => "You have attempted to create more buckets than allowed.",
        "XAmzContentSHA256Mismatch" => "The provided 'x-amz-content-sha256' header does not match what was computed.",
        _ => return None,
    })
}

/// A failure of the store.
pub(super) fn of_store(failure: StoreError) -> S3Error {
    match failure {
        StoreError::NoSuchBucket(_) => error(S3ErrorCode::NoSuchBucket),
        StoreError::BucketExists(_) => error(S3ErrorCode::BucketAlreadyOwnedByYou),
        StoreError::BucketNotEmpty(_) => error(S3ErrorCode::BucketNotEmpty),
        StoreError::NoSuchKey { .. } => error(S3ErrorCode::NoSuchKey),
        StoreError::PreconditionFailed => error(S3ErrorCode::PreconditionFailed),
        StoreError::InvalidRange { .. } => error(S3ErrorCode::InvalidRange),
        StoreError::NoSuchUpload(_) => error(S3ErrorCode::NoSuchUpload),
        // A completion without parts.
        StoreError::InvalidPart(0) => error(S3ErrorCode::MalformedXML),
        StoreError::InvalidPart(_) => error(S3ErrorCode::InvalidPart),
        StoreError::InvalidPartOrder => error(S3ErrorCode::InvalidPartOrder),
        StoreError::EntityTooSmall { .. } => error(S3ErrorCode::EntityTooSmall),
        StoreError::EntityTooLarge { .. } => error(S3ErrorCode::EntityTooLarge),
        StoreError::KeyLength { .. } => error(S3ErrorCode::KeyTooLongError),
        StoreError::MetadataTooLarge { .. } => error(S3ErrorCode::MetadataTooLarge),
        StoreError::KeyUnavailable { key, status } => unavailable_key(&key, status.as_deref()),
        StoreError::Body(source) => of_body(&source),
        StoreError::TooManyBuckets(_) => error(S3ErrorCode::TooManyBuckets),
        StoreError::QuotaExceeded { .. } | StoreError::TooManyUploads(_) => {
            custom("QuotaExceeded", http::StatusCode::INSUFFICIENT_STORAGE, failure.to_string())
        }
        failure if failure.storage_fault().is_some() => of_storage(&failure),
        failure => {
            tracing::error!(error = &failure as &dyn std::error::Error, "the object store failed");
            error(S3ErrorCode::InternalError)
        }
    }
}

/// What cannot be written. SDKs do not try 507 again: room is not made by waiting; 503 they do, for a while.
fn of_storage(failure: &StoreError) -> S3Error {
    let error = crate::api::failure::of_store(failure);
    match failure.storage_fault() {
        Some(StorageFault::Full) => {
            custom("InsufficientStorage", http::StatusCode::INSUFFICIENT_STORAGE, error.message)
        }
        _ => error_saying(S3ErrorCode::ServiceUnavailable, error.message),
    }
}

/// An encryption key that is missing or switched off, with the code S3 has for it.
pub(super) fn unavailable_key(key: &str, status: Option<&str>) -> S3Error {
    let (code, message) = match status {
        None => ("KMS.NotFoundException", format!("Key '{key}' does not exist")),
        Some("Disabled") => ("KMS.DisabledException", format!("{key} is disabled.")),
        Some(status) if status != keys::ENABLED => {
            ("KMS.KMSInvalidStateException", format!("{key} is pending deletion."))
        }
        Some(_) => ("KMS.KMSInvalidStateException", format!("{key} cannot be used.")),
    };
    custom(code, http::StatusCode::BAD_REQUEST, message)
}

/// A body that broke off or was not what its sender said.
fn of_body(source: &std::io::Error) -> S3Error {
    if let Some(mismatch) = source.get_ref().and_then(|inner| inner.downcast_ref::<Mismatch>()) {
        return mismatch.to_error();
    }
    // The protocol crate's errors of bodies are private types: their texts are what there is.
    let text = source.to_string();
    if text.contains("Sha256Mismatch") {
        let code = "XAmzContentSHA256Mismatch";
        return custom(code, http::StatusCode::BAD_REQUEST, message_of(code).unwrap_or_default());
    }
    if let Some((_, refusal)) = text.split_once(TOO_LARGE) {
        let message = refusal.trim_start_matches(": ").to_owned();
        return custom(TOO_LARGE, http::StatusCode::BAD_REQUEST, message);
    }
    let code = if text.contains("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else if source.kind() == std::io::ErrorKind::TimedOut || text.contains("stood still") {
        S3ErrorCode::RequestTimeout
    } else {
        S3ErrorCode::IncompleteBody
    };
    error(code)
}
