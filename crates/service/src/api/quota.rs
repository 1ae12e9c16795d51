//! How many of a kind there may be: everything that a client can make is bounded.

use watchkeeper_aws::Error;
use watchkeeper_store::metadata::{Kind, Query};

use super::failure;
use crate::Context;

/// Refuses one more when there are as many as there may be. Two at the same moment may both pass: it is a bound, not a
/// count.
pub(crate) async fn one_more(context: &Context, kind: Kind, most: u64, code: &str) -> Result<(), Error> {
    let count =
        context.resources.store().count(kind, &Query::default()).await.map_err(|error| failure::internal(&error))?;
    if count < most {
        Ok(())
    } else {
        Err(Error::new(code, format!("There are {count} already, which is the limit of {most}")))
    }
}
