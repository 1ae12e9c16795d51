//! Where the images of AWS are: Python's `image_uris.retrieve`, as far as monitors need it. Asks nobody.

mod registries;

use crate::session::Partition;
use crate::{Error, Result};

/// The repository of the analyzer of data quality and model quality.
pub(crate) const ANALYZER_REPOSITORY: &str = "sagemaker-model-monitor-analyzer";

/// The address of a framework's image in a region: `model-monitor` for the analyzer of data quality and model quality, `clarify`
/// for that of bias and explainability.
///
/// ```
/// use watchkeeper::image_uris;
///
/// assert_eq!(
///     image_uris::retrieve("model-monitor", "eu-central-1")?,
///     "048819808253.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-model-monitor-analyzer"
/// );
/// # Ok::<(), watchkeeper::Error>(())
/// ```
///
/// # Errors
/// There are no images of the framework in the region, or it is another framework.
pub fn retrieve(framework: &str, region: &str) -> Result<String> {
    let (registries, repository) = match framework {
        "model-monitor" => (registries::MODEL_MONITOR, ANALYZER_REPOSITORY),
        "clarify" => (registries::CLARIFY, "sagemaker-clarify-processing:1.0"),
        other => {
            return Err(Error::argument("framework", format!("{other:?} is neither 'model-monitor' nor 'clarify'")));
        }
    };
    let Some((_, account)) = registries.iter().find(|(name, _)| *name == region) else {
        let regions: Vec<&str> = registries.iter().map(|(name, _)| *name).collect();
        let reason = format!("Unsupported region: {region}. Supported region(s): {}", regions.join(", "));
        return Err(Error::argument("region", reason));
    };
    let domain = Partition::of_region(region).domain;
    Ok(format!("{account}.dkr.ecr.{region}.{domain}/{repository}"))
}
