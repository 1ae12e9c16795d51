//! What the runner writes for a program before it starts, and reads of it when it has ended.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use watchkeeper_formats::contract::{
    CLOUDWATCH_METRICS_DIRECTORY, CLOUDWATCH_METRICS_FILE, OUTPUT_MESSAGE_FILE, PROCESSING_JOB_CONFIG,
};

use super::Failure;
use super::stage::blocking;
use crate::control::processing_job::ProcessingJob;
use crate::program::folder;

/// Where a program finds which of the job's instances it is.
const RESOURCE_CONFIG: &str = "/opt/ml/config/resourceconfig.json";
/// The longest message, in characters; no character has more than four bytes.
const LONGEST_MESSAGE: usize = 1024;
/// The most bytes of a metrics file.
const LARGEST_METRICS: u64 = 64 << 20;

/// The name of an instance of a job; the first is number 1.
pub(super) fn host_name(number: usize) -> String {
    format!("algo-{number}")
}

/// Writes the files of `/opt/ml/config` of one instance.
pub(super) async fn write_configuration(
    job: &ProcessingJob,
    root: &Path,
    number: usize,
    hosts: usize,
) -> Result<(), Failure> {
    let mut description = serde_json::to_value(&job.request).expect("a request has text keys and finite numbers");
    description["ProcessingJobArn"] = Value::from(job.arn.as_str());
    let mut names: Vec<String> = (1..=hosts).map(host_name).collect();
    names.sort();
    let cluster = &job.request.processing_resources.cluster_config;
    let resources = json!({
        "current_host": host_name(number),
        "current_instance_type": cluster.instance_type,
        "hosts": names,
        "network_interface_name": "lo",
    });
    let files = [(PROCESSING_JOB_CONFIG, description), (RESOURCE_CONFIG, resources)];
    let files = files.map(|(path, document)| (root.join(&path[1..]), document.to_string()));
    blocking(move || {
        files
            .iter()
            .try_for_each(|(path, text)| std::fs::write(path, text).map_err(|error| Failure::of_file(path, &error)))
    })
    .await
}

/// The first characters of the message that a program left; None when there is none, or nothing in it.
pub(super) async fn message(root: &Path) -> Option<String> {
    let bytes = read_start(root, Path::new(&OUTPUT_MESSAGE_FILE[1..]), LONGEST_MESSAGE as u64 * 4).await;
    let text = String::from_utf8_lossy(&bytes);
    let message: String = text.trim().chars().take(LONGEST_MESSAGE).collect();
    (!message.is_empty()).then_some(message)
}

/// The text of a program's metrics file; empty when there is none.
pub(super) async fn metrics(root: &Path) -> String {
    let path = Path::new(&CLOUDWATCH_METRICS_DIRECTORY[1..]).join(CLOUDWATCH_METRICS_FILE);
    String::from_utf8_lossy(&read_start(root, &path, LARGEST_METRICS).await).into_owned()
}

/// The first bytes of a file; none where there is no such file.
async fn read_start(root: &Path, relative: &Path, limit: u64) -> Vec<u8> {
    let (root, relative) = (root.to_owned(), relative.to_owned());
    let read = move || {
        let mut bytes = Vec::new();
        // Whatever else a program has put there is no message and no metrics.
        if let Ok(file) = folder::open(&root, &relative) {
            let _ = file.take(limit).read_to_end(&mut bytes);
        }
        Ok(bytes)
    };
    blocking(read).await.unwrap_or_default()
}
