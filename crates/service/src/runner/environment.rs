//! The variables of a job's program.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::control::processing_job::ProcessingJob;

/// What programs take from the machine they run on.
const OF_THE_MACHINE: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "WATCHKEEPER_PYTHON"];

/// All variables of a job's program: those of the machine, then of the image, then where this service is and how to sign
/// requests to it, then the job's own. The later win, so that a job can go elsewhere than to this service.
pub(super) fn variables(
    context: &Context,
    job: &ProcessingJob,
    of_image: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let of_machine = OF_THE_MACHINE.iter().filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let mut variables: BTreeMap<String, String> = of_machine.collect();
    variables.extend(of_image.clone());
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("AWS_REGION", &job.region);
    set("AWS_DEFAULT_REGION", &job.region);
    set("AWS_EC2_METADATA_DISABLED", "true");
    set("PROCESSING_JOB_NAME", job.name());
    set("PROCESSING_JOB_ARN", &job.arn);
    if let Some(url) = context.endpoint_url.get() {
        set("AWS_ENDPOINT_URL", url);
    }
    if let Some((id, secret)) = context.job_credentials.get() {
        set("AWS_ACCESS_KEY_ID", id);
        set("AWS_SECRET_ACCESS_KEY", secret);
    }
    variables.extend(job.request.environment.clone().unwrap_or_default());
    variables
}
