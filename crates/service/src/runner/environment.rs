//! The variables of a job's program.

use jiff::SignedDuration;

use crate::api::sts::JobMark;
use crate::context::Context;
use crate::control::processing_job::ProcessingJob;
use crate::program::environment::{Variables, Wanted, has_credentials, of_place, of_the_service};
use crate::program::image::Program;

/// How much longer than the program a job's credentials hold: for what it does when it is told to stop.
const CREDENTIALS_OUTLIVE: SignedDuration = SignedDuration::from_hours(1);

/// All variables of a job's program: those of the place where it runs, then of the image, then where this service is and how
/// to sign requests to it, then the job's own. The later win, so that a job can go elsewhere than to this service.
pub(super) fn variables(context: &Context, job: &ProcessingJob, program: &Program) -> Variables {
    let mut variables = of_place(&program.place);
    variables.extend(program.environment.clone());
    variables.extend(of_the_service(context, &job.region, credentials(job)));
    variables.insert("PROCESSING_JOB_NAME".to_owned(), job.name().to_owned());
    variables.insert("PROCESSING_JOB_ARN".to_owned(), job.arn.clone());
    variables.extend(job.request.environment.clone().unwrap_or_default());
    variables
}

/// A job's credentials; none where it brings its own, or reaches nobody.
fn credentials(job: &ProcessingJob) -> Option<Wanted> {
    let request = &job.request;
    let isolated = request.network_config.as_ref().and_then(|network| network.enable_network_isolation) == Some(true);
    if isolated || has_credentials(request.environment.as_ref()) {
        return None;
    }
    let seconds = request.stopping_condition.as_ref().map_or(0, |limit| limit.max_runtime_in_seconds);
    let lifetime = SignedDuration::from_secs(i64::from(seconds)) + CREDENTIALS_OUTLIVE;
    Some(Wanted { lifetime, job: Some(JobMark::of_job(&job.arn)) })
}
