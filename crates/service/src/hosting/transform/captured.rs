//! What a job captures: lists of the objects that it read and wrote, for batch monitors to find by the hour.

use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::BatchDataCaptureConfig;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::objects::{ObjectAttributes, Objects, Precondition, body};

use super::Failure;
use super::inputs::Object;
use super::output::failure;
use crate::control::execution_plan::hour_path;

/// Objects under one prefix.
struct Manifest<'a> {
    side: &'static str,
    prefix: &'a str,
    names: Vec<String>,
}

/// Writes the two manifests of objects that were transformed: where they begin, where their results do, and the objects.
pub(super) async fn write(
    store: &dyn Objects,
    config: &BatchDataCaptureConfig,
    (input_prefix, output_prefix): (&str, &str),
    objects: &[Object],
    attributes: &ObjectAttributes,
    now: jiff::Timestamp,
) -> Result<(), Failure> {
    let destination: S3Uri =
        config.destination_s3_uri.parse().map_err(|error| Failure(format!("DataCaptureConfig: {error}")))?;
    let results = objects.iter().map(|object| format!("{}.out", object.result));
    let manifests = [
        Manifest {
            side: "input",
            prefix: input_prefix,
            names: objects.iter().map(|object| object.name.clone()).collect(),
        },
        Manifest { side: "output", prefix: output_prefix, names: results.collect() },
    ];
    for manifest in manifests {
        // A destination that ends in a slash has its data behind two, as on the real service.
        let target = destination.join(&format!("/{}/{}/{}.json", manifest.side, hour_path(now), Uuid::new_v4()));
        let attributes = ObjectAttributes { content_type: Some("application/json".to_owned()), ..attributes.clone() };
        let text = manifest.text();
        let stored = store.put(&target.bucket, &target.key, attributes, body(text), Precondition::None).await;
        stored.map_err(|error| failure(&target, &error))?;
    }
    Ok(())
}

impl Manifest<'_> {
    fn text(self) -> String {
        let mut list = vec![json!({ "prefix": self.prefix })];
        list.extend(self.names.into_iter().map(Value::String));
        Value::Array(list).to_string()
    }
}
