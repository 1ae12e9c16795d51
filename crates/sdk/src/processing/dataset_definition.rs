//! Inputs that are answers to queries.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{S3DataDistributionType, S3InputMode};
use crate::request::setters;

/// A dataset that a query makes when the job starts.
///
/// ```
/// use watchkeeper::processing::{AthenaDatasetDefinition, DatasetDefinition, ProcessingInput};
///
/// let query = AthenaDatasetDefinition::new()
///     .catalog("AwsDataCatalog")
///     .database("sales")
///     .query_string("SELECT * FROM orders")
///     .output_s3_uri("s3://bucket/answers")
///     .output_format("PARQUET");
/// let definition = DatasetDefinition::athena(query).local_path("/opt/ml/processing/input/orders");
/// let input = ProcessingInput::from_dataset_definition(definition).input_name("orders");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct DatasetDefinition {
    /// What each machine gets of it; [`S3DataDistributionType::ShardedByS3Key`] when the service is told nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_distribution_type: Option<S3DataDistributionType>,
    /// How the job gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_mode: Option<S3InputMode>,
    /// The folder of the job it is put into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path: Option<String>,
    /// A query of Redshift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redshift_dataset_definition: Option<RedshiftDatasetDefinition>,
    /// A query of Athena.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub athena_dataset_definition: Option<AthenaDatasetDefinition>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A query of Redshift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct RedshiftDatasetDefinition {
    /// The cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_user: Option<String>,
    /// The query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_string: Option<String>,
    /// The role of the cluster that writes the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_role_arn: Option<String>,
    /// Where the answer is put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_s3_uri: Option<String>,
    /// The key the answer is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// `PARQUET` or `CSV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    /// `None`, `GZIP`, `SNAPPY`, `ZSTD` or `BZIP2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_compression: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A query of Athena.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct AthenaDatasetDefinition {
    /// The catalogue of data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// The database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_string: Option<String>,
    /// Where the answer is put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_s3_uri: Option<String>,
    /// The work group that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_group: Option<String>,
    /// The key the answer is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// `PARQUET`, `ORC`, `AVRO`, `JSON` or `TEXTFILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    /// `GZIP`, `SNAPPY` or `ZLIB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_compression: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl DatasetDefinition {
    /// A query of Athena, shared out by objects, as files.
    pub fn athena(definition: AthenaDatasetDefinition) -> Self {
        Self { athena_dataset_definition: Some(definition), ..Self::of_files() }
    }

    /// A query of Redshift, shared out by objects, as files.
    pub fn redshift(definition: RedshiftDatasetDefinition) -> Self {
        Self { redshift_dataset_definition: Some(definition), ..Self::of_files() }
    }

    fn of_files() -> Self {
        Self {
            data_distribution_type: Some(S3DataDistributionType::ShardedByS3Key),
            input_mode: Some(S3InputMode::File),
            ..Self::default()
        }
    }

    setters! {
        /// What each machine gets of it.
        data_distribution_type: S3DataDistributionType,
        /// How the job gets it.
        input_mode: S3InputMode,
        /// The folder of the job it is put into.
        local_path: String,
    }
}

impl RedshiftDatasetDefinition {
    /// A query that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The cluster.
        cluster_id: String,
        /// The database.
        database: String,
        /// Who asks.
        db_user: String,
        /// The query.
        query_string: String,
        /// The role of the cluster that writes the answer.
        cluster_role_arn: String,
        /// Where the answer is put.
        output_s3_uri: String,
        /// The key the answer is encrypted with.
        kms_key_id: String,
        /// `PARQUET` or `CSV`.
        output_format: String,
        /// `None`, `GZIP`, `SNAPPY`, `ZSTD` or `BZIP2`.
        output_compression: String,
    }
}

impl AthenaDatasetDefinition {
    /// A query that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The catalogue of data.
        catalog: String,
        /// The database.
        database: String,
        /// The query.
        query_string: String,
        /// Where the answer is put.
        output_s3_uri: String,
        /// The work group that asks.
        work_group: String,
        /// The key the answer is encrypted with.
        kms_key_id: String,
        /// `PARQUET`, `ORC`, `AVRO`, `JSON` or `TEXTFILE`.
        output_format: String,
        /// `GZIP`, `SNAPPY` or `ZLIB`.
        output_compression: String,
    }
}
