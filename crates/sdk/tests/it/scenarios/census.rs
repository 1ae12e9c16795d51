//! The census example of AWS's bias and attribution notebooks: its model, deployed, its data, and the traffic of its endpoint.
//!
//! The model answers a score where AWS's answers a label as well; with the threshold of AWS's, both make the same predictions.

use std::fmt::Write as _;

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::clarify::{DataConfig, ModelConfig};
use watchkeeper::predictor::Predictor;

use super::goldens;
use super::site::Site;

/// How many requests of the notebook's window were captured.
const CAPTURES: usize = 1806;

pub(crate) struct Census {
    pub(crate) site: Site,
    pub(crate) predictor: Predictor,
    /// A score above it is a prediction of the class 1.
    pub(crate) threshold: f64,
    /// Names of the features and of the label, which is last.
    pub(crate) headers: Vec<String>,
    /// What the model was validated with: features, then the label.
    pub(crate) records: Vec<(Vec<f64>, u64)>,
    /// What its endpoint is asked about later: features, then the truth.
    pub(crate) rows: Vec<(Vec<f64>, u64)>,
}

impl Census {
    /// The model and its endpoint, under a name of their own.
    pub(crate) async fn deploy(session: &Session, name: &str) -> Self {
        let site = Site::new(session, name).await;
        let model = goldens::json("bias/adult-linear-baseline/model.json");
        let document = json!({"intercept": model["bias"], "coefficients": model["weights"]});
        site.create_model("watchkeeper-logistic", &document).await;
        let predictor = site.deploy().await;
        let config = goldens::json("bias/adult-linear-baseline/analysis_config.json");
        Self {
            site,
            predictor,
            threshold: model["label_threshold"].as_f64().unwrap(),
            headers: serde_json::from_value(config["headers"].clone()).unwrap(),
            records: labelled("bias/adult-linear-baseline/dataset.jsonl", "label"),
            rows: labelled("bias/adult-linear-live-jsonlines/rows.jsonl", "ground_truth"),
        }
    }

    /// The validation data, uploaded as CSV, and where what is found goes.
    pub(crate) async fn data_config(&self) -> DataConfig {
        let mut table = String::new();
        for (features, label) in &self.records {
            writeln!(table, "{},{label}", row(features)).unwrap();
        }
        let dataset = self.site.uri("data/validation.csv");
        self.site.session.upload_string_as_file_body(table, &dataset, None).await.unwrap();
        DataConfig::new(dataset, self.site.uri("baselining")).label("Target").headers(self.headers.clone())
    }

    pub(crate) fn model_config(&self) -> ModelConfig {
        ModelConfig::new(&self.site.name, 1, "ml.m5.xlarge").content_type("text/csv").accept_type("text/csv")
    }

    /// The score of a record.
    pub(crate) async fn ask(&self, features: &[f64], inference_id: Option<String>) -> f64 {
        let mut predict = self.predictor.predict(row(features));
        if let Some(id) = inference_id {
            predict = predict.inference_id(id);
        }
        let answer = predict.await.unwrap();
        String::from_utf8(answer.body.to_vec()).unwrap().trim().parse().unwrap()
    }

    /// As many requests as AWS's notebook has captured, each named by its row, and the truth of all rows as it became known in
    /// this hour. Gives the address of the truth.
    pub(crate) async fn live(&self) -> watchkeeper::S3Uri {
        for number in 0..CAPTURES {
            let number = number % self.rows.len();
            self.ask(&self.rows[number].0, Some(number.to_string())).await;
        }
        self.tell_the_truth().await
    }

    /// Uploads the truth of all rows.
    pub(crate) async fn tell_the_truth(&self) -> watchkeeper::S3Uri {
        let mut lines = String::new();
        for (number, (_, truth)) in self.rows.iter().enumerate() {
            let line = json!({
                "groundTruthData": {"data": truth.to_string(), "encoding": "CSV"},
                "eventMetadata": {"eventId": number.to_string()},
                "eventVersion": "0",
            });
            writeln!(lines, "{line}").unwrap();
        }
        let hour = jiff::Timestamp::now().strftime("%Y/%m/%d/%H").to_string();
        let file = self.site.uri(&format!("truth/{hour}/truth.jsonl"));
        self.site.session.upload_string_as_file_body(lines, &file, None).await.unwrap();
        self.site.uri("truth")
    }

    /// The endpoint with all that belongs to it goes, and Clarify has left none of its own.
    pub(crate) async fn end(mut self) {
        self.predictor.delete_model().await.unwrap();
        self.predictor.delete_endpoint().await.unwrap();
        let shadows = json!({ "NameContains": "sm-clarify" });
        let name = self.site.name.clone();
        let ours = |list: &Value| {
            list["Endpoints"].as_array().unwrap().iter().any(|endpoint| endpoint.to_string().contains(&name))
        };
        self.site.until("ListEndpoints", shadows, |list| !ours(list)).await;
    }
}

/// Records with the member `label` beside their features.
fn labelled(golden: &str, label: &str) -> Vec<(Vec<f64>, u64)> {
    let records = goldens::json_lines(golden).into_iter();
    records
        .map(|record| (serde_json::from_value(record["features"].clone()).unwrap(), record[label].as_u64().unwrap()))
        .collect()
}

/// A record as a line of CSV.
fn row(features: &[f64]) -> String {
    features.iter().map(f64::to_string).collect::<Vec<_>>().join(",")
}
