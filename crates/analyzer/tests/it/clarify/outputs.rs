//! Which files a job writes, where it reads from, and what its variables change.

use serde_json::{Value, json};

use super::stub_model::StubModel;
use super::{Job, WELL};

const TABLE: &str = "y,sex,wage\n1,f,30\n0,m,41\n1,f,52\n0,m,23\n1,m,35\n0,f,47\n";

fn bias() -> Value {
    json!({
        "dataset_type": "text/csv",
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
        "methods": {"pre_training_bias": {"methods": ["DPL"]}},
    })
}

fn shap(saves: bool) -> Value {
    json!({
        "dataset_type": "text/csv",
        "label": "y",
        "excluded_columns": ["sex"],
        "joinsource_name_or_index": "sex",
        "methods": {"shap": {"baseline": [[30]], "save_local_shap_values": saves}},
        "predictor": {"endpoint_name": "model"},
    })
}

fn change(job: &Job, config: &Value) {
    job.put("processing/input/config/analysis_config.json", &config.to_string());
}

#[test]
fn files_follow_the_configuration() {
    let mut job = Job::new(&bias());
    job.put("processing/input/data/data.csv", TABLE);
    let model = StubModel::of_lines(|line| (line.parse::<f64>().unwrap() / 100.0).to_string());
    job.set("watchkeeper_predictor_url", &model.url);
    assert_eq!(job.run(), WELL);
    assert_eq!((job.output("report.html"), job.output("report.ipynb")), (None, None));
    let mut with_report = bias();
    with_report["methods"]["report"] = json!({"name": "wages", "title": "Of wages"});
    change(&job, &with_report);
    assert_eq!(job.run(), WELL);
    assert!(job.output("wages.html").unwrap().contains("Of wages"));
    let notebook: Value = serde_json::from_str(&job.output("wages.ipynb").unwrap()).unwrap();
    assert_eq!(notebook["nbformat"], 4);
    change(&job, &shap(true));
    assert_eq!(job.run(), WELL);
    let out = job.output("explanations_shap/out.csv").unwrap();
    assert_eq!(out.lines().take(3).collect::<Vec<_>>(), ["sex,wage_label0", "f,0.0", "m,0.10999999999999999"]);
    assert_eq!(job.output("explanations_shap/baseline.csv").unwrap(), "wage\n30\n");
    // What an earlier run has left goes where it would tell of this one.
    change(&job, &shap(false));
    assert_eq!(job.run(), WELL);
    assert_eq!(job.output("explanations_shap/out.csv"), None);
    assert!(job.output("explanations_shap/baseline.csv").is_some());
}

#[test]
fn an_interval_that_a_metric_must_leave() {
    let mut job = Job::new(&bias());
    // Rates of 2 in 3 and 1 in 3: the value is just above the baseline's, and six rows say little.
    job.put("processing/input/data/data.csv", TABLE);
    job.set("baseline_constraints", "/opt/ml/processing/baseline/analysis.json");
    assert_eq!(job.run_against(0.33), "CompletedWithViolations: Job completed successfully with 1 violations.");
    job.set("watchkeeper_bias_interval", "0.95");
    assert_eq!(job.run_against(0.33), WELL);
    let message = job.run_against(0.0);
    assert_eq!(message, WELL);
    // Of many rows it says much.
    job.put("processing/input/data/data.csv", &(TABLE.to_owned() + &TABLE[TABLE.find("1,f").unwrap()..].repeat(500)));
    assert_eq!(job.run_against(0.2), "CompletedWithViolations: Job completed successfully with 1 violations.");
}

impl Job {
    /// Runs against a baseline of one metric.
    fn run_against(&self, value: f64) -> String {
        let metric = json!({"name": "DPL", "description": "DPL", "value": value});
        let facets = json!({"sex": [{"value_or_threshold": "f", "metrics": [metric]}]});
        let section = json!({"label": "y", "facets": facets, "label_value_or_threshold": "1"});
        let baseline = json!({"version": "1.0", "pre_training_bias_metrics": section});
        self.put("processing/baseline/analysis.json", &baseline.to_string());
        self.run()
    }
}

#[test]
fn objects_are_fetched_through_the_service() {
    let service = StubModel::of_requests(|path, _| match path {
        "/bucket/data/part%201.csv" => (200, "y,sex\n1,f\n0,m\n".to_owned()),
        "/bucket/data/part%202.csv" => (200, "y,sex\n0,f\n".to_owned()),
        "/bucket?list-type=2&prefix=data%2F" => {
            let contents = ["data/_skipped", "data/part 1.csv", "data/part 2.csv"]
                .map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
            (200, format!("<ListBucketResult>{}</ListBucketResult>", contents.concat()))
        }
        "/bucket/data/_skipped" => (200, "x".to_owned()),
        _ => (404, "<Error><Code>NoSuchKey</Code><Message>There is none</Message></Error>".to_owned()),
    });
    let mut config = bias();
    config["dataset_uri"] = json!("s3://bucket/data/");
    let mut job = Job::new(&config);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", service.url.trim_end_matches("/invocations")),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ] {
        job.set(name, value);
    }
    assert_eq!(job.run(), WELL);
    let metric = &job.analysis()["pre_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0];
    // No m is positive, one f of two is.
    assert_eq!(metric["value"], -0.5);
    config["dataset_uri"] = json!("s3://bucket/other.csv");
    change(&job, &config);
    let message = job.run();
    assert!(message.starts_with("ClientError: dataset_uri: s3://bucket/other.csv cannot be fetched: "), "{message}");
}
