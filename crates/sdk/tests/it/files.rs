//! Files of monitors in S3: read, put there, saved again.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use watchkeeper::model_monitor::{ConstraintViolations, Constraints, Statistics};
use watchkeeper::{Error, S3Uri};

use crate::stub::{Answer, Stub};

const CONSTRAINTS: &str = r#"{"features": [{"name": "\u00e5", "inferred_type": "Integral", "vendor": 1.50}],
    "monitoring_config": {"evaluate_constraints": "Enabled"}}"#;

/// An S3 that keeps what is put into it; its one bucket is the default one.
fn s3() -> Stub {
    let objects: Mutex<HashMap<String, bytes::Bytes>> = Mutex::default();
    Stub::start(move |request| match request.method.as_str() {
        "PUT" => {
            objects.lock().unwrap().insert(request.path.clone(), request.body.clone());
            Answer::empty().with_header("etag", "\"tag\"")
        }
        "GET" if request.path == "/" => Answer::bytes(
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>the-bucket</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate>\
             </Bucket></Buckets></ListAllMyBucketsResult>",
        ),
        "GET" => match objects.lock().unwrap().get(&request.path) {
            Some(body) => Answer::bytes(body.clone()),
            None => Answer::s3_error(404, "NoSuchKey", "The specified key does not exist."),
        },
        "HEAD" => Answer::empty(),
        _ => Answer::caller_identity(),
    })
}

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

/// Requests about objects.
fn object_requests(stub: &Stub) -> Vec<crate::stub::Request> {
    let is_of_object = |request: &crate::stub::Request| request.path.trim_matches('/').contains('/');
    stub.requests().into_iter().filter(is_of_object).collect()
}

#[tokio::test]
async fn a_text_goes_to_the_default_bucket_and_is_read_back() {
    let stub = s3();
    let session = stub.session();
    let file = Constraints::from_string(&session, CONSTRAINTS).kms_key("the-key").await.unwrap();
    assert_eq!(file.body_dict(), serde_json::from_str::<Value>(CONSTRAINTS).unwrap());
    assert_eq!(file.data_quality().unwrap().features[0].name, "å");
    assert_eq!(file.kms_key(), Some("the-key"));
    let place = file.file_s3_uri().to_string();
    let identifier =
        place.strip_prefix("s3://the-bucket/monitoring/").unwrap().strip_suffix("/constraints.json").unwrap();
    assert_eq!(identifier.len(), 36);

    let requests = object_requests(&stub);
    let path = place.strip_prefix("s3:/").unwrap();
    let sent: Vec<(&str, &str)> =
        requests.iter().map(|request| (request.method.as_str(), request.path.as_str())).collect();
    assert_eq!(sent, [("PUT", path), ("GET", path)]);
    assert_eq!(requests[0].text(), CONSTRAINTS);
    assert_eq!(requests[0].header("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(requests[0].header("x-amz-server-side-encryption-aws-kms-key-id"), "the-key");
}

#[tokio::test]
async fn names_of_files_are_those_of_their_kind_or_those_given() {
    let stub = s3();
    let session = stub.session();
    let statistics = Statistics::from_string(&session, "{}").await.unwrap();
    assert!(statistics.file_s3_uri().key.ends_with("/statistics.json"));
    let violations = ConstraintViolations::from_string(&session, "{}").await.unwrap();
    assert!(violations.file_s3_uri().key.ends_with("/constraint_violations.json"));
    let named = Statistics::from_string(&session, "{}").file_name("mine.json").await.unwrap();
    assert!(named.file_s3_uri().key.ends_with("/mine.json"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("of last year.json");
    std::fs::write(&path, CONSTRAINTS).unwrap();
    let file = Constraints::from_file_path(&session, &path).await.unwrap();
    assert!(file.file_s3_uri().key.ends_with("/of last year.json"));
}

#[tokio::test]
async fn saving_writes_the_bytes_that_python_writes() {
    let stub = s3();
    let session = stub.session();
    let mut file = Constraints::from_string(&session, CONSTRAINTS).await.unwrap();
    file.set_monitoring(false, None).unwrap();
    file.data_quality_mut().unwrap().features[0].completeness = Some(1.0);
    let place = file.file_s3_uri().clone();
    assert_eq!(file.save().await.unwrap(), place);
    let requests = object_requests(&stub);
    let saved = requests.last().unwrap();
    // What `json.dumps` of Python 3.11 gives for the document with these two changes.
    let expected = r#"{"features": [{"name": "\u00e5", "inferred_type": "Integral", "vendor": 1.5, "completeness": 1.0}], "monitoring_config": {"evaluate_constraints": "Disabled"}}"#;
    assert_eq!(saved.text(), expected);
    assert_eq!(saved.header("x-amz-server-side-encryption"), "");

    // A new place sticks.
    let other = uri("s3://other/place.json");
    assert_eq!(file.save().new_save_location_s3_uri(other.clone()).await.unwrap(), other);
    assert_eq!(*file.file_s3_uri(), other);
    assert_eq!(file.save().await.unwrap(), other);
    let reread = Constraints::from_s3_uri(&session, other).await.unwrap();
    assert_eq!(reread.body_dict().to_string(), file.body_dict().to_string());
}

#[tokio::test]
async fn what_is_missing_or_no_json_is_said_with_its_place() {
    let stub = s3();
    let session = stub.session();
    let error = Statistics::from_s3_uri(&session, uri("s3://the-bucket/nothing.json")).await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchKey"));
    assert!(error.to_string().contains("nothing.json"), "{error}");

    session.upload_string_as_file_body("{", &uri("s3://the-bucket/broken.json"), None).await.unwrap();
    let error = Statistics::from_s3_uri(&session, uri("s3://the-bucket/broken.json")).await.unwrap_err();
    assert!(error.to_string().starts_with("s3://the-bucket/broken.json: is not JSON: "), "{error}");

    let before = stub.requests().len();
    let error = Statistics::from_string(&session, "{").await.unwrap_err();
    assert!(matches!(error, Error::Document { .. }), "{error}");
    let error = Statistics::from_file_path(&session, "no/such/file.json").await.unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.json: "), "{error}");
    assert_eq!(stub.requests().len(), before, "nothing is sent for what cannot be used");
}

#[tokio::test]
async fn a_file_may_be_made_of_json_at_hand() {
    let stub = s3();
    let document = json!({ "violations": [] });
    let mut file =
        ConstraintViolations::new(&stub.session(), document, uri("s3://the-bucket/v.json")).with_kms_key("k");
    assert!(file.violations().unwrap().is_empty());
    assert!(stub.requests().is_empty(), "nothing is sent before it is saved");
    file.save().await.unwrap();
    assert_eq!(object_requests(&stub)[0].text(), r#"{"violations": []}"#);
}
