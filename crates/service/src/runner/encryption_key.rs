//! Which key encrypts a job's outputs.

use super::Failure;
use crate::api::kms::encrypting_key;
use crate::context::Context;
use crate::telemetry::program_log::ProgramLog;

/// The ARN of a key that a request names by id, ARN or alias. Requests are taken with keys that do not exist, as on the
/// real service; what such a job makes is stored without one, and its log says so. A key that may not be used refuses.
pub(super) async fn usable(context: &Context, asked: &str, log: &ProgramLog) -> Result<Option<String>, Failure> {
    let found = encrypting_key(context, asked).await.map_err(|error| Failure(format!("outputs: {error}")))?;
    if found.is_none() {
        log.say(&format!("there is no encryption key `{asked}`: outputs are stored without one")).await;
    }
    Ok(found)
}
