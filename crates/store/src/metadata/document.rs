//! Documents and changes of them.

use super::Datum;
use crate::Error;

/// What a document is; each kind has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A model.
    Model,
    /// An endpoint's configuration.
    EndpointConfig,
    /// An endpoint.
    Endpoint,
    /// A processing job.
    ProcessingJob,
    /// A batch transform job.
    TransformJob,
    /// An asynchronous invocation of an endpoint.
    AsyncInvocation,
    /// A job definition of any monitor type.
    JobDefinition,
    /// A monitoring schedule.
    MonitoringSchedule,
    /// A tick of a schedule with its outcome.
    Execution,
    /// A monitoring alert.
    Alert,
    /// A change of state of a monitoring alert.
    AlertChange,
    /// A metric alarm.
    Alarm,
    /// A change of state of a metric alarm.
    AlarmChange,
    /// A metrics dashboard.
    Dashboard,
    /// A repository of images.
    Repository,
    /// An access key. Its secret should be sealed by [`crate::keys::Keys`].
    AccessKey,
    /// A KMS key. The document's key is the key's id, and its material is usable while its status is `Enabled`; see
    /// [`crate::keys`].
    EncryptionKey,
    /// An alias of a KMS key.
    KeyAlias,
    /// A setting of the service.
    Setting,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Model,
        Self::EndpointConfig,
        Self::Endpoint,
        Self::ProcessingJob,
        Self::TransformJob,
        Self::AsyncInvocation,
        Self::JobDefinition,
        Self::MonitoringSchedule,
        Self::Execution,
        Self::Alert,
        Self::AlertChange,
        Self::Alarm,
        Self::AlarmChange,
        Self::Dashboard,
        Self::Repository,
        Self::AccessKey,
        Self::EncryptionKey,
        Self::KeyAlias,
        Self::Setting,
    ];

    /// The kind's table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::EndpointConfig => "endpoint_configs",
            Self::Endpoint => "endpoints",
            Self::ProcessingJob => "processing_jobs",
            Self::TransformJob => "transform_jobs",
            Self::AsyncInvocation => "async_invocations",
            Self::JobDefinition => "job_definitions",
            Self::MonitoringSchedule => "monitoring_schedules",
            Self::Execution => "executions",
            Self::Alert => "alerts",
            Self::AlertChange => "alert_changes",
            Self::Alarm => "alarms",
            Self::AlarmChange => "alarm_changes",
            Self::Dashboard => "dashboards",
            Self::Repository => "repositories",
            Self::AccessKey => "access_keys",
            Self::EncryptionKey => "encryption_keys",
            Self::KeyAlias => "key_aliases",
            Self::Setting => "settings",
        }
    }
}

/// One document. Columns are what lists filter and sort by; the body is JSON text and is opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its name among its kind; compared as bytes.
    pub key: String,
    /// Counts its changes: 1 when it is inserted, one more with each update and each claim.
    pub version: i64,
    /// What lists filter and sort by.
    pub columns: Columns,
    /// The resource as JSON.
    pub body: String,
}

/// The columns of a document. Times are milliseconds since 1970 in UTC; an empty text and 0 stand for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Columns {
    /// The resource's name.
    pub name: String,
    /// The resource's status.
    pub status: String,
    /// The monitor type.
    pub monitoring_type: String,
    /// The name of the endpoint that it belongs to.
    pub endpoint: String,
    /// The name of the job definition that it belongs to.
    pub definition: String,
    /// The name of the schedule that it belongs to.
    pub schedule: String,
    /// When it was made.
    pub created: i64,
    /// When it was changed last.
    pub modified: i64,
    /// The time that it was scheduled for.
    pub scheduled: i64,
    /// When somebody has to look at it next.
    pub due: Option<i64>,
    /// Who does so now.
    pub claimed_by: String,
    /// Until when nobody else may.
    pub claimed_until: i64,
}

/// A change that [`super::MetadataStore::commit`] makes.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new document, stored with version 1; a conflict if its key exists.
    Insert(Document),
    /// A changed document. Its version is the one that was read; a conflict if the stored one is another. It is stored
    /// with that version plus one.
    Update(Document),
    /// No document any more; a conflict if its version is another, or it is gone.
    Delete {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
        /// The version that was read.
        version: i64,
    },
    /// Data of metrics. Namespaces lose a leading slash.
    PutMetrics(Vec<Datum>),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A document is not in the state that was read.
    #[error("{} {key} was changed by somebody else", kind.table())]
    Conflict {
        /// What it is.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}
