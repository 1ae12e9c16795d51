//! Changes of documents, each a compare-and-swap.

use super::{Change, CommitError, Document, Kind, metrics, statement};
use crate::sql::{Dialect, SqlConnection, Statement, json};

/// The kind of the document that is changed.
pub(super) fn kind(change: &Change) -> Option<Kind> {
    document_of(change).map(|(kind, _)| kind)
}

/// Whether a change adds something that is asked for, and not noted down.
pub(super) fn only_adds(change: &Change) -> bool {
    match change {
        Change::Insert(document) => !matches!(document.kind, Kind::Execution | Kind::Setting | Kind::AccessKey),
        Change::PutMetrics(_) => true,
        Change::Update(_) | Change::Delete { .. } => false,
    }
}

/// Makes all changes, in the order of their documents: others who change the same ones wait for each other, and never in
/// a circle. The conflict that is told is all the same the first in the caller's order.
pub(super) async fn apply_all(connection: &mut impl SqlConnection, changes: &[Change]) -> Result<(), CommitError> {
    let mut ordered: Vec<(usize, &Change)> = changes.iter().enumerate().collect();
    ordered.sort_by_key(|(_, change)| document_of(change).map_or((true, None), |document| (false, Some(document))));
    let mut first_conflict: Option<(usize, CommitError)> = None;
    for (place, change) in ordered {
        match apply(connection, change).await {
            Err(conflict @ CommitError::Conflict { .. }) => {
                if first_conflict.as_ref().is_none_or(|(first, _)| place < *first) {
                    first_conflict = Some((place, conflict));
                }
            }
            result => result?,
        }
    }
    first_conflict.map_or(Ok(()), |(_, conflict)| Err(conflict))
}

/// The document that is changed.
fn document_of(change: &Change) -> Option<(Kind, &str)> {
    match change {
        Change::Insert(document) | Change::Update(document) => Some((document.kind, &document.key)),
        Change::Delete { kind, key, .. } => Some((*kind, key)),
        Change::PutMetrics(_) => None,
    }
}

async fn apply(connection: &mut impl SqlConnection, change: &Change) -> Result<(), CommitError> {
    let (kind, key, change) = match change {
        Change::Insert(document) => {
            let insert = statement(include_str!("../sql/insert.sql"), document.kind);
            (document.kind, &document.key, bind(insert, document))
        }
        Change::Update(document) => {
            let update = statement(include_str!("../sql/update.sql"), document.kind);
            (document.kind, &document.key, bind(update, document).bind(document.version))
        }
        Change::Delete { kind, key, version } => {
            let delete = statement(include_str!("../sql/delete.sql"), *kind);
            (*kind, key, delete.bind(key.as_str()).bind(*version))
        }
        Change::PutMetrics(data) => {
            for datum in data {
                metrics::put(connection, datum).await?;
            }
            return Ok(());
        }
    };
    let changed = connection.execute(change).await?;
    if changed == 0 { Err(CommitError::Conflict { kind, key: key.clone() }) } else { Ok(()) }
}

/// Binds what `insert.sql` and `update.sql` have in common.
fn bind(statement: Statement, document: &Document) -> Statement {
    let columns = &document.columns;
    statement
        .bind(document.key.as_str())
        .bind(columns.name.as_str())
        .bind(columns.status.as_str())
        .bind(columns.monitoring_type.as_str())
        .bind(columns.endpoint.as_str())
        .bind(columns.definition.as_str())
        .bind(columns.schedule.as_str())
        .bind(columns.created)
        .bind(columns.modified)
        .bind(columns.scheduled)
        .bind(columns.due)
        .bind(columns.claimed_by.as_str())
        .bind(columns.claimed_until)
        .bind(document.body.as_str())
}

/// The statement that claims; it lacks until when, this moment, and the most documents.
pub(super) fn claim(dialect: Dialect, kind: Kind, statuses: &[&str], owner: &str) -> Statement {
    let claim = dialect.choose(include_str!("../sql/claim.sqlite.sql"), include_str!("../sql/claim.postgresql.sql"));
    let statuses: Vec<String> = statuses.iter().map(|status| status.to_ascii_lowercase()).collect();
    statement(claim, kind).bind(owner).bind(json(&statuses))
}
