//! What goes wrong on the way: what is sent again, how often, and what a caller is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use watchkeeper::model_monitor::ModelMonitor;
use watchkeeper::processing::{ProcessingInput, ProcessingOutput, Wait};
use watchkeeper::session::{AwsService, Credentials, ProvideCredentials, Providing};
use watchkeeper::{Error, S3Uri, Session};

use crate::any_call::{describe, describe_at_once};
use crate::stub::{Answer, Stub};
use crate::waiting::until;

fn described() -> Answer {
    Answer::json(&json!({"ProcessingJobName": "nightly", "ProcessingJobStatus": "Completed"}))
}

/// What is answered first, and how many requests a call then takes that is answered well after them.
fn passing_faults() -> Vec<(&'static str, Vec<Answer>)> {
    vec![
        ("throttled", vec![Answer::error(400, "ThrottlingException", "Rate exceeded")]),
        ("throttled twice", vec![Answer::error(400, "ThrottlingException", "Rate exceeded"); 2]),
        ("too many requests", vec![Answer::empty().with_status(429)]),
        (
            "failed",
            vec![Answer::error(500, "InternalFailure", "An internal failure"), Answer::empty().with_status(503)],
        ),
        ("a gateway's page", vec![Answer::bytes("<html>Bad Gateway</html>").with_status(502)]),
        ("broken after the request", vec![Answer::broken(), Answer::broken()]),
        ("cut in the answer", vec![described().cut_after(20)]),
        ("cut before the answer's first byte", vec![described().cut_after(0)]),
    ]
}

#[tokio::test]
async fn what_passes_is_sent_again() {
    for (name, faults) in passing_faults() {
        let expected = faults.len() + 1;
        let stub = Stub::answering(faults.into_iter().chain([described()]));
        let answer = describe(&stub.session()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer["ProcessingJobStatus"], "Completed", "{name}");
        let requests = stub.requests();
        assert_eq!(requests.len(), expected, "{name}");
        let first = &requests[0];
        for (number, request) in requests.iter().enumerate() {
            assert_eq!(request.body, first.body, "{name}");
            assert_eq!(request.header("amz-sdk-invocation-id"), first.header("amz-sdk-invocation-id"), "{name}");
            assert_eq!(request.header("amz-sdk-request"), format!("attempt={}; max=3", number + 1), "{name}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_request_is_made_again() {
    let stub = Stub::answering([described()]);
    stub.refuse_connections(2);
    describe(&stub.session()).await.unwrap();
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn a_session_serves_runtimes_that_take_turns() {
    let stub = Stub::start(|_| described());
    let session = stub.builder().timeout(Duration::from_secs(5)).max_attempts(1).build().unwrap();
    let runtimes: Vec<_> =
        (0..2).map(|_| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()).collect();
    for runtime in runtimes.iter().cycle().take(6) {
        runtime.block_on(describe(&session)).unwrap();
    }
    assert_eq!(stub.requests().len(), 6);
}

#[tokio::test]
async fn what_does_not_pass_is_told_after_three_attempts() {
    let stub = Stub::start(|_| Answer::error(500, "InternalFailure", "An internal failure"));
    let error = describe(&stub.session()).await.unwrap_err();
    assert_eq!(error.to_string(), "DescribeProcessingJob of nightly: InternalFailure: An internal failure");
    let Error::Service { status, request_id, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*status, request_id.as_str()), (500, "stub-request"));
    assert_eq!(stub.requests().len(), 3);

    let stub = Stub::start(|_| Answer::broken());
    let error = describe(&stub.session()).await.unwrap_err().to_string();
    assert!(error.starts_with("DescribeProcessingJob of nightly: 127.0.0.1:"), "{error}");
    assert!(error.ends_with(" (tried 3 times)"), "{error}");
    assert_eq!(stub.requests().len(), 3);

    let stub = Stub::start(|_| Answer::silent());
    let session = stub.builder().timeout(Duration::from_millis(50)).max_attempts(2).build().unwrap();
    let error = describe(&session).await.unwrap_err().to_string();
    assert!(error.ends_with("no answer within 0.05 seconds (tried 2 times)"), "{error}");
    assert_eq!(stub.requests().len(), 2);

    let gone = Stub::start(|_| described());
    let session = gone.builder().build().unwrap();
    let url = gone.url();
    drop(gone);
    // The port is free once the server's thread has ended.
    until(|| std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err()).await;
    let error = describe(&session).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { attempts: 3, .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn refusals_are_told_at_once() {
    for (status, code) in [(400, "ValidationException"), (400, "ResourceNotFound"), (403, "AccessDeniedException")] {
        let stub = Stub::start(move |_| Answer::error(status, code, "no"));
        let error = describe(&stub.session()).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(stub.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn the_code_of_a_refusal_is_read_without_namespace_and_documentation() {
    let stub = Stub::answering([
        Answer::error(400, "com.amazonaws.sagemaker#ResourceNotFound", "gone"),
        Answer::bytes(r#"{"Message": "no"}"#)
            .with_status(400)
            .with_header("x-amzn-errortype", "ValidationException:http://internal.amazon.com/coral/"),
        Answer::bytes("not JSON").with_status(404),
    ]);
    let session = stub.session();
    assert_eq!(describe(&session).await.unwrap_err().code(), Some("ResourceNotFound"));
    let error = describe(&session).await.unwrap_err().to_string();
    assert_eq!(error, "DescribeProcessingJob of nightly: ValidationException: no");
    let error = describe(&session).await.unwrap_err().to_string();
    assert_eq!(error, "DescribeProcessingJob of nightly: UnknownError: the answer has status 404 and no message");
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_told() {
    let stub = Stub::answering([Answer::bytes("{\"Processing")]);
    let error = describe(&stub.session()).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error:?}");
    assert!(error.to_string().starts_with("DescribeProcessingJob of nightly: the answer is no JSON: "), "{error}");
}

#[tokio::test]
async fn pauses_grow_and_are_spread() {
    let stub = Stub::start(|_| Answer::error(500, "InternalFailure", "no"));
    let session = stub.builder().longest_backoff(Duration::from_secs(20)).max_attempts(8).build().unwrap();
    // Seven pauses of up to 1, 2, 4, ... seconds are less than this together once in 10^13 times.
    let call = tokio::time::timeout(Duration::from_millis(300), describe(&session));
    assert!(call.await.is_err());
    assert!(stub.requests().len() < 8);
}

/// A provider that counts how often it is asked, and gives another key each time.
struct Counting {
    asked: std::sync::Arc<AtomicUsize>,
    lifetime: Option<SignedDuration>,
}

impl ProvideCredentials for Counting {
    fn provide_credentials(&self) -> Providing<'_> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let credentials =
            Credentials::new(format!("AKIA{number}"), "secret").with_session_token(format!("token{number}"));
        let expires = self.lifetime.map(|lifetime| Timestamp::now() + lifetime);
        Box::pin(std::future::ready(Ok(Credentials { expires, ..credentials })))
    }
}

fn key_of(request: &crate::stub::Request) -> String {
    let authorization = request.header("authorization");
    authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn expired_credentials_are_fetched_once_more() {
    for code in ["ExpiredTokenException", "ExpiredToken"] {
        let stub =
            Stub::answering([Answer::error(400, code, "The security token has expired"), described(), described()]);
        let asked = std::sync::Arc::new(AtomicUsize::new(0));
        let provider = Counting { asked: std::sync::Arc::clone(&asked), lifetime: None };
        let session = stub.builder().credentials(provider).build().unwrap();
        describe(&session).await.unwrap();
        describe(&session).await.unwrap();
        let keys: Vec<String> = stub.requests().iter().map(key_of).collect();
        assert_eq!(keys, ["AKIA1", "AKIA2", "AKIA2"]);
        assert_eq!(stub.requests()[1].header("x-amz-security-token"), "token2");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn credentials_that_stay_expired_are_told() {
    // Fresh ones are refused too.
    let stub = Stub::start(|_| Answer::error(400, "ExpiredTokenException", "The security token has expired"));
    let provider = Counting { asked: std::sync::Arc::default(), lifetime: None };
    let session = stub.builder().credentials(provider).build().unwrap();
    assert_eq!(describe(&session).await.unwrap_err().code(), Some("ExpiredTokenException"));
    assert_eq!(stub.requests().len(), 2);
    // There are no others than those that have expired.
    let stub = Stub::start(|_| Answer::error(400, "ExpiredTokenException", "The security token has expired"));
    assert_eq!(describe(&stub.session()).await.unwrap_err().code(), Some("ExpiredTokenException"));
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn credentials_are_fetched_before_they_expire() {
    let stub = Stub::start(|_| described());
    for (lifetime, expected) in [(SignedDuration::from_hours(1), 1), (SignedDuration::from_secs(5), 3)] {
        let asked = std::sync::Arc::new(AtomicUsize::new(0));
        let provider = Counting { asked: std::sync::Arc::clone(&asked), lifetime: Some(lifetime) };
        let session = stub.builder().credentials(provider).build().unwrap();
        for _ in 0..3 {
            describe(&session).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{lifetime:?}");
    }
}

#[tokio::test]
async fn many_calls_at_once_fetch_credentials_once() {
    let stub = Stub::start(|_| described());
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let session = stub.builder().credentials(Counting { asked: std::sync::Arc::clone(&asked), lifetime: None });
    let session = session.build().unwrap();
    describe_at_once(&session, 8).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn signed_at(request: &crate::stub::Request) -> Timestamp {
    let text = request.header("x-amz-date").trim_end_matches('Z');
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text).unwrap();
    civil.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

#[tokio::test]
async fn a_wrong_clock_is_set_right_once() {
    let ahead = Timestamp::now() + SignedDuration::from_hours(2);
    let refusal =
        Answer::error(403, "InvalidSignatureException", "Signature expired").with_header("date", &http_date(ahead));
    let stub = Stub::answering([refusal.clone(), described(), described()]);
    let session = stub.session();
    describe(&session).await.unwrap();
    describe(&session).await.unwrap();
    let moments: Vec<Timestamp> = stub.requests().iter().map(signed_at).collect();
    assert_eq!(moments.len(), 3);
    for moment in &moments[1..] {
        let apart = moment.duration_since(ahead).abs();
        assert!(apart < SignedDuration::from_mins(1), "{apart:?}");
    }
    // A signature that is refused for another reason is not made again.
    let now = http_date(Timestamp::now());
    let refusal = Answer::error(403, "InvalidSignatureException", "The secret is another").with_header("date", &now);
    let stub = Stub::answering([refusal]);
    assert_eq!(describe(&stub.session()).await.unwrap_err().code(), Some("InvalidSignatureException"));
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn many_failures_end_the_repetitions() {
    // 500 are there, and a repetition costs 5: after 100 of them only first attempts go out.
    let stub = Stub::start(|_| Answer::error(500, "InternalFailure", "no"));
    let session = stub.session();
    for _ in 0..60 {
        describe(&session).await.unwrap_err();
    }
    assert_eq!(stub.requests().len(), 60 + 100);
}

#[tokio::test]
async fn what_was_deleted_without_an_answer_counts_as_deleted() {
    let delete = async |session: &Session| {
        let input = json!({"MonitoringScheduleName": "churn"});
        session.call(AwsService::SageMaker, "DeleteMonitoringSchedule", "churn", &input).await
    };
    let gone = Answer::error(400, "ResourceNotFound", "gone");
    let stub = Stub::answering([Answer::broken(), gone.clone()]);
    assert_eq!(delete(&stub.session()).await.unwrap(), Value::Null);
    // Throttled requests are not carried out.
    let stub = Stub::answering([Answer::error(400, "ThrottlingException", "Rate exceeded"), gone.clone()]);
    assert_eq!(delete(&stub.session()).await.unwrap_err().code(), Some("ResourceNotFound"));
    let stub = Stub::answering([gone]);
    assert_eq!(delete(&stub.session()).await.unwrap_err().code(), Some("ResourceNotFound"));
}

/// A service that makes processing jobs at a moment, and whose first answer about them is another one, if any.
fn forgetful(instead: Option<Answer>, made_at: Timestamp) -> Stub {
    let jobs: Mutex<Vec<Value>> = Mutex::default();
    let instead = Mutex::new(instead);
    Stub::start(move |request| {
        let input = request.json();
        let mut jobs = jobs.lock().unwrap();
        let known = jobs.iter().find(|job| job["ProcessingJobName"] == input["ProcessingJobName"]).cloned();
        match (request.operation().as_str(), known) {
            ("DescribeProcessingJob", Some(job)) => Answer::json(&job),
            ("CreateProcessingJob", Some(_)) => {
                let message =
                    "Job name must be unique within an AWS account and region, and a job with this name already exists";
                Answer::error(400, "ResourceInUse", message).with_header("date", &http_date(Timestamp::now()))
            }
            ("CreateProcessingJob", None) => {
                let mut job = input.clone();
                job["ProcessingJobArn"] = json!("arn:aws:sagemaker:eu-central-1:123456789012:processing-job/nightly");
                job["ProcessingJobStatus"] = json!("InProgress");
                job["CreationTime"] = json!(made_at.as_millisecond() as f64 / 1000.0);
                jobs.push(job.clone());
                let answer = Answer::json(&json!({"ProcessingJobArn": job["ProcessingJobArn"]}));
                instead.lock().unwrap().take().unwrap_or(answer)
            }
            (operation, _) => Answer::error(400, "ValidationException", operation),
        }
    })
}

async fn start_baseline(stub: &Stub, role: &str) -> Result<String, Error> {
    let session = stub.session();
    let data: S3Uri = "s3://the-bucket/train.csv".parse().unwrap();
    let results: S3Uri = "s3://the-bucket/results".parse().unwrap();
    let mut monitor = ModelMonitor::new(&session, role, "image");
    let input = ProcessingInput::new(data, "/opt/ml/processing/input");
    let output = ProcessingOutput::new("/opt/ml/processing/output").destination(results);
    monitor.run_baseline(vec![input], output).job_name("nightly").wait(Wait::No).await?;
    Ok(monitor.latest_baselining_job().unwrap().job_name().to_owned())
}

const ROLE: &str = "arn:aws:iam::123456789012:role/monitoring";

#[tokio::test]
async fn what_was_made_without_an_answer_is_made_once_and_known() {
    let answer = Answer::json(
        &json!({"ProcessingJobArn": "arn:aws:sagemaker:eu-central-1:123456789012:processing-job/nightly"}),
    );
    for instead in [Answer::broken(), answer.cut_after(10), Answer::error(500, "InternalFailure", "late")] {
        let stub = forgetful(Some(instead), Timestamp::now());
        assert_eq!(start_baseline(&stub, ROLE).await.unwrap(), "nightly");
        assert_eq!(stub.operations(), ["CreateProcessingJob", "CreateProcessingJob", "DescribeProcessingJob"]);
    }
}

#[tokio::test]
async fn what_was_made_is_known_when_no_attempt_got_an_answer() {
    let job: Mutex<Option<Value>> = Mutex::default();
    let stub = Stub::start(move |request| match request.operation().as_str() {
        "CreateProcessingJob" => {
            let mut made = request.json();
            made["CreationTime"] = json!(Timestamp::now().as_second());
            made["ProcessingJobStatus"] = json!("InProgress");
            *job.lock().unwrap() = Some(made);
            Answer::broken()
        }
        _ => Answer::json(job.lock().unwrap().as_ref().unwrap()),
    });
    assert_eq!(start_baseline(&stub, ROLE).await.unwrap(), "nightly");
    let create = "CreateProcessingJob";
    assert_eq!(stub.operations(), [create, create, create, "DescribeProcessingJob"]);
    // Nothing was made, and the error is that of the call itself.
    let stub = Stub::start(|request| match request.operation().as_str() {
        "CreateProcessingJob" => Answer::broken(),
        _ => Answer::error(400, "ValidationException", "Could not find requested job"),
    });
    let error = start_baseline(&stub, ROLE).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { operation: "CreateProcessingJob", .. }), "{error}");
    // Refused after an attempt without answer, and then nobody to ask: what is true is not known.
    let attempts = AtomicUsize::new(0);
    let stub = Stub::start(move |request| match request.operation().as_str() {
        "CreateProcessingJob" if attempts.fetch_add(1, Ordering::SeqCst) > 0 => {
            Answer::error(400, "ResourceInUse", "a job with this name already exists")
        }
        _ => Answer::broken(),
    });
    let error = start_baseline(&stub, ROLE).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { operation: "DescribeProcessingJob", .. }), "{error}");
}

#[tokio::test]
async fn what_others_have_made_is_not_taken_for_ours() {
    // Made an hour ago: the job that is there is an older one of the same name.
    let stub = forgetful(Some(Answer::broken()), Timestamp::now() - SignedDuration::from_hours(1));
    assert_eq!(start_baseline(&stub, ROLE).await.unwrap_err().code(), Some("ResourceInUse"));
    assert_eq!(stub.operations(), ["CreateProcessingJob", "CreateProcessingJob", "DescribeProcessingJob"]);
    // There before, and nothing got lost: nobody needs to look.
    let stub = forgetful(None, Timestamp::now());
    start_baseline(&stub, ROLE).await.unwrap();
    assert_eq!(start_baseline(&stub, ROLE).await.unwrap_err().code(), Some("ResourceInUse"));
    assert_eq!(stub.operations(), ["CreateProcessingJob", "CreateProcessingJob"]);
    // Made by somebody else between our two attempts.
    let job = json!({"ProcessingJobName": "nightly", "RoleArn": "arn:aws:iam::123456789012:role/of-others",
        "CreationTime": Timestamp::now().as_second() + 1});
    let in_use = Answer::error(400, "ResourceInUse", "a job with this name already exists");
    let stub = Stub::answering([Answer::broken(), in_use, Answer::json(&job)]);
    assert_eq!(start_baseline(&stub, ROLE).await.unwrap_err().code(), Some("ResourceInUse"));
    assert_eq!(stub.operations(), ["CreateProcessingJob", "CreateProcessingJob", "DescribeProcessingJob"]);
}
