//! From objects to requests: what the model is asked.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::world::{Answer, Job, Model, World};

fn echo(text: &str, _: usize) -> Answer {
    (200, "text/csv", text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_sent_together() {
    let model = Model::start(echo).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "1,2\r\n\n3,\"x y\"\n  \n5,6").await;
    world.complete(&Job::csv("together", "scripted", "in/a.csv")).await;
    let asked = model.asked();
    assert_eq!(model.bodies(), ["1,2\r\n3,\"x y\"\n5,6"], "blank lines are no records");
    assert_eq!((asked[0].content_type.as_deref(), asked[0].accept.as_deref()), (Some("text/csv"), Some("text/csv")));
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "1,2\r\n3,\"x y\"\n5,6\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_records_are_sent_one_by_one() {
    let model = Model::start(echo).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "1\n2\n3\n").await;
    world.complete(&Job::csv("single", "scripted", "in/a.csv").with("/BatchStrategy", json!("SingleRecord"))).await;
    assert_eq!(model.bodies(), ["1\n", "2\n", "3\n"]);
    assert_eq!(world.text("out/a.csv.out").await.unwrap(), "1\n2\n3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_as_large_as_may_be() {
    let model = Model::start(echo).await;
    let world = World::asking(&model).await;
    // 400,000 bytes with the line feed: two fit into one MB, three do not.
    let lines: Vec<String> = (0..5).map(|number| format!("{number}{}\n", "x".repeat(399_998))).collect();
    world.put("in/a.csv", lines.concat()).await;
    world.complete(&Job::csv("large", "scripted", "in/a.csv").with("/MaxPayloadInMB", json!(1))).await;
    let expected = [lines[..2].concat(), lines[2..4].concat(), lines[4].clone()];
    assert!(model.bodies() == expected);
    assert!(world.text("out/a.csv.out").await.unwrap() == lines.concat());
    // All of them fit into the six MB that a request has without the member.
    world.complete(&Job::csv("usual", "scripted", "in/a.csv")).await;
    assert!(model.bodies()[3] == lines.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused() {
    let world = World::start().await;
    world.put("in/a.csv", format!("1\n{}\n", "x".repeat(2 << 20))).await;
    let reason = world.fail(&Job::csv("long", "echo", "in/a.csv").with("/MaxPayloadInMB", json!(1))).await;
    assert_eq!(
        reason,
        "ClientError: s3://jobs/in/a.csv: record 2 has more than the 1048576 bytes that MaxPayloadInMB allows: raise \
         MaxPayloadInMB"
    );
    assert_eq!(world.keys("out").await, Vec::<String>::new());
    let whole = Job::new("whole", "echo", "in/a.csv").with("/MaxPayloadInMB", json!(1));
    assert!(world.fail(&whole).await.ends_with("or set SplitType to Line"));
    // Zero sets no limit.
    world.complete(&Job::new("unlimited", "echo", "in/a.csv").with("/MaxPayloadInMB", json!(0))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_one_request_without_a_split_type() {
    let model = Model::start(|text, _| (200, "image/png", format!("<{text}>"))).await;
    let world = World::asking(&model).await;
    world.put("in/a.png", "\n1\n\n2").await;
    world.put("in/b.png", "").await;
    let job = Job::new("whole", "scripted", "in/").with("/TransformInput/ContentType", json!("image/png"));
    world.complete(&job).await;
    assert_eq!(model.bodies(), ["\n1\n\n2"], "an object of no bytes has no record");
    assert_eq!(model.asked()[0].content_type.as_deref(), Some("image/png"));
    assert_eq!(world.text("out/a.png.out").await.unwrap(), "<\n1\n\n2>");
    assert_eq!(world.text("out/b.png.out").await.unwrap(), "");
    let job = job.with("/TransformJobName", json!("lines")).with("/TransformOutput/AssembleWith", json!("Line"));
    world.complete(&job).await;
    assert_eq!(world.text("out/a.png.out").await.unwrap(), "<\n1\n\n2>\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_undone() {
    let world = World::start().await;
    let text: String = (0..100_000_u64).flat_map(|number| [number.to_string(), ",0\n".to_owned()]).collect();
    // Two members, as tools that append make them.
    let (first, second) = text.split_at(text.len() / 3);
    let pack = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let packed = [pack(first), pack(second)].concat();
    world.put("in/a.csv.gz", packed.clone()).await;
    let job = Job::csv("packed", "echo", "in/a.csv.gz").with("/TransformInput/CompressionType", json!("Gzip"));
    world.complete(&job).await;
    assert!(world.text("out/a.csv.gz.out").await.unwrap() == text);
    world.put("in/a.csv.gz", packed[..packed.len() - 20].to_vec()).await;
    let reason = world.fail(&job.clone().with("/TransformJobName", json!("short"))).await;
    assert!(reason.starts_with("ClientError: s3://jobs/in/a.csv.gz: it cannot be decompressed as Gzip"), "{reason}");
    world.put("in/a.csv.gz", "1,2\n").await;
    let reason = world.fail(&job.with("/TransformJobName", json!("plain"))).await;
    assert!(reason.contains("it cannot be decompressed as Gzip"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_that_there_are_not() {
    let world = World::start().await;
    world.put("in/a", "1\n").await;
    for split in ["RecordIO", "TFRecord"] {
        let reason = world.fail(&Job::new(split, "echo", "in/a").with("/TransformInput/SplitType", json!(split))).await;
        assert_eq!(reason, format!("SplitType {split} is not supported, use Line or None"));
    }
    let job = Job::new("binary", "echo", "in/a").with("/TransformInput/ContentType", json!("image/png"));
    let reason = world.fail(&job.processing("JoinSource", "Input")).await;
    assert!(reason.ends_with("application/jsonlines, not image/png"), "{reason}");
    let job = Job::csv("filter", "echo", "in/a").processing("OutputFilter", "$[0:2,246:4:1]");
    let reason = world.fail(&job).await;
    assert!(reason.starts_with("Invalid JsonPath: $[0:2,246:4:1]: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_input_filter() {
    let model = Model::start(echo).await;
    let world = World::asking(&model).await;
    world.put("in/a.csv", "id,\"a,b\",1\r\n2,,\"3\"\n").await;
    world.complete(&Job::csv("columns", "scripted", "in/a.csv").processing("InputFilter", "$[1:]")).await;
    world.put("in/a.jsonl", "{\"id\": 1, \"features\": [1.50, \"x\"]}\n{\"id\": 2, \"features\": [ 2 ]}\n").await;
    let job = Job::json_lines("members", "scripted", "in/a.jsonl").processing("InputFilter", "$.features");
    world.complete(&job).await;
    let job = job.with("/TransformJobName", json!("whole")).with("/TransformInput/SplitType", json!("None"));
    world.complete(&job).await;
    assert_eq!(model.bodies(), ["\"a,b\",1\n,\"3\"\n", "[1.50,\"x\"]\n[2]\n", "[1.50,\"x\"]\n[2]\n"]);
    let job = Job::csv("beyond", "scripted", "in/a.csv").processing("InputFilter", "$[0,7]");
    assert_eq!(
        world.fail(&job).await,
        "ClientError: s3://jobs/in/a.csv: record 1: Invalid JsonPath: $[0,7]: selects number 7, and there are 3 fields"
    );
}
