//! Models that are built in. Values of the logistic function: 1/2 at 0, 3/4 at ln 3, 1/4 at -ln 3 by its definition
//! `1 / (1 + e^-x)`; further points, and sums of products, come from Python's `math`, which runs here.

use serde_json::{Value, json};

use super::bench::{Bench, ask, python, request, with_header};

fn container(repository: &str, document: &Value) -> Value {
    json!({
        "Image": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{repository}:latest"),
        "Environment": {"WATCHKEEPER_MODEL": document.to_string()},
    })
}

async fn answers(repository: &str, document: Value, requests: &[(&str, &str, &str, &str, &str)]) {
    let bench = Bench::with(Vec::new()).await;
    let model = bench.start(super::bench::Start::of(container(repository, &document))).await.unwrap();
    for &(content_type, accept, body, answer_type, answer) in requests {
        let mut asked = request(content_type, body.to_owned());
        if !accept.is_empty() {
            asked = with_header(asked, "accept", accept);
        }
        let said = ask(&model, asked).await;
        assert_eq!(said, (200, answer_type.to_owned(), answer.to_owned()), "{content_type} {accept} {body}");
    }
}

const CSV: &str = "text/csv";
const JSON: &str = "application/json";
const LINES: &str = "application/jsonlines";

#[tokio::test]
async fn the_echo_answers_what_it_was_asked() {
    let bench = Bench::with(Vec::new()).await;
    let echo = json!({"Image": "watchkeeper-echo"});
    let model = bench.start(super::bench::Start::of(echo)).await.unwrap();
    let said = ask(&model, with_header(request("image/png; x=1", "ä\0"), "accept", CSV)).await;
    assert_eq!(said, (200, "image/png; x=1".to_owned(), "ä\0".to_owned()));
    assert_eq!(ask(&model, request("", "")).await, (200, String::new(), String::new()));
}

#[tokio::test]
async fn a_constant_answers_each_record() {
    answers(
        "watchkeeper-constant",
        json!({"value": 0.5}),
        &[
            (CSV, "", "1,2", CSV, "0.5"),
            (CSV, "", "a,b\r\nc,d\r\n", CSV, "0.5\n0.5"),
            ("Text/CSV; charset=utf-8", "*/*", "1", CSV, "0.5"),
            (CSV, JSON, "1\n2\n", JSON, "[0.5,0.5]"),
            (JSON, "", "[1, \"x\"]", JSON, "0.5"),
            (JSON, "", "{\"a\": 1}", JSON, "0.5"),
            (JSON, "", "[[1], [2]]", JSON, "[0.5,0.5]"),
            (JSON, "", "{\"instances\": [[1], [2], [3]]}", JSON, "{\"predictions\":[0.5,0.5,0.5]}"),
            (JSON, "text/plain, text/csv", "[[1], [2]]", CSV, "0.5\n0.5"),
            (LINES, "", "[1]\n{\"a\": 2}\n", LINES, "0.5\n0.5"),
        ],
    )
    .await;
    answers(
        "watchkeeper-constant",
        json!({"value": "churns"}),
        &[(CSV, "", "1", CSV, "churns"), (JSON, "", "[1]", JSON, "\"churns\"")],
    )
    .await;
}

#[tokio::test]
async fn a_linear_model_is_a_weighted_sum() {
    answers(
        "watchkeeper-linear",
        json!({"intercept": 0.5, "coefficients": [2, -1, 0.25], "features": ["a", "b", "c"]}),
        &[
            (CSV, "", "1,2,4", CSV, "1.5"),
            (CSV, "", " 0 , \"0\",0 \n-1,1e2,0.5", CSV, "0.5\n-101.375"),
            (JSON, "", "[1, 2, 4]", JSON, "1.5"),
            (JSON, "", "{\"c\": 4, \"extra\": \"x\", \"b\": 2, \"a\": 1}", JSON, "1.5"),
            (
                JSON,
                "",
                "{\"instances\": [{\"a\": 0, \"b\": 0, \"c\": 0}, [1, 2, 4]]}",
                JSON,
                "{\"predictions\":[0.5,1.5]}",
            ),
            (LINES, CSV, "{\"a\": 1, \"b\": 2, \"c\": 4}\n[0, 0, 0]", CSV, "1.5\n0.5"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_logistic_model_answers_probabilities_classes_or_both() {
    let ln3 = 3.0_f64.ln();
    let document = |output: &str| json!({"intercept": 0, "coefficients": [ln3], "output": output, "threshold": 0.75});
    let body = "0\n1\n-1";
    answers("watchkeeper-logistic", json!({"coefficients": [1]}), &[(CSV, "", "0", CSV, "0.5")]).await;
    answers("watchkeeper-logistic", document("label"), &[(CSV, "", body, CSV, "0\n1\n0")]).await;
    let bench = Bench::with(Vec::new()).await;
    let both =
        bench.start(super::bench::Start::of(container("watchkeeper-logistic", &document("both")))).await.unwrap();
    let (_, _, text) = ask(&both, request(CSV, body)).await;
    let rows: Vec<(u8, f64)> = text
        .lines()
        .map(|line| line.split_once(',').unwrap())
        .map(|(label, probability)| (label.parse().unwrap(), probability.parse().unwrap()))
        .collect();
    for ((label, probability), (expected_label, expected)) in rows.iter().zip([(0, 0.5), (1, 0.75), (0, 0.25)]) {
        assert_eq!(*label, expected_label);
        assert!((probability - expected).abs() < 1e-15, "{probability}");
    }
    let (_, _, text) = ask(&both, with_header(request(CSV, "0"), "accept", LINES)).await;
    assert_eq!(text, "{\"predicted_label\":0,\"probability\":0.5}");
}

#[tokio::test]
async fn predictions_are_those_of_python() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("referee.py");
    let coefficients = [0.75, -1.5, 3.25e-3, 0.1];
    std::fs::write(
        &script,
        format!(
            "import json, math, random
random.seed(4)
rows = [[random.uniform(-300, 300) for _ in range(4)] for _ in range(200)]
sums = [math.fsum([-0.3] + [c * x for c, x in zip({coefficients:?}, row)]) for row in rows]
def logistic(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
print(json.dumps([rows, sums, [logistic(x) for x in sums]]))"
        ),
    )
    .unwrap();
    let referee: Value = serde_json::from_str(&python(&script, &[])).unwrap();
    let body = json!({"instances": referee[0]}).to_string();
    let document = json!({"intercept": -0.3, "coefficients": coefficients});
    let bench = Bench::with(Vec::new()).await;
    for (repository, expected) in [("watchkeeper-linear", &referee[1]), ("watchkeeper-logistic", &referee[2])] {
        let model = bench.start(super::bench::Start::of(container(repository, &document))).await.unwrap();
        let (_, _, text) = ask(&model, request(JSON, body.clone())).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let predictions = answer["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), 200);
        for (prediction, expected) in predictions.iter().zip(expected.as_array().unwrap()) {
            let (prediction, expected) = (prediction.as_f64().unwrap(), expected.as_f64().unwrap());
            // The order of the sum may differ in its last bits, which the exponential multiplies by the sum's size.
            assert!((prediction - expected).abs() <= 1e-12 * expected.abs().max(1e-300), "{prediction} {expected}");
        }
    }
}

#[tokio::test]
async fn bad_records_are_named_by_line_and_column() {
    let (commas, long) = (",".repeat(1_000_000), "x".repeat(1_000_000));
    let bench = Bench::with(Vec::new()).await;
    let document = json!({"coefficients": [1, 1], "features": ["a", "b"]});
    let model = bench.start(super::bench::Start::of(container("watchkeeper-linear", &document))).await.unwrap();
    for (content_type, body, status, reason) in [
        (CSV, "1,2\n1,x\n", 400, "line 2, column 2: `x` is not a number"),
        (CSV, "1,2\n1,\n", 400, "line 2, column 2: `` is not a number"),
        (CSV, "1,nan", 400, "line 1, column 2: `nan` is not a number"),
        (CSV, "1,2,3", 400, "line 1: it has 3 values, and the model takes 2"),
        (CSV, "1,2\n\n1,2", 400, "line 2: it is empty"),
        (CSV, "", 400, "the request has no record"),
        (CSV, "1e308,1e308", 400, "line 1: the prediction is too large for a number"),
        (JSON, "[[1, 2], [1, \"x\"]]", 400, "record 2, column 2: `\"x\"` is not a number"),
        (JSON, "{\"a\": 1}", 400, "record 1, member `b`: it is missing"),
        (JSON, "{\"instances\": 3}", 400, "`instances` is `3`, not an array"),
        (JSON, "[[1, 2],\n oops]", 400, "line 2, column 2: it is no JSON"),
        (JSON, "5", 400, "record 1: `5` is neither an array nor an object"),
        (LINES, "[1, 2]\n{\"a\": 1, \"b\": null}", 400, "line 2, member `b`: `null` is not a number"),
        (LINES, "[1, 2]\n[1, 2", 400, "line 2, column 5: it is no JSON"),
        (CSV, &commas, 400, "line 1: it has 1000001 values, and the model takes 2"),
        (CSV, &format!("1,{long}"), 400, &format!("column 2: `{}...` is not a number", &long[..80])),
        (JSON, &format!("{{\"instances\": \"{long}\"}}"), 400, &format!("`\"{}...`, not an array", &long[..79])),
        (JSON, &format!("[{}]", "[".repeat(10_000)), 400, "it is no JSON"),
        (JSON, "[1, 1e999]", 400, "it is no JSON"),
        ("image/png", "x", 415, "text/csv, application/json, application/jsonlines"),
        ("", "x", 415, "text/csv, application/json, application/jsonlines"),
    ] {
        let (said, _, text) = ask(&model, request(content_type, body.to_owned())).await;
        let shown = &body[..body.len().min(100)];
        assert_eq!(said, status, "{shown}: {text}");
        assert!(text.contains(reason) && text.len() < 200, "{shown}: {text}");
    }
}

#[tokio::test]
async fn documents_that_are_wrong_say_what_is() {
    let bench = Bench::with(Vec::new()).await;
    for (repository, document, reason) in [
        ("watchkeeper-linear", json!({"coefficients": [1], "features": ["a", "b"]}), "2 names"),
        ("watchkeeper-linear", json!({"coefficient": [1]}), "coefficient"),
        ("watchkeeper-logistic", json!({"coefficients": [1], "output": "class"}), "class"),
        ("watchkeeper-constant", json!({"value": [1]}), "`value`"),
        ("watchkeeper-constant", json!({}), "value"),
    ] {
        let failure = bench.failure(container(repository, &document)).await;
        assert!(
            failure.contains(repository) && failure.contains("WATCHKEEPER_MODEL") && failure.contains(reason),
            "{failure}"
        );
    }
    let failure = bench.failure(json!({"Image": "watchkeeper-linear"})).await;
    assert!(failure.contains("model.json") && failure.contains("ModelDataUrl"), "{failure}");
}

#[tokio::test]
async fn in_batch_transform_the_last_line_has_an_end() {
    let bench = Bench::with(Vec::new()).await;
    let mut start = super::bench::Start::of(container("watchkeeper-constant", &json!({"value": 1})));
    start.batch = Some(watchkeeper_service::hosting::model::BatchSpecification {
        max_concurrent_transforms: 1,
        max_payload_in_mb: 6,
        strategy: "SINGLE_RECORD".to_owned(),
    });
    let model = bench.start(start).await.unwrap();
    assert_eq!(ask(&model, request(CSV, "a\nb")).await.2, "1\n1\n");
}
