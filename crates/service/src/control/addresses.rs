//! What requests name outside of the service: addresses in S3, and folders in a job.

use std::str::FromStr;

use watchkeeper_aws::Error;
use watchkeeper_aws::types::S3Uri;

/// What local paths of a job are below.
const JOB_FOLDER: &str = "/opt/ml/";

/// Refuses an address that names nothing in S3.
pub fn check_uri(member: &str, uri: &str) -> Result<(), Error> {
    S3Uri::from_str(uri).map(drop).map_err(|error| Error::validation(format!("{member}: {error}")))
}

/// Refuses a path that is outside of a job's folder: jobs of different people share a machine.
pub fn check_local_path(place: &str, path: &str) -> Result<(), Error> {
    let below = path.strip_prefix(JOB_FOLDER).map(|rest| rest.trim_end_matches('/')).filter(|rest| !rest.is_empty());
    let is_plain = |rest: &str| rest.split('/').all(|part| part != "." && part != "..") && !rest.contains('\0');
    if below.is_some_and(is_plain) {
        return Ok(());
    }
    Err(Error::validation(format!(
        "{place}: LocalPath must be an absolute path below {JOB_FOLDER}, such as {JOB_FOLDER}processing/input, not {path}"
    )))
}
