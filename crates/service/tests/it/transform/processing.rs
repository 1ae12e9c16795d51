//! From answers to results: joined, filtered, given ids, assembled.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_service::context::Clock;

use super::world::{Answer, BUCKET, Job, Model, World};

/// A model that answers each line with its length.
fn lengths(text: &str, _: usize) -> Answer {
    (200, "text/csv; charset=utf-8", text.lines().flat_map(|line| [line.len().to_string(), "\n".to_owned()]).collect())
}

/// A model that answers each JSON line with a label.
fn labels(text: &str, _: usize) -> Answer {
    let lines = text.lines().map(|line| format!("{{\"label\": {}}}\n", line.len()));
    (200, "application/jsonlines", lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_joined_and_filtered() {
    let model = Model::start(lengths).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "id1,\"a,b\",1\r\nid2,,\"3 \"\"x\"\"\"\n").await;
    let job = |name: &str| {
        Job::csv(name, "scripted", "in/a.csv").processing("InputFilter", "$[1:]").processing("JoinSource", "Input")
    };
    for (name, filter, expected) in [
        ("all", "$", "id1,\"a,b\",1,7\nid2,,\"3 \"\"x\"\"\",10\n"),
        ("ends", "$[0,-1]", "id1,7\nid2,10\n"),
        ("mixed", "$[0,2:]", "id1,1,7\nid2,\"3 \"\"x\"\"\",10\n"),
        ("one", "$[-1]", "7\n10\n"),
    ] {
        world.complete(&job(name).processing("OutputFilter", filter)).await;
        assert_eq!(world.text("out/a.csv.out").await.unwrap(), expected, "{filter}");
    }
    // Without a join the filter sees the answer alone.
    let job = Job::csv("alone", "echo", "in/a.csv").processing("OutputFilter", "$[1]");
    world.complete(&job).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "\"a,b\"\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_joined_and_filtered() {
    let model = Model::start(labels).await;
    let world = World::asking(&model).await;
    world.put("in/a.jsonl", "{\"key\": 1.0, \"b\": {\"z\": 1, \"a\": \"x y\"}}\n[1, 2]\n\"t\"\n").await;
    let job = |name: &str| Job::json_lines(name, "scripted", "in/a.jsonl").processing("JoinSource", "Input");
    world.complete(&job("all")).await;
    assert_eq!(
        world.text("out/a.jsonl.out").await.unwrap(),
        "{\"SageMakerOutput\":{\"label\":39},\"b\":{\"z\":1,\"a\":\"x y\"},\"key\":1.0}\n\
         {\"SageMakerInput\":[1,2],\"SageMakerOutput\":{\"label\":6}}\n\
         {\"SageMakerInput\":\"t\",\"SageMakerOutput\":{\"label\":3}}\n"
    );
    world.put("in/a.jsonl", "{\"id\": 7, \"features\": [1, 2]}\n").await;
    for (name, filter, expected) in [
        ("members", "$['id','SageMakerOutput']", "{\"SageMakerOutput\":{\"label\":5},\"id\":7}\n"),
        ("member", "$.SageMakerOutput.label", "5\n"),
        ("elements", "$.features[0:1]", "[1]\n"),
    ] {
        let job = job(name).processing("InputFilter", "$.features").processing("OutputFilter", filter);
        world.complete(&job).await;
        assert_eq!(world.text("out/a.jsonl.out").await.unwrap(), expected, "{filter}");
    }
    let reason = world.fail(&job("gone").processing("OutputFilter", "$.gone")).await;
    assert_eq!(reason, "ClientError: s3://jobs/in/a.jsonl: $.gone looks for `gone`, and there is no such member");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_document_is_one_record() {
    let model = Model::start(|_, _| (200, "application/json", "{\n  \"predictions\": [1, 2]\n}".to_owned())).await;
    let world = World::asking(&model).await;
    world.put("in/a.json", "{\n  \"instances\": [[1], [2]]\n}\n").await;
    let job = Job::new("document", "scripted", "in/a.json")
        .with("/TransformInput/ContentType", json!("application/json"))
        .processing("JoinSource", "Input");
    world.complete(&job).await;
    assert_eq!(
        world.text("out/a.json.out").await.unwrap(),
        "{\"SageMakerOutput\":{\"predictions\":[1,2]},\"instances\":[[1],[2]]}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_need_as_many_answers_as_records() {
    let model = Model::start(|_, number| match number {
        0 => (200, "text/csv", "1\n2\n".to_owned()),
        1 => (200, "text/csv", "0.1,0.2,0.3\n".to_owned()),
        _ => (200, "application/json", "[1]".to_owned()),
    })
    .await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "a\nb\nc\n").await;
    let job = |name: &str| Job::csv(name, "scripted", "in/a.csv").processing("JoinSource", "Input");
    assert_eq!(
        world.fail(&job("few")).await,
        "ClientError: s3://jobs/in/a.csv: the model gave 2 records in answer to 3, and JoinSource Input needs one for each"
    );
    assert_eq!(world.text("out/a.csv.out").await, None);
    // One line with as many fields as there were records.
    world.complete(&job("line")).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "a,0.1\nb,0.2\nc,0.3\n");
    let reason = world.fail(&job("other")).await;
    assert!(
        reason.ends_with("the model answers with JSON, and JoinSource Input needs CSV as the input is"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_assemble_with_answers_follow_each_other() {
    let model = Model::start(|text, _| (200, "text/csv", text.trim_end().to_uppercase())).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "a\nb\nc\n").await;
    let job = |name: &str| Job::csv(name, "scripted", "in/a.csv").with("/TransformOutput/AssembleWith", json!("None"));
    world.complete(&job("together")).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "A\nB\nC");
    world.complete(&job("single").with("/BatchStrategy", json!("SingleRecord"))).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "ABC");
    world.complete(&job("joined").processing("JoinSource", "Input")).await;
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "a,A\nb,B\nc,C");
}

/// A clock that stands still until it is moved.
struct StandingClock(Mutex<Timestamp>);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inference_ids() {
    const TIME: &str = "2023-01-21T01:29:04Z";
    let clock = StandingClock(Mutex::new("2023-01-21T01:29:04.987Z".parse().unwrap()));
    let world = World::at(Arc::new(clock)).await;
    let ids = |job: Job| {
        job.with("/DataCaptureConfig/DestinationS3Uri", json!(format!("s3://{BUCKET}/captured")))
            .with("/DataCaptureConfig/GenerateInferenceId", json!(true))
    };
    world.put("in/a.csv", "1,x\n2,y\n").await;
    // The filter never removes them.
    let job =
        Job::csv("csv", "echo", "in/a.csv").processing("JoinSource", "Input").processing("OutputFilter", "$[0,-1]");
    world.complete(&ids(job)).await;
    let text = world.text("out/a.csv.out").await.unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(
        lines.iter().map(|line| [line[0], line[1], line[3]]).collect::<Vec<_>>(),
        [["1", "x", TIME], ["2", "y", TIME]]
    );
    let found: Vec<Uuid> = lines.iter().map(|line| line[2].parse().unwrap()).collect();
    assert_ne!(found[0], found[1]);

    world.put("in/a.jsonl", "{\"z\":1}\n[1]\n").await;
    world.complete(&ids(Job::json_lines("json", "echo", "in/a.jsonl"))).await;
    let text = world.text("out/a.jsonl.out").await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = |line: &Value| line["SageMakerInferenceId"].as_str().unwrap().parse::<Uuid>().unwrap();
    assert_ne!(id(&lines[0]), id(&lines[1]));
    let expected = format!(
        "{{\"SageMakerInferenceId\":\"{}\",\"SageMakerInferenceTime\":\"{TIME}\",\"z\":1}}\n\
         {{\"SageMakerInferenceId\":\"{}\",\"SageMakerInferenceTime\":\"{TIME}\",\"SageMakerOutput\":[1]}}\n",
        id(&lines[0]),
        id(&lines[1])
    );
    assert_eq!(text, expected);

    // A document has one.
    let job = Job::csv("whole", "echo", "in/a.csv").with("/TransformInput/SplitType", json!("None"));
    world.complete(&ids(job)).await;
    let text = world.text("out/a.csv.out").await.unwrap();
    let found: Vec<&str> = text.lines().map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!((found.len(), found[0]), (2, found[1]));
    assert_eq!(text, format!("1,x,{0},{TIME}\n2,y,{0},{TIME}\n", found[0]));
}
