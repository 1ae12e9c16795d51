//! Which key encrypts a job's outputs.

use watchkeeper_store::keys::ENABLED;

use super::Failure;
use crate::api::kms::{KeyName, find_key};
use crate::context::Context;
use crate::telemetry::program_log::ProgramLog;

/// The ARN of a key that a request names by id, ARN or alias. Requests are taken with keys that do not exist, as on the
/// real service; what such a job makes is stored without one, and its log says so. A key that may not be used refuses.
pub(super) async fn usable(context: &Context, asked: &str, log: &ProgramLog) -> Result<Option<String>, Failure> {
    let found = find_key(context, &KeyName::of(asked)).await;
    let found =
        found.map_err(|error| Failure(format!("the encryption key `{asked}` could not be looked up: {error}")))?;
    let Some(key) = found.map(|key| key.resource) else {
        log.say(&format!("there is no encryption key `{asked}`: outputs are stored without one")).await;
        return Ok(None);
    };
    if key.state.as_str() != ENABLED {
        return Err(Failure(format!("the encryption key `{asked}` of the outputs is {}, not {ENABLED}", key.state)));
    }
    Ok(Some(key.arn))
}
