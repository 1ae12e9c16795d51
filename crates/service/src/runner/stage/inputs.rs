//! Which objects an input names.

use std::path::PathBuf;

use watchkeeper_aws::generated::sagemaker::{
    ProcessingInput, ProcessingS3CompressionType, ProcessingS3DataDistributionType, ProcessingS3DataType,
    ProcessingS3InputMode,
};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{ObjectInfo, Objects};

use super::layout::{below, local_path, relative_path};
use crate::named_objects;
use crate::runner::Failure;

/// An object and the file it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) size: u64,
    /// Relative to the job's root.
    pub(super) path: PathBuf,
    /// Whether it has to be decompressed.
    pub(super) compressed: bool,
}

impl Object {
    pub(super) fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Whether the objects are shared out among the instances.
pub(super) fn is_sharded(input: &ProcessingInput) -> bool {
    input.s3_input.as_ref().and_then(|input| input.s3_data_distribution_type)
        == Some(ProcessingS3DataDistributionType::ShardedByS3Key)
}

/// The input's folder, relative to the job's root, and its objects in the order of their keys or of the manifest. None for
/// inputs that the program fetches itself.
pub(super) async fn objects_of(
    objects: &dyn Objects,
    input: &ProcessingInput,
    role: &str,
    region: &str,
) -> Result<Option<(PathBuf, Vec<Object>)>, Failure> {
    let what = format!("input `{}`", input.input_name);
    if input.dataset_definition.is_some() {
        return Err(Failure(format!("{what}: DatasetDefinition is not supported, use S3Input")));
    }
    let Some(source) = &input.s3_input else { return Ok(None) };
    if input.app_managed == Some(true) {
        return Ok(None);
    }
    if source.s3_input_mode == Some(ProcessingS3InputMode::Pipe) {
        return Err(Failure(format!("{what}: S3InputMode Pipe is not supported, use File")));
    }
    let Some(local) = source.local_path.as_deref().filter(|path| !path.is_empty()) else {
        return Err(Failure(format!("{what}: LocalPath is needed unless AppManaged is true")));
    };
    let folder = local_path(local, &what)?;
    let uri: S3Uri = source.s3_uri.parse().map_err(|error| Failure(format!("{what}: {error}")))?;
    let named = match source.s3_data_type {
        ProcessingS3DataType::S3Prefix => of_prefix(objects, &uri, role, region).await?,
        ProcessingS3DataType::ManifestFile => of_manifest(objects, &uri, &what).await?,
    };
    let compressed = source.s3_compression_type == Some(ProcessingS3CompressionType::Gzip);
    let named = named.into_iter().map(|(bucket, info, rest)| {
        let uri = format!("s3://{bucket}/{}", info.key);
        // What was decompressed is no longer what its name says.
        let rest = rest.strip_suffix(".gz").filter(|_| compressed).unwrap_or(&rest);
        let path = folder.join(relative_path(rest, &uri)?);
        Ok(Object { bucket, key: info.key, size: info.size, path, compressed })
    });
    let named = named.collect::<Result<Vec<_>, Failure>>()?;
    Ok(Some((folder, named)))
}

/// Bucket, object, and what remains of its key below the input's folder.
type Named = (String, ObjectInfo, String);

async fn of_prefix(objects: &dyn Objects, uri: &S3Uri, role: &str, region: &str) -> Result<Vec<Named>, Failure> {
    let found = named_objects::below_prefix(objects, uri).await;
    let found = found.map_err(|error| Failure(format!("{uri} could not be listed: {error}")))?;
    if found.is_empty() {
        return Err(Failure(format!(
            "No S3 objects found under S3 URL \"{uri}\" given in input data source. Please ensure that the bucket exists \
             in the selected region ({region}), that objects exist under that S3 prefix, and that the role \"{role}\" has \
             \"s3:ListBucket\" permissions on bucket \"{}\".",
            uri.bucket
        )));
    }
    let named = found.into_iter().map(|object| {
        let rest = below(&object.key, &uri.key).to_owned();
        (uri.bucket.clone(), object, rest)
    });
    Ok(named.collect())
}

async fn of_manifest(objects: &dyn Objects, uri: &S3Uri, what: &str) -> Result<Vec<Named>, Failure> {
    let refused = |reason: String| Failure(format!("{what}: manifest {uri} {reason}"));
    let manifest = named_objects::manifest(objects, uri).await.map_err(refused)?;
    let mut found = Vec::new();
    for (name, object) in manifest.entries {
        let info = match objects.head(&object.bucket, &object.key).await {
            Ok(Some(info)) => info,
            Ok(None) | Err(Error::NoSuchBucket(_)) => {
                return Err(refused(format!("names {object}, which is not there")));
            }
            Err(error) => return Err(refused(format!("names {object}, which could not be read: {error}"))),
        };
        let rest = if name.trim_matches('/').is_empty() { below(&object.key, &object.key).to_owned() } else { name };
        found.push((object.bucket, info, rest));
    }
    Ok(found)
}
