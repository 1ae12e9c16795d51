//! How jobs end: errors of the model, stops, restarts, and what clients see meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper_service::control::transform_job::TransformJob;
use watchkeeper_store::objects::{ListUploads, ObjectAttributes};

use super::world::{BUCKET, Job, Model, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_error_fails_its_object_alone() {
    let model = Model::start(|text, _| match text {
        "bad\n" => (400, "text/plain", "line 1, column 1: `bad` is no number".to_owned()),
        _ => (200, "text/csv", text.to_owned()),
    })
    .await;
    let world = World::asking(&model).await;
    for (key, text) in [("in/a.csv", "1\n"), ("in/b.csv", "1\nbad\n2\n"), ("in/c.csv", "3\n")] {
        world.put(key, text).await;
    }
    let job = Job::csv("partly", "scripted", "in/")
        .with("/BatchStrategy", json!("SingleRecord"))
        .with("/DataCaptureConfig/DestinationS3Uri", json!("s3://jobs/batch"));
    assert_eq!(
        world.fail(&job).await,
        "ClientError: s3://jobs/in/b.csv: the model answered 400 Bad Request: line 1, column 1: `bad` is no number"
    );
    assert_eq!(model.bodies(), ["1\n", "1\n", "bad\n", "3\n"], "what the model refuses is not asked again");
    assert_eq!(world.keys("out").await, ["out/a.csv.out", "out/c.csv.out"]);
    let log = world.log("partly").await;
    assert_eq!(log.len(), 1, "{log:?}");
    let (stream, lines) = &log[0];
    let epoch = stream.strip_prefix("partly/algo-1-").unwrap_or_else(|| panic!("{stream}"));
    epoch.parse::<u64>().unwrap();
    assert!(lines[0].contains("arn:aws:sagemaker:eu-west-1:000000000000:transform-job/partly"), "{lines:?}");
    let said = lines.iter().filter_map(|line| Some(line.split_once(":[sagemaker logs]: ")?.1));
    let said: Vec<&str> = said.take(5).collect();
    assert_eq!(
        said,
        [
            "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD",
            "jobs/in/b.csv: ClientError: 400",
            "jobs/in/b.csv: ",
            "jobs/in/b.csv: Message:",
            "jobs/in/b.csv: line 1, column 1: `bad` is no number",
        ]
    );
    // What was transformed is captured.
    let captured = world.keys("batch/output/").await;
    let manifest: Value = serde_json::from_slice(&world.bytes(&captured[0]).await.unwrap()).unwrap();
    assert_eq!(manifest, json!([{"prefix": "s3://jobs/out/"}, "a.csv.out", "c.csv.out"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_model_are_tried_again() {
    let model = Model::start(|text, number| match number {
        0 | 1 => (503, "text/plain", "busy".to_owned()),
        _ if text == "always\n" => (500, "text/plain", "a bug".to_owned()),
        _ => (200, "text/csv", text.to_owned()),
    })
    .await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "1\n").await;
    world.complete(&Job::csv("again", "scripted", "in/a.csv")).await;
    assert_eq!(model.bodies(), ["1\n", "1\n", "1\n"]);
    world.put("in/b.csv", "always\n").await;
    let job = Job::csv("never", "scripted", "in/b.csv").with("/ModelClientConfig/InvocationsMaxRetries", json!(1));
    assert_eq!(
        world.fail(&job).await,
        "AlgorithmError: s3://jobs/in/b.csv: the model answered 500 Internal Server Error: a bug"
    );
    assert_eq!(model.asked().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_too_slow() {
    let answer = (200, "text/csv", String::new());
    let model = Model::start_slow(move |_, _| (answer.clone(), Duration::from_hours(1))).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "1\n").await;
    let job = Job::csv("slow", "scripted", "in/a.csv")
        .with("/ModelClientConfig", json!({"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}));
    assert_eq!(world.fail(&job).await, "AlgorithmError: s3://jobs/in/a.csv: the model gave no answer within 1 seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nobody_reaches() {
    // It cuts the connection in the middle of an answer, whatever it is asked.
    let model = Model::cutting().await;
    let world = World::asking(&model).await;
    for number in 0..9 {
        world.put(&format!("in/{number}.csv"), "1\n").await;
    }
    let job = Job::csv("cut", "scripted", "in/").with("/ModelClientConfig/InvocationsMaxRetries", json!(0));
    let reason = world.fail(&job).await;
    assert!(reason.starts_with("AlgorithmError: s3://jobs/in/0.csv: "), "{reason}");
    assert!(!reason.contains("(and 8 more"), "it is given up before every object was tried: {reason}");
    assert_eq!(world.keys("out").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_requests_at_once() {
    let model = Model::start_slow(|text, _| ((200, "text/csv", text.to_owned()), Duration::from_millis(100))).await;
    let world = World::asking(&model).await;
    for number in 0..4 {
        world.put(&format!("in/{number}.csv"), "1\n2\n").await;
    }
    let job = Job::csv("parallel", "scripted", "in/").with("/BatchStrategy", json!("SingleRecord"));
    let job = job.with("/MaxConcurrentTransforms", json!(3));
    world.complete(&job).await;
    assert_eq!(model.most_at_once(), 3);
    assert_eq!(world.text("out/3.csv.out").await.unwrap(), "1\n2\n", "in the order of the input");
    let one = Job::csv("one", "scripted", "in/0.csv").with("/BatchStrategy", json!("SingleRecord"));
    let alone = Model::start_slow(|text, _| ((200, "text/csv", text.to_owned()), Duration::from_millis(20))).await;
    let world = World::asking(&alone).await;
    world.put("in/0.csv", "1\n2\n3\n").await;
    world.complete(&one).await;
    assert_eq!(alone.most_at_once(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nothing_is_known_of() {
    let world = World::start().await;
    world.model("unmapped", "000000000000.dkr.ecr.eu-west-1.amazonaws.com/somebody:1").await;
    world.put("in/a.csv", "1\n").await;
    let reason = world.fail(&Job::csv("unmapped", "unmapped", "in/a.csv")).await;
    assert!(reason.contains("somebody:1") && reason.contains("[[images]]"), "{reason}");
    let log = world.log("unmapped").await;
    assert!(log[0].1.iter().any(|line| line.contains("somebody:1")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_stopped() {
    let answer = (200, "text/csv", String::new());
    let model = Model::start_slow(move |_, _| (answer.clone(), Duration::from_hours(1))).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "1\n").await;
    let name = world.create(&Job::csv("halt", "scripted", "in/a.csv")).await;
    while model.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let running = world.describe(&name).await;
    assert_eq!(running["TransformJobStatus"], "InProgress");
    assert!(running["TransformStartTime"].is_number() && running.get("TransformEndTime").is_none(), "{running}");
    world.call("StopTransformJob", json!({ "TransformJobName": name })).await.unwrap();
    let stopped = world.ended(&name).await;
    assert_eq!(stopped["TransformJobStatus"], "Stopped");
    assert!(stopped["TransformEndTime"].is_number() && stopped.get("FailureReason").is_none(), "{stopped}");
    assert_eq!(world.keys("out").await, Vec::<String>::new());
    let refused = world.call("StopTransformJob", json!({ "TransformJobName": name })).await.unwrap_err();
    assert_eq!(refused.code, "ValidationException");
    assert_eq!(refused.message, "The request was rejected because the transform job is in status Stopped.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_and_starts_again() {
    let slow = |text: &str, number| {
        let pause = if number == 0 { Duration::from_hours(1) } else { Duration::ZERO };
        ((200, "text/csv", text.to_owned()), pause)
    };
    let model = Model::start_slow(slow).await;
    let mut world = World::asking(&model).await;
    world.put("in/a.csv", "1\n").await;
    let name = world.create(&Job::csv("twice", "scripted", "in/a.csv")).await;
    while model.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The model is gone before the job is taken up again: the job has its own copy.
    world.call("DeleteModel", json!({"ModelName": "scripted"})).await.unwrap();
    world.shut_down().await;
    world.start_again().await;
    let ended = world.ended(&name).await;
    assert_eq!(ended["TransformJobStatus"], "Completed", "{ended:#}");
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "1\n");
    let job = world.context().resources.get::<TransformJob>("twice").await.unwrap().unwrap().resource;
    assert_eq!(job.attempts, 1, "what the service broke off itself does not count");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_not_run_for_ever() {
    let mut world = World::start().await;
    world.put("in/a.csv", "1\n").await;
    let name = world.create(&Job::csv("fatal", "echo", "in/a.csv")).await;
    world.ended(&name).await;
    world.as_if_left(&name, 3).await;
    let ended = world.ended(&name).await;
    assert_eq!(ended["TransformJobStatus"], "Failed");
    assert!(ended["FailureReason"].as_str().unwrap().starts_with("the service ended 3 times"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_that_died_left_of_results_is_given_up() {
    let mut world = World::start().await;
    world.put("in/a.csv", "1\n").await;
    let name = world.create(&Job::csv("left", "echo", "in/a.csv")).await;
    world.ended(&name).await;
    let objects = Arc::clone(&world.context().objects);
    let upload = |key| objects.create_upload(BUCKET, key, ObjectAttributes::default());
    let (_, others) = (upload("out/a.csv.out").await.unwrap(), upload("out/a.csv.out.other").await.unwrap());
    drop(objects);
    world.as_if_left(&name, 1).await;
    let ended = world.ended(&name).await;
    assert_eq!(ended["TransformJobStatus"], "Completed", "{ended:#}");
    let uploads = ListUploads { bucket: BUCKET.to_owned(), limit: 10, ..ListUploads::default() };
    let left = world.context().objects.list_uploads(&uploads).await.unwrap().uploads;
    assert_eq!(left.into_iter().map(|upload| upload.upload).collect::<Vec<_>>(), [others]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_instances_have_as_many_streams() {
    let world = World::start().await;
    world.put("in/a.csv", "1\n").await;
    world.complete(&Job::csv("many", "echo", "in/a.csv").with("/TransformResources/InstanceCount", json!(3))).await;
    let streams: Vec<String> = world.log("many").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(streams.len(), 3, "{streams:?}");
    for (number, stream) in (1..).zip(&streams) {
        assert!(stream.starts_with(&format!("many/algo-{number}-")), "{streams:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_the_job_s_variables() {
    let world = World::start().await;
    let image = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/watchkeeper-constant:1";
    world.model("constant", image).await;
    world.put("in/a.csv", "1\n2\n").await;
    let job = Job::csv("variables", "constant", "in/a.csv")
        .with("/Environment/WATCHKEEPER_MODEL", json!("{\"value\": 0.25}"));
    world.complete(&job).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "0.25\n0.25\n");
}
