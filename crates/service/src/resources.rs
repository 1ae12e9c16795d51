//! Typed documents over the metadata store: what is loaded, changed by `control`, and committed with its consequences in one
//! transaction.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use watchkeeper_store::metadata::{
    Change, Columns, CommitError, Datum, Document, Kind, MetadataStore, Position, Query,
};

/// A kind of document.
pub trait Resource: Serialize + DeserializeOwned + Send {
    /// The table it lives in.
    const KIND: Kind;

    /// Its key: unique in its table, in lower case where names are looked up without regard to case.
    fn key(&self) -> String;

    /// What lists filter and sort by.
    fn columns(&self) -> Columns;
}

/// A document as it was read: the version says what a change may replace.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The document.
    pub resource: T,
    /// The version that was read.
    pub version: i64,
}

/// Why something could not be loaded or committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else changed or created the document in the meantime.
    #[error("`{key}` was changed by somebody else")]
    Conflict {
        /// Its table.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] watchkeeper_store::Error),
    /// A document is not what this version of the program writes.
    #[error("the stored document `{key}` cannot be read")]
    Unreadable {
        /// Its key.
        key: String,
        /// What serde says.
        source: serde_json::Error,
    },
}

/// Documents of a list that is read piece by piece.
pub struct Page<T> {
    /// Those that can be read.
    pub found: Vec<Versioned<T>>,
    /// Where to read on; none at the end.
    pub next: Option<Position>,
}

/// Changes that become true together or not at all.
#[derive(Default)]
pub struct Transaction {
    changes: Vec<Change>,
}

impl Transaction {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new document; committing fails with [`Error::Conflict`] when its key is taken.
    #[must_use]
    pub fn insert<T: Resource>(mut self, resource: &T) -> Self {
        self.changes.push(Change::Insert(document(resource, 0)));
        self
    }

    /// A new state of a document that was read at `version`.
    #[must_use]
    pub fn update<T: Resource>(mut self, resource: &T, version: i64) -> Self {
        self.changes.push(Change::Update(document(resource, version)));
        self
    }

    /// A new state of a document whose claim its owner keeps until `until`.
    #[must_use]
    pub fn update_claimed<T: Resource>(mut self, resource: &T, version: i64, owner: &str, until: i64) -> Self {
        let mut document = document(resource, version);
        owner.clone_into(&mut document.columns.claimed_by);
        document.columns.claimed_until = until;
        self.changes.push(Change::Update(document));
        self
    }

    /// The end of a document that was read at `version`.
    #[must_use]
    pub fn delete<T: Resource>(mut self, resource: &T, version: i64) -> Self {
        self.changes.push(Change::Delete { kind: T::KIND, key: resource.key(), version });
        self
    }

    /// Metric data.
    #[must_use]
    pub fn metrics(mut self, data: Vec<Datum>) -> Self {
        if !data.is_empty() {
            self.changes.push(Change::PutMetrics(data));
        }
        self
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The documents.
#[derive(Clone)]
pub struct Resources {
    store: Arc<dyn MetadataStore>,
}

impl Resources {
    /// Those of a store.
    pub fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self { store }
    }

    /// The store below, for what is no document.
    pub fn store(&self) -> &dyn MetadataStore {
        self.store.as_ref()
    }

    /// One document, or None.
    pub async fn get<T: Resource>(&self, key: &str) -> Result<Option<Versioned<T>>, Error> {
        self.store.get(T::KIND, key).await?.map(|document| read(&document)).transpose()
    }

    /// Those that meet a query.
    pub async fn list<T: Resource>(&self, query: &Query) -> Result<Vec<Versioned<T>>, Error> {
        self.store.list(T::KIND, query).await?.iter().map(read).collect()
    }

    /// Those of a query with a limit that can be read: one that cannot must not keep others from being looked at.
    pub async fn page<T: Resource>(&self, query: &Query) -> Result<Page<T>, Error> {
        let documents = self.store.list(T::KIND, query).await?;
        let last = documents.last().filter(|_| documents.len() == query.limit);
        let next = last.map(|last| Position::of(last, query.sort_by));
        Ok(Page { found: readable(&documents), next })
    }

    /// Claims up to `limit` documents that are due at `now` until `until`; no other owner gets them before that.
    pub async fn claim<T: Resource>(
        &self,
        statuses: &[&str],
        owner: &str,
        now: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let documents = self.store.claim(T::KIND, statuses, owner, until, now, limit).await?;
        // One that cannot be read must not keep the others from being worked on; it comes again when its claim runs out.
        Ok(readable(&documents))
    }

    /// The earliest moment a document of this kind is due at, claimed or not.
    pub async fn next_due<T: Resource>(&self) -> Result<Option<i64>, Error> {
        Ok(self.store.next_due(T::KIND).await?)
    }

    /// Makes a transaction true.
    pub async fn commit(&self, transaction: Transaction) -> Result<(), Error> {
        if transaction.changes.is_empty() {
            return Ok(());
        }
        self.store.commit(transaction.changes).await.map_err(|error| match error {
            CommitError::Conflict { kind, key } => Error::Conflict { kind, key },
            CommitError::Failed(error) => Error::Store(error),
        })
    }
}

fn document<T: Resource>(resource: &T, version: i64) -> Document {
    let body = serde_json::to_string(resource).expect("documents have text keys and finite numbers");
    Document { kind: T::KIND, key: resource.key(), version, columns: resource.columns(), body }
}

/// Those of some documents that can be read.
fn readable<T: Resource>(documents: &[Document]) -> Vec<Versioned<T>> {
    let left_alone = |error: &Error| tracing::error!(%error, "a document is left alone");
    documents.iter().filter_map(|document| read(document).inspect_err(left_alone).ok()).collect()
}

fn read<T: Resource>(document: &Document) -> Result<Versioned<T>, Error> {
    let resource = serde_json::from_str(&document.body)
        .map_err(|source| Error::Unreadable { key: document.key.clone(), source })?;
    Ok(Versioned { resource, version: document.version })
}
