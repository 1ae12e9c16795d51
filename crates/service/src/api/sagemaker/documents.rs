//! What all operations do with documents: load, list, change, and try again when somebody else was faster.

use watchkeeper_aws::Error;

use crate::api::failure::internal;
use crate::context::Context;
use crate::control::listing::Page;
use crate::resources::{self, Resource, Transaction, Versioned};

/// How often an operation is tried. Each try fails only when another operation on the same documents succeeded, so this
/// is the number of operations on one document that may be under way at once.
const TRIES: usize = 100;

/// Why a try of an operation did not succeed.
pub(super) enum Refusal {
    /// The answer is an error.
    Answer(Error),
    /// A document was changed between loading and committing.
    Conflict,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

impl From<resources::Error> for Refusal {
    fn from(error: resources::Error) -> Self {
        match error {
            resources::Error::Conflict { .. } => Self::Conflict,
            error => Self::Answer(internal(&error)),
        }
    }
}

/// Tries an operation until its commit meets the documents that it had loaded.
pub(super) async fn retrying<T, F: Future<Output = Result<T, Refusal>>>(
    mut operation: impl FnMut() -> F,
) -> Result<T, Error> {
    for _ in 0..TRIES {
        match operation().await {
            Ok(answer) => return Ok(answer),
            Err(Refusal::Answer(error)) => return Err(error),
            Err(Refusal::Conflict) => tokio::task::yield_now().await,
        }
    }
    Err(Error::throttling("Too many requests change the same resource at the same time; try again"))
}

/// A document by its key.
pub(super) async fn find<T: Resource>(context: &Context, key: &str) -> Result<Option<Versioned<T>>, Error> {
    context.resources.get(key).await.map_err(|error| internal(&error))
}

/// One page of a list, and the token of the next.
pub(super) async fn list<T: Resource>(context: &Context, page: &Page) -> Result<(Vec<T>, Option<String>), Error> {
    let found = context.resources.list(page.query()).await.map_err(|error| internal(&error))?;
    Ok(page.cut(found))
}

/// A document with the claim that somebody may hold on it.
pub(super) struct Claimed<T> {
    resource: T,
    version: i64,
    owner: String,
    until: i64,
}

impl<T: Resource> Claimed<T> {
    /// The document of a key.
    pub(super) async fn find(context: &Context, key: &str) -> Result<Option<Self>, Refusal> {
        let Some(document) = context.resources.store().get(T::KIND, key).await.map_err(resources::Error::from)? else {
            return Ok(None);
        };
        let resource = serde_json::from_str(&document.body)
            .map_err(|source| resources::Error::Unreadable { key: document.key, source })?;
        let columns = document.columns;
        Ok(Some(Self { resource, version: document.version, owner: columns.claimed_by, until: columns.claimed_until }))
    }

    /// The document.
    pub(super) fn resource(&self) -> &T {
        &self.resource
    }

    /// The version that was read.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Whether somebody has claimed it.
    pub(super) fn is_claimed(&self) -> bool {
        !self.owner.is_empty()
    }

    /// A new state of the document, whose claim stays: what a runner works on does not become another's.
    pub(super) fn update(&self, transaction: Transaction, resource: &T) -> Transaction {
        transaction.update_claimed(resource, self.version, &self.owner, self.until)
    }
}
