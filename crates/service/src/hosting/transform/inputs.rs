//! Which objects a job transforms.

use watchkeeper_aws::generated::sagemaker::{S3DataType, TransformS3DataSource};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::Objects;

use super::Failure;
use crate::named_objects::{self, Manifest};

/// The objects of a job.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    /// What the addresses of all objects begin with.
    pub(super) prefix: String,
    /// What is behind the prefix, and where the results go.
    pub(super) objects: Vec<Object>,
}

/// An object that is transformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Its address.
    pub(super) uri: S3Uri,
    /// The address behind the prefix; empty where the prefix is the object itself.
    pub(super) name: String,
    /// The name of its result, without `.out`.
    pub(super) result: String,
}

/// The objects that a request names, in the order of their keys or of the manifest.
pub(super) async fn objects_of(
    objects: &dyn Objects,
    source: &TransformS3DataSource,
    region: &str,
) -> Result<Inputs, Failure> {
    let uri: S3Uri = source.s3_uri.parse().map_err(|error| Failure(format!("TransformInput: {error}")))?;
    match source.s3_data_type {
        S3DataType::S3Prefix => of_prefix(objects, &uri, region).await,
        S3DataType::ManifestFile => of_manifest(objects, &uri).await,
        other => Err(Failure(format!("S3DataType {other} is not supported, use S3Prefix or ManifestFile"))),
    }
}

async fn of_prefix(objects: &dyn Objects, uri: &S3Uri, region: &str) -> Result<Inputs, Failure> {
    let failed = |error: Error| Failure(format!("TransformInput: {uri} could not be listed: {error}"));
    if !uri.key.is_empty() && !uri.key.ends_with('/') {
        let itself = match objects.head(&uri.bucket, &uri.key).await {
            Err(Error::NoSuchBucket(_)) => None,
            other => other.map_err(failed)?,
        };
        if itself.is_some() {
            let result = uri.key.rsplit('/').next().unwrap_or(&uri.key).to_owned();
            let object = Object { uri: uri.clone(), name: String::new(), result };
            return Ok(Inputs { prefix: uri.to_string(), objects: vec![object] });
        }
    }
    let found = named_objects::below_prefix(objects, uri).await.map_err(failed)?;
    let keys: Vec<String> = found.into_iter().map(|object| object.key).collect();
    if keys.is_empty() {
        return Err(Failure(format!(
            "No S3 objects found under S3 URL \"{uri}\" given in input data source. Please ensure that the bucket exists \
             in the selected region ({region}) and that objects exist under that S3 prefix."
        )));
    }
    let folder = common_folder(&uri.key, &keys);
    let named = keys.iter().map(|key| {
        let name = key[folder.len()..].to_owned();
        let uri = S3Uri { bucket: uri.bucket.clone(), key: key.clone() };
        Object { uri, result: name.clone(), name }
    });
    Ok(Inputs { objects: named.collect(), prefix: format!("s3://{}/{folder}", uri.bucket) })
}

/// The folder whose names objects below a prefix have: the prefix where it is one, with or without its slash; else, where it
/// is the beginning of names, the folder that these are in.
fn common_folder(prefix: &str, keys: &[String]) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        return prefix.to_owned();
    }
    if keys.iter().all(|key| key[prefix.len()..].starts_with('/')) {
        return format!("{prefix}/");
    }
    prefix.rfind('/').map_or(String::new(), |slash| prefix[..=slash].to_owned())
}

async fn of_manifest(objects: &dyn Objects, uri: &S3Uri) -> Result<Inputs, Failure> {
    let manifest = named_objects::manifest(objects, uri).await;
    let Manifest { prefix, entries } =
        manifest.map_err(|reason| Failure(format!("TransformInput: manifest {uri} {reason}")))?;
    let named = entries.into_iter().map(|(name, uri)| Object { uri, result: result_name(&prefix, &name), name });
    Ok(Inputs { objects: named.collect(), prefix })
}

/// The name of the result of a manifest's entry. The prefix may be the object itself, or begin its name.
fn result_name(prefix: &str, name: &str) -> String {
    let begun = &prefix[prefix.rfind('/').map_or(0, |slash| slash + 1)..];
    match name.strip_prefix('/') {
        Some(name) if !begun.is_empty() => name.to_owned(),
        _ => format!("{begun}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_names() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        for (prefix, names, expected) in [
            ("", vec!["a.csv", "x/b.csv"], ""),
            ("in/", vec!["in/a.csv", "in//b.csv"], "in/"),
            ("in", vec!["in/a.csv", "in/x/b.csv"], "in/"),
            ("in", vec!["in/a.csv", "inner/b.csv"], ""),
            ("x/part", vec!["x/part-1", "x/part-2"], "x/"),
        ] {
            assert_eq!(common_folder(prefix, &keys(&names)), expected, "{prefix}");
        }
        for (prefix, name, expected) in [
            ("s3://b/in/", "x/a.csv", "x/a.csv"),
            ("s3://b/in/", "/a.csv", "/a.csv"),
            ("s3://b/in", "/a.csv", "a.csv"),
            ("s3://b/in/a.csv", "", "a.csv"),
            ("s3://b/in/part", "-1.csv", "part-1.csv"),
        ] {
            assert_eq!(result_name(prefix, name), expected, "{prefix} {name}");
        }
    }
}
