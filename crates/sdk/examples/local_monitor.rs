//! Baselines a dataset and monitors what comes later, in one process: `examples/churn/monitor.py` in Rust, with a Watchkeeper
//! of its own in place of a server.
//!
//!     cargo run -p watchkeeper --features local --example local_monitor
//!
//! With `Session::from_env()` in place of `Session::local()` it does the same on AWS, or with `watchkeeper serve`.
#![allow(clippy::print_stdout, reason = "what was found is printed")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use watchkeeper::model_monitor::{
    BatchTransformInput, CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, MonitoringDatasetFormat,
};
use watchkeeper::{S3Uri, Session, TimeOffset};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/churn");
const ROLE: &str = "arn:aws:iam::000000000000:role/monitoring";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for violation in violations(&Session::local().await?).await? {
        println!("{violation}");
    }
    Ok(())
}

/// What a check finds, a line each.
pub async fn violations(session: &Session) -> Result<Vec<String>, Box<dyn Error>> {
    let root = format!("s3://{}/churn", session.default_bucket().await?);
    let place = |relative: &str| format!("{root}/{relative}").parse::<S3Uri>();

    // What the model was trained on: statistics, and constraints for what is to come.
    let mut monitor = DefaultModelMonitor::new(session, ROLE).instance_type("ml.m5.large");
    monitor
        .suggest_baseline(Path::new(DATA).join("baseline.csv"), DatasetFormat::csv(true))
        .output_s3_uri(place("baseline")?)
        .await?;

    // A delivery of today, captured as a batch transform job captures its input: the data, and a manifest under its hour.
    session.upload(&Path::new(DATA).join("current.csv"), &place("deliveries")?, None).await?;
    let manifest = format!(r#"[{{"prefix": "{root}/deliveries/"}}, "current.csv"]"#);
    let hour = jiff::Timestamp::now().strftime("%Y/%m/%d/%H");
    let captured = place(&format!("capture/input/{hour}/delivery.json"))?;
    session.upload_string_as_file_body(manifest, &captured, None).await?;

    // One check of the last hour, now. `CronExpressionGenerator::hourly()` would check every hour.
    let statistics = monitor.baseline_statistics().await?;
    let constraints = monitor.suggested_constraints().await?;
    let deliveries =
        BatchTransformInput::new(place("capture")?, "/opt/ml/processing/input", MonitoringDatasetFormat::csv(true));
    monitor
        .create_monitoring_schedule(deliveries)
        .output_s3_uri(place("results")?)
        .statistics(&statistics)
        .constraints(&constraints)
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time("-PT1H".parse::<TimeOffset>()?)
        .data_analysis_end_time("-PT0H".parse::<TimeOffset>()?)
        .await?;
    let execution = loop {
        match monitor.list_executions().await?.pop() {
            Some(newest) => break newest,
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    execution.wait().logs(false).await?;

    let Some(found) = execution.constraint_violations().await? else { return Ok(Vec::new()) };
    let lines = found.violations()?.iter().map(|violation| {
        let feature = violation.feature_name.as_deref().unwrap_or("-");
        format!("{feature}: {}: {}", violation.constraint_check_type, violation.description)
    });
    Ok(lines.collect())
}
