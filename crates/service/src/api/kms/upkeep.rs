//! What becomes due for keys by itself: their rotation, and the end of those that were scheduled for deletion.
//!
//! It is done by a part of the service, and by whoever looks for a key before that: nobody meets a key that should be
//! rotated, or gone.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_store::metadata::{Query, SortBy};

use super::TRIES;
use super::encrypting::DeletedKey;
use super::key::{Alias, Key};
use crate::Context;
use crate::control::milliseconds;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How often keys are looked at. A key's periods are days.
const PAUSE: Duration = Duration::from_mins(1);
/// Keys that are looked at in one step.
const MOST_IN_A_STEP: usize = 100;

/// Does what is due until the service stops.
pub(crate) async fn run(context: Arc<Context>) {
    let mut stopping = context.stopping.clone();
    while !*stopping.borrow() {
        if let Err(error) = keep_all_up(&context).await {
            tracing::warn!(%error, "what is due for encryption keys is tried again in a minute");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = async { let _ = stopping.wait_for(|stopping| *stopping).await; } => return,
        }
    }
}

/// Does what is due for all keys.
async fn keep_all_up(context: &Context) -> Result<(), Error> {
    if context.resources.next_due::<Key>().await?.is_none_or(|due| due > context.now().as_millisecond()) {
        return Ok(());
    }
    let mut query = Query { sort_by: SortBy::Key, limit: MOST_IN_A_STEP, ..Query::default() };
    loop {
        let page = context.resources.page::<Key>(&query).await?;
        for key in page.found {
            kept_up(context, key).await?;
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}

/// The end of a key, with its material and aliases. Its names are remembered: what was to be encrypted by it is refused.
async fn deletion(context: &Context, key: &Key, version: i64) -> Result<Transaction, Error> {
    let mut transaction = Transaction::new().delete(key, version);
    let mut names = vec![key.id.clone()];
    let aliases = Query { definition: Some(key.id.clone()), ..Query::default() };
    for alias in context.resources.list::<Alias>(&aliases).await? {
        transaction = transaction.delete(&alias.resource, alias.version);
        names.push(alias.resource.name);
    }
    let now = milliseconds(context.now());
    for name in names {
        // The name of an alias may have been that of a key that is gone already.
        if context.resources.get::<DeletedKey>(&DeletedKey::key_of(&name)).await?.is_none() {
            transaction = transaction.insert(&DeletedKey::new(&name, now));
        }
    }
    Ok(transaction)
}

/// A key once what is due for it is done; None where that was its end: with its materials and aliases.
pub(super) async fn kept_up(context: &Context, found: Versioned<Key>) -> Result<Option<Versioned<Key>>, Error> {
    let mut found = found;
    for _ in 0..TRIES {
        let Versioned { resource: mut key, version } = found.clone();
        let now = context.now();
        let is_gone = key.is_gone(now);
        let transaction = if is_gone {
            deletion(context, &key, version).await?
        } else if key.rotate_where_due(now) {
            Transaction::new().update(&key, version)
        } else {
            return Ok(Some(found));
        };
        match context.resources.commit(transaction).await {
            Ok(()) if is_gone => return Ok(None),
            // Somebody else has seen that its time has come, too, or was changing it.
            Ok(()) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        match context.resources.get::<Key>(&key.id).await? {
            Some(again) => found = again,
            None => return Ok(None),
        }
    }
    Err(Error::Conflict { kind: Key::KIND, key: found.resource.id })
}
