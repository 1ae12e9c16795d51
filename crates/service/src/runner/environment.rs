//! The variables of a job's program.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use watchkeeper_aws::signing::Credentials;

use crate::api::sts;
use crate::context::Context;
use crate::control::processing_job::ProcessingJob;

/// What programs take from the machine they run on.
const OF_THE_MACHINE: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "WATCHKEEPER_PYTHON"];
/// How much longer than the program a job's credentials hold: for what it does when it is told to stop.
const CREDENTIALS_OUTLIVE: SignedDuration = SignedDuration::from_hours(1);

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
    if let Some(credentials) = credentials(context, job) {
        set("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        set("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
        set("AWS_SESSION_TOKEN", &credentials.session_token.unwrap_or_default());
    }
    variables.extend(job.request.environment.clone().unwrap_or_default());
    variables
}

/// Temporary credentials of the service's own key; none where the job brings its own, whose requests our token would
/// spoil, or reaches nobody.
fn credentials(context: &Context, job: &ProcessingJob) -> Option<Credentials> {
    let request = &job.request;
    let isolated = request.network_config.as_ref().and_then(|network| network.enable_network_isolation) == Some(true);
    let has_own = request.environment.as_ref().is_some_and(|own| own.contains_key("AWS_ACCESS_KEY_ID"));
    if isolated || has_own {
        return None;
    }
    let seconds = request.stopping_condition.as_ref().map_or(0, |limit| limit.max_runtime_in_seconds);
    let lifetime = SignedDuration::from_secs(i64::from(seconds)) + CREDENTIALS_OUTLIVE;
    let (own_id, _) = context.job_credentials.get()?;
    let issuer = sts::session_issuer(context)?;
    let expires = context.now().saturating_add(lifetime).ok()?;
    Some(sts::issue(&issuer, issuer.parent(own_id), expires))
}
