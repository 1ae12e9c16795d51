//! A service whose objects are in an outside S3, which is another service of ours.

use std::process::Stdio;

use http::{Method, Response};
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;

use crate::program::Folder;
use crate::running::Running;
use crate::service::{ANALYZER, BUCKET, ROLE, client, job_ended, serve};

/// A service, and the one that has its objects.
struct Pair {
    outer: Running,
    outer_folder: Folder,
    inner: Running,
    inner_folder: Folder,
}

/// The settings that have the objects in the service of a folder.
fn settings(outer: &Folder, endpoint_url: &str, secret: Option<&str>) -> String {
    let credentials = outer.json("data/credentials.json");
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let secret = secret.map_or_else(|| text("SecretAccessKey"), str::to_owned);
    format!(
        "[objects]\nendpoint_url = \"{endpoint_url}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{secret}\"\n",
        text("AccessKeyId")
    )
}

impl Pair {
    fn start() -> Self {
        let (outer_folder, inner_folder) = (Folder::new(), Folder::new());
        let outer = serve(&outer_folder, &[], Stdio::null());
        let endpoint_url = format!("http://{}", outer.address);
        inner_folder.write("config.toml", settings(&outer_folder, &endpoint_url, None));
        let inner = serve(&inner_folder, &["--config", "config.toml"], Stdio::null());
        Self { outer, outer_folder, inner, inner_folder }
    }

    fn inner(&self) -> Client {
        client(&self.inner_folder)
    }

    fn outer(&self) -> Client {
        client(&self.outer_folder)
    }
}

async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Response<bytes::Bytes> {
    client.request(method, path, headers, body, "s3").await.unwrap()
}

async fn put(client: &Client, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
    let answer = ask(client, Method::PUT, path, headers, body.into()).await;
    assert!(answer.status().is_success(), "{answer:?}");
}

async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Response<bytes::Bytes> {
    let answer = ask(client, Method::GET, path, headers, Vec::new()).await;
    assert!(answer.status().is_success(), "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_there_and_not_here() {
    let pair = Pair::start();
    let (inner, outer) = (pair.inner(), pair.outer());
    let path = format!("/{BUCKET}/a/b%20c");
    let content = vec![b'q'; 700_000];
    let headers = [("content-type", "text/csv"), ("x-amz-meta-owner", "me"), ("x-amz-tagging", "a=b")];
    put(&inner, &path, &headers, content.clone()).await;
    for side in [&inner, &outer] {
        let answer = get(side, &path, &[]).await;
        assert!(answer.body() == &content);
        for (name, value) in [("content-type", "text/csv"), ("x-amz-meta-owner", "me"), ("x-amz-tagging-count", "1")] {
            assert_eq!(answer.headers()[name], value);
        }
        let range = get(side, &path, &[("range", "bytes=699998-")]).await;
        assert_eq!((range.status().as_u16(), range.body().as_ref()), (206, b"qq".as_slice()));
        let listing = get(side, &format!("/{BUCKET}?list-type=2&prefix=a/"), &[]).await;
        let listing = String::from_utf8(listing.body().to_vec()).unwrap();
        assert!(listing.contains("<Key>a/b c</Key>") && listing.contains("<Size>700000</Size>"), "{listing}");
    }
    let here = pair.inner_folder.contents("data");
    assert!(here.values().all(|file| !file.windows(64).any(|window| window == &content[..64])), "{:?}", here.keys());
    // What stands in a request's way stands in the way of both.
    let again = ask(&inner, Method::PUT, &path, &[("if-none-match", "*")], b"x".to_vec()).await;
    assert_eq!(again.status(), 412);
    let missing = ask(&inner, Method::GET, &format!("/{BUCKET}/none"), &[], Vec::new()).await;
    assert!(missing.status() == 404 && String::from_utf8_lossy(missing.body()).contains("NoSuchKey"));
    let missing = ask(&inner, Method::GET, "/no-such-bucket/none", &[], Vec::new()).await;
    assert!(missing.status() == 404 && String::from_utf8_lossy(missing.body()).contains("NoSuchBucket"));
    let deleted = ask(&inner, Method::DELETE, &path, &[], Vec::new()).await;
    assert_eq!(deleted.status(), 204);
    assert_eq!(ask(&outer, Method::GET, &path, &[], Vec::new()).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_encrypts_is_unreadable_there() {
    let pair = Pair::start();
    let (inner, outer) = (pair.inner(), pair.outer());
    let made: Value = inner.call("TrentService", "CreateKey", &json!({})).await.unwrap();
    let key = made["KeyMetadata"]["Arn"].as_str().unwrap();
    let content = b"nobody outside may read this line\n".repeat(5000);
    let path = format!("/{BUCKET}/secret");
    let headers = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", key),
        ("x-amz-meta-owner", "me"),
    ];
    put(&inner, &path, &headers, content.clone()).await;
    let answer = get(&inner, &path, &[]).await;
    assert!(answer.body() == &content);
    assert_eq!(answer.headers()["x-amz-server-side-encryption-aws-kms-key-id"], key);
    let own: Vec<_> = answer.headers().keys().filter(|name| name.as_str().starts_with("x-amz-meta-")).collect();
    assert_eq!(own, ["x-amz-meta-owner"], "what is ours is not shown");
    let range = get(&inner, &path, &[("range", "bytes=65530-65545")]).await;
    assert!(range.body() == &content[65_530..=65_545]);
    let there = get(&outer, &path, &[]).await;
    assert!(there.body().len() > content.len());
    assert!(!there.body().windows(16).any(|window| window == &content[..16]));

    inner.call("TrentService", "DisableKey", &json!({"KeyId": key})).await.unwrap();
    let refused = ask(&inner, Method::GET, &path, &[], Vec::new()).await;
    assert!(String::from_utf8_lossy(refused.body()).contains("KMS.DisabledException"), "{refused:?}");
}

/// Inputs come from there, results go there, and so does what a schedule would look at.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_read_and_write_there() {
    let pair = Pair::start();
    let (inner, outer) = (pair.inner(), pair.outer());
    let rows: Vec<String> = (0..200).map(|row| format!("{row},{}\n", row % 7)).collect();
    put(&outer, &format!("/{BUCKET}/in/data.csv"), &[], format!("a,b\n{}", rows.concat())).await;
    let input = json!({"InputName": "in", "S3Input": {"S3Uri": format!("s3://{BUCKET}/in"), "LocalPath": "/opt/ml/processing/input",
        "S3DataType": "S3Prefix", "S3InputMode": "File"}});
    let output = json!({"OutputName": "out", "S3Output": {"S3Uri": format!("s3://{BUCKET}/out"),
        "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}});
    let job = json!({
        "ProcessingJobName": "baseline", "RoleArn": ROLE, "AppSpecification": {"ImageUri": ANALYZER},
        "Environment": {"dataset_source": "/opt/ml/processing/input", "output_path": "/opt/ml/processing/output",
            "dataset_format": "{\"csv\": {\"header\": true}}", "publish_cloudwatch_metrics": "Disabled"},
        "ProcessingInputs": [input], "ProcessingOutputConfig": {"Outputs": [output]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}},
    });
    inner.call("SageMaker", "CreateProcessingJob", &job).await.unwrap();
    let ended = job_ended(&inner, "baseline").await;
    assert_eq!(ended["ProcessingJobStatus"], "Completed", "{ended}");
    let statistics = get(&outer, &format!("/{BUCKET}/out/statistics.json"), &[]).await;
    let statistics: Value = serde_json::from_slice(statistics.body()).unwrap();
    assert_eq!(statistics["dataset"]["item_count"], 200);
}

fn readiness(service: &Running) -> (u16, String) {
    let url = format!("http://{}/_watchkeeper/health/ready", service.address);
    let mut curl = crate::program::command("curl");
    let output = curl.args(["-s", "-w", "%{http_code}", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.split_at(text.len() - 3);
    (status.parse().unwrap(), body.trim().to_owned())
}

/// While it is away nothing is ready; when it is back nobody has to do anything.
#[tokio::test(flavor = "multi_thread")]
async fn it_may_be_away_for_a_while() {
    let mut pair = Pair::start();
    let inner = pair.inner();
    let path = format!("/{BUCKET}/k");
    put(&inner, &path, &[], "before").await;
    assert_eq!(readiness(&pair.inner), (200, "{\"status\":\"ready\"}".to_owned()));
    pair.outer.send(nix::sys::signal::Signal::SIGKILL);
    pair.outer.process.wait().unwrap();
    assert_eq!(readiness(&pair.inner), (503, "{\"status\":\"objects failed\"}".to_owned()));
    let waiting = {
        let (inner, path) = (inner.clone(), path.clone());
        tokio::spawn(async move {
            put(&inner, &path, &[], "meanwhile").await;
        })
    };
    let address = pair.outer.address.clone();
    let arguments = ["serve", "--listen", &address, "--data-dir", "data"];
    pair.outer = Running::start(pair.outer_folder.command(&arguments).stderr(Stdio::null()));
    waiting.await.unwrap();
    assert_eq!(get(&inner, &path, &[]).await.body().as_ref(), b"meanwhile");
    assert_eq!(readiness(&pair.inner).0, 200);
}

#[test]
fn a_start_that_cannot_reach_it_or_is_not_let_in_says_so() {
    let (outer, inner) = (Folder::new(), Folder::new());
    let running = serve(&outer, &[], Stdio::null());
    let endpoint_url = format!("http://{}", running.address);
    let refused = |text: &str, expected: &[&str]| {
        inner.write("config.toml", text);
        let ran = inner.run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--config", "config.toml"]);
        let ran = ran.ended(2);
        for expected in expected {
            assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
        }
    };
    let wrong = settings(&outer, &endpoint_url, Some("not-the-secret"));
    refused(&wrong, &["the outside S3 at ", &endpoint_url, "SignatureDoesNotMatch"]);
    let right = settings(&outer, &endpoint_url, None);
    drop(running);
    refused(&right, &["the outside S3 at ", &endpoint_url, "did not look at the bucket watchkeeper-system"]);
    refused(
        "[objects]\nendpoint_url = \"s3://bucket\"\n",
        &["`objects.endpoint_url` is wrong: it must be http://host:port"],
    );
    refused(
        "[objects]\nendpoint_url = \"http://host\"\n",
        &["`objects.access_key_id` is wrong: the S3 service needs both"],
    );
    refused(
        "[objects]\naccess_key_id = \"AKIA\"\n",
        &["`objects.endpoint_url` is wrong: there is a key to an S3 service"],
    );
}
