//! Labels that are uploaded through the operators' interface.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use watchkeeper_store::objects::read_all;

use super::merges::quality_world;
use super::operators::send;
use super::world::World;

const PATH: &str = "/_watchkeeper/schedules/quality/ground-truth";

async fn upload(world: &World, path: &str, lines: &str) -> (StatusCode, Value) {
    send(world, Method::POST, path, lines.to_owned()).await
}

async fn lines_of(world: &World, address: &str) -> Vec<Value> {
    let key = address.strip_prefix("s3://b/").unwrap();
    let (_, body) = world.context.objects.get("b", key, None).await.unwrap().unwrap();
    let text = String::from_utf8(read_all(body).await.unwrap()).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn labels_become_records_in_the_hours_they_were_collected_in() {
    let world = quality_world(|_| {}).await;
    world.set_text("2026-01-01T07:08:09.123Z");
    let lines = concat!(
        r#"{"id": "57", "label": 1}"#,
        "\n\n",
        r#"{"id": 58, "label": "cat", "time": "2026-01-01T05:59:59Z"}"#,
        "\r\n",
        r#"{"id": "59", "label": 0.10}"#,
        "\n",
        r#"{"id": "60", "label": "a, \"b\""}"#,
        "\n",
        r#"{"id": "61", "label": {"instances": [{"label": 1}]}}"#,
        "\n",
        r#"{"id": "62", "label": true}"#,
        "\n",
        r#"{"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"63"},"eventVersion":"0","mine":2}"#,
    );
    let (status, answer) = upload(&world, PATH, lines).await;
    assert_eq!((status, &answer["uploaded"]), (StatusCode::OK, &json!(7)), "{answer}");
    let objects: Vec<&str> = answer["objects"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert!(objects[0].starts_with("s3://b/labels/2026/01/01/05/20260101T070809123-"), "{}", objects[0]);
    assert!(objects[1].starts_with("s3://b/labels/2026/01/01/07/20260101T070809123-"), "{}", objects[1]);
    let record = |id: &str, data: &str, encoding: &str| json!({"groundTruthData": {"data": data, "encoding": encoding}, "eventMetadata": {"eventId": id}, "eventVersion": "0"});
    assert_eq!(lines_of(&world, objects[0]).await, [record("58", "cat", "CSV")]);
    let mut last = record("63", "1", "CSV");
    last["mine"] = json!(2);
    assert_eq!(
        lines_of(&world, objects[1]).await,
        [
            record("57", "1", "CSV"),
            record("59", "0.10", "CSV"),
            record("60", r#""a, \"b\"""#, "JSON"),
            record("61", r#"{"instances": [{"label": 1}]}"#, "JSON"),
            record("62", "true", "CSV"),
            last,
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_whole() {
    let world = quality_world(|_| {}).await;
    let good = r#"{"id": "1", "label": 1}"#;
    let cases = [
        (
            r#"{"id": "1", "label": null}"#,
            "line 2: label is null, expected a text, a number, a boolean or any other JSON",
        ),
        (r#"{"id": "1", "label": " "}"#, "line 2: label is empty"),
        (r#"{"id": "", "label": 1}"#, "line 2: id is \"\", expected a text or a number"),
        (r#"{"id": [1], "label": 1}"#, "line 2: id is [1], expected a text or a number"),
        (
            r#"{"id": "1", "label": 1, "time": "soon"}"#,
            "line 2: time: `soon` is no moment; write it as 2026-01-31T23:00:00Z",
        ),
        (r#"{"groundTruthData": {"data": "1"}}"#, "line 2: it has no eventMetadata"),
        (
            r#"[{"data": "1"}, {"eventId": "1"}]"#,
            "line 2: it is no JSON object: write a line for each label, such as {\"id\": \"57\", \"label\": 1}",
        ),
        (
            r#"{"groundTruthData": {"data": "1", "encoding": "BASE64"}, "eventMetadata": {"eventId": "1"}}"#,
            "line 2: groundTruthData.encoding is `BASE64`, expected CSV or JSON",
        ),
    ];
    for (line, message) in cases {
        let (status, answer) = upload(&world, PATH, &format!("{good}\n{line}\n")).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), (StatusCode::BAD_REQUEST, message));
    }
    for line in ["nonsense", r#"{"id": "1"}"#, r#"{"id": "1", "label": 1, "colour": "red"}"#] {
        let (status, answer) = upload(&world, PATH, line).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["error"].as_str().unwrap().starts_with("line 1: "), "{answer}");
    }
    let list = watchkeeper_store::objects::ListObjects {
        bucket: "b".to_owned(),
        prefix: "labels/".to_owned(),
        limit: 10,
        ..watchkeeper_store::objects::ListObjects::default()
    };
    assert!(world.context.objects.list(&list).await.unwrap().objects.is_empty(), "nothing was stored");
}

#[tokio::test]
async fn a_schedule_that_needs_no_labels_says_so() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let line = r#"{"id": "1", "label": 1}"#;
    let (status, answer) = upload(&world, "/_watchkeeper/schedules/nightly-check/ground-truth", line).await;
    let message = "monitoring schedule nightly-check: DataQuality monitoring needs no labels";
    assert_eq!((status, answer["error"].as_str().unwrap()), (StatusCode::CONFLICT, message));
    let (status, _) = upload(&world, "/_watchkeeper/schedules/none/ground-truth", line).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let world = quality_world(|definition| {
        definition["ModelQualityJobInput"]["GroundTruthS3Input"]["S3Uri"] = json!("s3://nowhere/labels");
    })
    .await;
    let (status, answer) = upload(&world, PATH, line).await;
    let message = "monitoring schedule quality: there is no bucket `nowhere` for its ground truth, create it";
    assert_eq!((status, answer["error"].as_str().unwrap()), (StatusCode::CONFLICT, message));
}

#[tokio::test]
async fn as_many_labels_at_once_as_the_service_takes() {
    let world = quality_world(|_| {}).await;
    let line = r#"{"id": "57", "label": 1}"#;
    let number = 9 * (1 << 20) / line.len();
    let (status, answer) = upload(&world, PATH, &[line].repeat(number).join("\n")).await;
    assert_eq!((status, &answer["uploaded"]), (StatusCode::OK, &json!(number)), "{answer}");
}
