//! What a list of documents asks for.

use super::Document;

/// Conditions are all optional and joined by AND. Texts compare without regard to the case of ASCII letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// A part of the name.
    pub name_contains: Option<String>,
    /// The status.
    pub status: Option<String>,
    /// The monitor type.
    pub monitoring_type: Option<String>,
    /// The endpoint.
    pub endpoint: Option<String>,
    /// The job definition.
    pub definition: Option<String>,
    /// The schedule.
    pub schedule: Option<String>,
    /// Any of these statuses; none: no condition.
    pub statuses: Vec<String>,
    /// When it was made.
    pub created: Range,
    /// When it was changed last.
    pub modified: Range,
    /// The time that it was scheduled for.
    pub scheduled: Range,
    /// What the key begins with, byte for byte.
    pub key_prefix: Option<String>,
    /// The order.
    pub sort_by: SortBy,
    /// The order backwards, ties included.
    pub descending: bool,
    /// Only what stands behind this position in the order.
    pub after: Option<Position>,
    /// The most documents; 0: no limit.
    pub limit: usize,
}

/// Times strictly between two bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Later than this.
    pub after: Option<i64>,
    /// Earlier than this.
    pub before: Option<i64>,
}

/// What a list is sorted by; documents with equal values are in the order of their keys. Texts sort without regard to
/// the case of ASCII letters, keys as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// The name.
    Name,
    /// When it was made.
    Created,
    /// When it was changed last.
    Modified,
    /// The time that it was scheduled for.
    Scheduled,
    /// The status.
    Status,
    /// The key.
    #[default]
    Key,
}

impl SortBy {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Scheduled => "scheduled",
            Self::Status => "status",
            Self::Key => "key",
        }
    }

    /// Whether the values are texts; else they are times.
    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Name | Self::Status | Self::Key)
    }
}

/// A place in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The value that is sorted by; times in decimal milliseconds.
    pub value: String,
    /// The document's key.
    pub key: String,
}

impl Position {
    /// Where a document stands in a list with this order.
    pub fn of(document: &Document, sort_by: SortBy) -> Self {
        let columns = &document.columns;
        let value = match sort_by {
            SortBy::Name => columns.name.clone(),
            SortBy::Created => columns.created.to_string(),
            SortBy::Modified => columns.modified.to_string(),
            SortBy::Scheduled => columns.scheduled.to_string(),
            SortBy::Status => columns.status.clone(),
            SortBy::Key => document.key.clone(),
        };
        Self { value, key: document.key.clone() }
    }
}
