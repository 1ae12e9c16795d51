//! What exists from the first start: the bucket that scripts get by default, and the defaults that the Python SDK reads.

use watchkeeper_store::Error;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, SYSTEM_BUCKET, body, read_all};

use crate::Context;

/// The object with the SDK's defaults.
pub(super) const SDK_DEFAULTS: &str = "sagemaker-config.yaml";

/// Makes what is missing.
pub(super) async fn prepare(context: &Context) -> Result<(), Error> {
    let default_bucket = context.configuration.default_bucket();
    for bucket in [default_bucket.as_str(), SYSTEM_BUCKET] {
        match context.objects.create_bucket(bucket, &context.configuration.region, context.now()).await {
            Ok(()) | Err(Error::BucketExists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let defaults = sdk_defaults(&default_bucket);
    if let Some((_, current)) = context.objects.get(SYSTEM_BUCKET, SDK_DEFAULTS, None).await?
        && read_all(current).await.is_ok_and(|current| current == defaults.as_bytes())
    {
        return Ok(());
    }
    let attributes =
        ObjectAttributes { content_type: Some("application/yaml".to_owned()), ..ObjectAttributes::default() };
    match context.objects.put(SYSTEM_BUCKET, SDK_DEFAULTS, attributes, body(defaults), Precondition::None).await {
        // The next start writes them; until then scripts go without.
        Err(error) if error.storage_fault().is_some() => {
            tracing::error!(%error, "the defaults of the SDK could not be written");
            Ok(())
        }
        result => result.map(drop),
    }
}

/// The SDK's defaults: with a bucket named, `default_bucket()` does not ask STS, which the SDK does at a fixed address.
fn sdk_defaults(default_bucket: &str) -> String {
    format!(
        "SchemaVersion: '1.0'\n\
         SageMaker:\n  \
           PythonSDK:\n    \
             Modules:\n      \
               TelemetryOptOut: true\n      \
               Session:\n        \
                 DefaultS3Bucket: {default_bucket}\n"
    )
}
