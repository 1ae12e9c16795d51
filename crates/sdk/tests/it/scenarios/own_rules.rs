//! What users bring themselves: scripts, edited constraints, and their own say in what is captured.

use serde_json::{Value, json};
use watchkeeper::model_monitor::{
    Constraints, CronExpressionGenerator, DataCaptureConfig, DatasetFormat, DefaultModelMonitor, EndpointInput,
};
use watchkeeper::predictor::Predictor;
use watchkeeper::processing::Wait;
use watchkeeper::{S3Uri, Session};

use super::goldens;
use super::site::{ROLE, Site, ago};

/// Leaves out what begins with `skip`.
const PREPROCESSOR: &str = r#"
def preprocess_handler(inference_record):
    request = inference_record.endpoint_input.data.rstrip("\n")
    answer = inference_record.endpoint_output.data.rstrip("\n")
    if request.startswith("skip"):
        return []
    return {str(i).zfill(3): value for i, value in enumerate((answer + "," + request).split(","))}
"#;
/// In the repository: it writes the names of the results to `postprocessed.txt` beside them.
const POSTPROCESSOR: &str = "tests/python/service/sdk/scripts/postprocess.py";

/// A baseline whose rules are edited before they are used.
pub(crate) async fn is_told(session: &Session) {
    let site = Site::new(session, "own-rules").await;
    let mut monitor = DefaultModelMonitor::new(session, ROLE);
    let constraints = edited_baseline(&site, &mut monitor).await;
    site.create_model("watchkeeper-constant", &json!({"value": 1})).await;
    let mut predictor = site.deploy().await;
    captured_elsewhere(&site, &mut predictor).await;
    let preprocessor = folder_with("preprocess.py", PREPROCESSOR);
    monitor
        .create_monitoring_schedule(EndpointInput::new(&site.name, "/opt/ml/processing/input/endpoint"))
        .monitor_schedule_name(&site.name)
        .output_s3_uri(site.uri("results"))
        .constraints(&constraints)
        .record_preprocessor_script(preprocessor.path().join("preprocess.py"))
        .post_analytics_processor_script(goldens::path(POSTPROCESSOR))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    let statistics = monitor.latest_monitoring_statistics().await.unwrap().unwrap();
    assert_eq!(statistics.data_quality().unwrap().dataset.item_count, 10, "the others were left out by the script");
    // Both columns have texts now; only one is still watched.
    let violations = monitor.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    let [violation] = violations.violations().unwrap().as_slice() else { panic!("{violations:?}") };
    assert_eq!(violation.feature_name.as_deref(), Some("a"));
    let results = violations.file_s3_uri().to_string();
    let postprocessed: S3Uri = results.replace("constraint_violations.json", "postprocessed.txt").parse().unwrap();
    let names = session.read_s3_file(&postprocessed).await.unwrap();
    assert!(names.contains("constraint_violations.json"), "{names}");
    monitor.delete_monitoring_schedule().await.unwrap();
    predictor.disable_data_capture().await.unwrap();
    let endpoint = site.call("DescribeEndpoint", json!({"EndpointName": site.name})).await;
    assert_eq!(endpoint["DataCaptureConfig"]["CaptureStatus"], "Stopped", "{endpoint}");
    predictor.delete_model().await.unwrap();
    predictor.delete_endpoint().await.unwrap();
}

/// A folder of this machine with one file.
fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

/// Constraints of a dataset of this machine, in which one column is no longer watched; saved elsewhere.
async fn edited_baseline(site: &Site, monitor: &mut DefaultModelMonitor) -> Constraints {
    let rows = (0..100).map(|number| format!("1,{number},{}\n", 2 * number)).collect::<Vec<_>>().concat();
    let dataset = folder_with("train.csv", &format!("prediction,a,b\n{rows}"));
    monitor
        .suggest_baseline(dataset.path().join("train.csv"), DatasetFormat::csv(true))
        .wait(Wait::Quietly)
        .await
        .unwrap();
    let mut constraints = monitor.suggested_constraints().await.unwrap();
    constraints.set_monitoring(false, "b").unwrap();
    let place = site.uri("edited/constraints.json");
    assert_eq!(constraints.save().new_save_location_s3_uri(place.clone()).await.unwrap(), place);
    let saved = Constraints::from_s3_uri(&site.session, place).await.unwrap();
    assert_eq!(saved.body_dict(), constraints.body_dict());
    saved
}

/// What is captured goes to another place from now on; and the traffic of the story.
async fn captured_elsewhere(site: &Site, predictor: &mut Predictor) {
    let elsewhere = site.uri("elsewhere");
    let capture = DataCaptureConfig::new(true).sampling_percentage(100).destination_s3_uri(elsewhere.clone());
    predictor.update_data_capture_config(&capture.csv_content_types(["text/csv"])).await.unwrap();
    for row in (0..10).map(|_| "x,y").chain(["skip,1", "skip,2", "skip,3"]) {
        predictor.predict(row).await.unwrap();
    }
    let input = json!({"EndpointName": site.name});
    let is_elsewhere =
        |endpoint: &Value| endpoint["DataCaptureConfig"]["DestinationS3Uri"] == json!(elsewhere.to_string());
    site.until("DescribeEndpoint", input, is_elsewhere).await;
}
