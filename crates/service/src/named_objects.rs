//! Objects that a request names, by a prefix or by a manifest. Inputs of processing and of transform jobs are named alike.

use serde::Deserialize;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{ListObjects, ObjectInfo, Objects, read_all};

/// Objects of one page of a listing.
const PAGE: usize = 1000;
/// The most bytes of a manifest.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// The objects whose keys begin with a prefix, in the order of their keys; none where there is no such bucket.
///
/// # Errors
/// The store failed.
pub(crate) async fn below_prefix(objects: &dyn Objects, uri: &S3Uri) -> Result<Vec<ObjectInfo>, Error> {
    let mut found = Vec::new();
    let mut list =
        ListObjects { bucket: uri.bucket.clone(), prefix: uri.key.clone(), limit: PAGE, ..ListObjects::default() };
    loop {
        let page = match objects.list(&list).await {
            Err(Error::NoSuchBucket(_)) => return Ok(found),
            other => other?,
        };
        // A key with a slash at its end is how consoles make a folder.
        found.extend(page.objects.into_iter().filter(|object| !object.key.ends_with('/')));
        match page.next {
            Some(next) => list.start_after = Some(next),
            None => return Ok(found),
        }
    }
}

/// A list of objects, as jobs read and write them.
pub(crate) struct Manifest {
    /// What all addresses begin with.
    pub(crate) prefix: String,
    /// What is behind the prefix, and the address; at least one.
    pub(crate) entries: Vec<(String, S3Uri)>,
}

/// An element of a manifest: the first is the prefix of the others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Prefix { prefix: String },
    Name(String),
}

/// The manifest at an address. Whether its objects are there is not looked at.
///
/// # Errors
/// What is wrong with it, to be put behind `manifest <address> `.
pub(crate) async fn manifest(objects: &dyn Objects, uri: &S3Uri) -> Result<Manifest, String> {
    let (info, body) = match objects.get(&uri.bucket, &uri.key, None).await {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::NoSuchBucket(_)) => return Err("is not there".to_owned()),
        Err(error) => return Err(format!("could not be read: {error}")),
    };
    if info.size > LARGEST_MANIFEST {
        return Err(format!("has {} bytes, more than {LARGEST_MANIFEST}", info.size));
    }
    let text = read_all(body).await.map_err(|error| format!("could not be read: {error}"))?;
    let elements: Vec<Element> = serde_json::from_slice(&text).map_err(|error| {
        format!("is not a JSON list such as [{{\"prefix\": \"s3://bucket/folder/\"}}, \"name\"]: {error}")
    })?;
    let mut elements = elements.into_iter();
    let Some(Element::Prefix { prefix }) = elements.next() else {
        return Err("does not begin with {\"prefix\": \"s3://…\"}".to_owned());
    };
    let mut entries = Vec::new();
    for element in elements {
        let Element::Name(name) = element else { return Err("has more than one prefix".to_owned()) };
        let address = format!("{prefix}{name}").parse().map_err(|error| format!("names {error}"))?;
        entries.push((name, address));
    }
    if entries.is_empty() {
        return Err("names no object".to_owned());
    }
    Ok(Manifest { prefix, entries })
}
