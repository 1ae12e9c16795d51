//! Which objects are transformed, where results go, and what is captured.

use serde_json::{Value, json};

use super::world::{BUCKET, Job, Model, World};

fn job(name: &str, key: &str) -> Job {
    Job::csv(name, "echo", key)
}

async fn manifests(world: &World, destination: &str, side: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for key in world.keys(&format!("{destination}/{side}/")).await {
        let manifest = serde_json::from_slice(&world.bytes(&key).await.unwrap()).unwrap();
        found.push((key, manifest));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_below_a_prefix() {
    let model = Model::start(|text, _| (200, "text/csv", text.to_owned())).await;
    let world = World::asking(&model).await;
    for key in ["in/", "in/b.csv", "in/a.csv", "in/x/", "in/x/c d.csv", "inner.csv", "other/z.csv"] {
        world.put(key, format!("{key}\n")).await;
    }
    world.complete(&Job::csv("slash", "scripted", "in/")).await;
    assert_eq!(model.bodies(), ["in/a.csv\n", "in/b.csv\n", "in/x/c d.csv\n"], "in the order of their keys");
    assert_eq!(world.keys("out").await, ["out/a.csv.out", "out/b.csv.out", "out/x/c d.csv.out"]);
    assert_eq!(world.text("out/x/c d.csv.out").await.unwrap(), "in/x/c d.csv\n");
    // A prefix is a text: what else begins with it is taken as well.
    world.complete(&job("plain", "in").with("/TransformOutput/S3OutputPath", json!("s3://jobs/all/"))).await;
    assert_eq!(
        world.keys("all").await,
        ["all/in/a.csv.out", "all/in/b.csv.out", "all/in/x/c d.csv.out", "all/inner.csv.out"]
    );
    world.complete(&job("folder", "other").with("/TransformOutput/S3OutputPath", json!("s3://jobs/o"))).await;
    assert_eq!(world.keys("o/").await, ["o/z.csv.out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_that_a_full_key_names() {
    let world = World::start().await;
    world.put("in/p/a.csv", "1\n").await;
    world.put("in/p/a.csv.old", "2\n").await;
    world.complete(&job("one", "in/p/a.csv")).await;
    assert_eq!(world.keys("out").await, ["out/a.csv.out"]);
    // In every spelling of the address.
    let https = "https://jobs.s3-eu-west-1.amazonaws.com/in/p/a.csv.old";
    let described =
        world.complete(&job("https", "").with("/TransformInput/DataSource/S3DataSource/S3Uri", json!(https))).await;
    assert_eq!(described["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"], https);
    assert_eq!(world.text("out/a.csv.old.out").await.unwrap(), "2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_there() {
    let world = World::start().await;
    let reason = world.fail(&job("empty", "in/nothing/")).await;
    assert!(reason.contains("No S3 objects found under S3 URL \"s3://jobs/in/nothing/\""), "{reason}");
    let uri = "/TransformInput/DataSource/S3DataSource/S3Uri";
    let reason = world.fail(&job("no-bucket", "").with(uri, json!("s3://not-there/x"))).await;
    assert!(reason.contains("\"s3://not-there/x\""), "{reason}");
    world.put("in/a.csv", "1\n").await;
    let elsewhere = job("no-output", "in/").with("/TransformOutput/S3OutputPath", json!("s3://not-there/x"));
    let reason = world.fail(&elsewhere).await;
    assert!(reason.contains("there is no bucket `not-there`, create it first"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entries_of_a_manifest() {
    let world = World::start().await;
    for key in ["in/b.csv", "in/x/a.csv", "in/c.csv"] {
        world.put(key, format!("{key}\n")).await;
    }
    world.put("lists/m.json", r#"[{"prefix": "s3://jobs/in/"}, "b.csv", "x/a.csv"]"#).await;
    let of_manifest = |name: &str, key: &str| {
        job(name, key)
            .with("/TransformInput/DataSource/S3DataSource/S3DataType", json!("ManifestFile"))
            .with("/DataCaptureConfig/DestinationS3Uri", json!(format!("s3://{BUCKET}/captured-{name}")))
    };
    world.complete(&of_manifest("listed", "lists/m.json")).await;
    assert_eq!(world.keys("out").await, ["out/b.csv.out", "out/x/a.csv.out"]);
    let captured = manifests(&world, "captured-listed", "input").await;
    assert_eq!(captured[0].1, json!([{"prefix": "s3://jobs/in/"}, "b.csv", "x/a.csv"]));
    // What an earlier job captured is a list as well.
    world.put("lists/one.json", r#"[{"prefix": "s3://jobs/in/c.csv"}, ""]"#).await;
    world.complete(&of_manifest("itself", "lists/one.json")).await;
    assert_eq!(world.text("out/c.csv.out").await.unwrap(), "in/c.csv\n");

    world.put("lists/m.json", r#"[{"prefix": "s3://jobs/in/"}, "gone.csv", "b.csv"]"#).await;
    assert_eq!(
        world.fail(&of_manifest("gone", "lists/m.json")).await,
        "ClientError: s3://jobs/in/gone.csv: it is not there"
    );
    world.put("lists/m.json", r#"{"entries": []}"#).await;
    let reason = world.fail(&of_manifest("form", "lists/m.json")).await;
    assert!(reason.starts_with("TransformInput: manifest s3://jobs/lists/m.json is not a JSON list"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_captured() {
    let world = World::start().await;
    world.put("in/b.csv", "1\n").await;
    world.put("in/a.csv", "2\n").await;
    let captured =
        |job: Job, to: &str| job.with("/DataCaptureConfig/DestinationS3Uri", json!(format!("s3://{BUCKET}/{to}")));
    let output = json!(format!("s3://{BUCKET}/results/today"));
    let described =
        world.complete(&captured(job("folder", "in/"), "batch").with("/TransformOutput/S3OutputPath", output)).await;
    let inputs = manifests(&world, "batch", "input").await;
    let outputs = manifests(&world, "batch", "output").await;
    assert_eq!((inputs.len(), outputs.len()), (1, 1));
    assert_eq!(inputs[0].1, json!([{"prefix": "s3://jobs/in/"}, "a.csv", "b.csv"]));
    assert_eq!(outputs[0].1, json!([{"prefix": "s3://jobs/results/today/"}, "a.csv.out", "b.csv.out"]));
    let ended = described["TransformEndTime"].as_f64().unwrap();
    let hour = jiff::Timestamp::from_second(ended as i64).unwrap().strftime("%Y/%m/%d/%H").to_string();
    for (key, side) in [(&inputs[0].0, "input"), (&outputs[0].0, "output")] {
        let name = key.strip_prefix(&format!("batch/{side}/{hour}/")).unwrap_or_else(|| panic!("{key} at {hour}"));
        let id = name.strip_suffix(".json").unwrap();
        id.parse::<uuid::Uuid>().unwrap();
    }
    // A single object is the prefix itself; the whole bucket, and a slash at the end of a destination.
    let single = captured(job("single", "in/a.csv"), "one/").with("/TransformOutput/S3OutputPath", json!("s3://jobs"));
    world.complete(&single).await;
    assert_eq!(manifests(&world, "one/", "input").await[0].1, json!([{"prefix": "s3://jobs/in/a.csv"}, ""]));
    assert_eq!(manifests(&world, "one/", "output").await[0].1, json!([{"prefix": "s3://jobs/"}, "a.csv.out"]));
    assert_eq!(world.text("a.csv.out").await.unwrap(), "2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_encrypted() {
    let world = World::start().await;
    let arn = {
        use watchkeeper_service::api::kms::Kms;
        let call = watchkeeper_aws::Call {
            region: "eu-west-1".to_owned(),
            account: "000000000000".to_owned(),
            access_key_id: "AKIAEXAMPLE".to_owned(),
            request_id: "request".to_owned(),
            now: world.context().now(),
        };
        let kms = Kms(std::sync::Arc::clone(world.context()));
        let made =
            watchkeeper_aws::generated::kms::dispatch(&kms, &call, "CreateKey", json!({})).await.unwrap().unwrap();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    world.put("in/a.csv", "1\n").await;
    let job = job("sealed", "in/a.csv")
        .with("/TransformOutput/KmsKeyId", json!(arn))
        .with("/DataCaptureConfig/DestinationS3Uri", json!("s3://jobs/batch"))
        .with("/DataCaptureConfig/KmsKeyId", json!(arn));
    world.complete(&job).await;
    for prefix in ["out/a.csv.out", "batch/input/", "batch/output/"] {
        let found = world.list(prefix).await;
        assert_eq!(found.len(), 1, "{prefix}");
        assert_eq!(found[0].attributes.kms_key_id.as_deref(), Some(arn.as_str()));
        assert_eq!(found[0].attributes.server_side_encryption.as_deref(), Some("aws:kms"));
    }
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "1\n");
    let unknown =
        job.with("/TransformJobName", json!("unknown")).with("/TransformOutput/KmsKeyId", json!("no-such-key"));
    world.complete(&unknown).await;
    assert_eq!(world.list("out/a.csv.out").await[0].attributes.kms_key_id, None);
    let log = world.log("unknown").await;
    assert!(log[0].1.iter().any(|line| line.contains("there is no encryption key `no-such-key`")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_results_are_whole() {
    let world = World::start().await;
    // Several parts of an upload, in a few requests at once that end in any order.
    let line = |number: usize| format!("{number},{}\n", "x".repeat(990));
    let text: String = (0..40_000).map(line).collect();
    world.put("in/a.csv", text.clone()).await;
    let job = job("large", "in/a.csv").with("/MaxConcurrentTransforms", json!(4)).with("/MaxPayloadInMB", json!(1));
    world.complete(&job.processing("JoinSource", "Input").processing("OutputFilter", "$[0:2]")).await;
    assert!(world.text("out/a.csv.out").await.unwrap() == text);
    let uploads =
        watchkeeper_store::objects::ListUploads { bucket: BUCKET.to_owned(), limit: 10, ..Default::default() };
    assert!(world.context().objects.list_uploads(&uploads).await.unwrap().uploads.is_empty());
}
