//! Objects of the service that a configuration names as `s3://…`, fetched into a folder that goes with the analysis.

use std::borrow::Cow;
use std::path::Path;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use tempfile::TempDir;
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::{encode, encode_path};
use watchkeeper_aws::xml;
use watchkeeper_formats::ServiceAccess;

use super::error::refused;
use crate::Error;

/// Fetches an object, or all objects below a prefix, in the order of their keys.
pub(super) fn fetch(service: &ServiceAccess, member: &str, uri: &str) -> Result<TempDir, Error> {
    let failed = |reason: String| refused(format!("{member}: {uri} cannot be fetched: {reason}"));
    let (bucket, key) =
        uri.trim_start_matches("s3://").split_once('/').unwrap_or((uri.trim_start_matches("s3://"), ""));
    if bucket.is_empty() {
        return Err(failed("it names no bucket".to_owned()));
    }
    let folder = tempfile::Builder::new().prefix("watchkeeper-objects-").tempdir();
    let folder = folder.map_err(|source| Error::Output { path: std::env::temp_dir(), source })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let client = crate::service::client(service).map_err(|error| failed(error.to_string()))?;
    let bucket = Bucket { client, name: bucket };
    runtime.block_on(bucket.fetch(key, folder.path())).map_err(failed)?;
    Ok(folder)
}

struct Bucket<'a> {
    client: Client,
    name: &'a str,
}

impl Bucket<'_> {
    async fn fetch(&self, key: &str, folder: &Path) -> Result<(), String> {
        if !key.is_empty() && !key.ends_with('/') {
            let object = self.get(&format!("/{}", encode_path(key))).await?;
            if object.status().is_success() {
                let name = key.rsplit('/').next().unwrap_or(key);
                return save(&folder.join(name), object.body());
            }
            if object.status() != StatusCode::NOT_FOUND {
                return Err(refusal(&object));
            }
        }
        let keys = self.list(key).await?;
        if keys.is_empty() {
            return Err("there is no object of this key or below this prefix".to_owned());
        }
        for (place, found) in keys.iter().enumerate().filter(|(_, found)| !found.ends_with('/')) {
            let object = self.get(&format!("/{}", encode_path(found))).await?;
            if !object.status().is_success() {
                return Err(refusal(&object));
            }
            // Names of their own, as keys may be longer than names of files; names that are to be skipped stay such.
            let name = found.rsplit('/').next().unwrap_or(found);
            if name.starts_with(['.', '_']) {
                continue;
            }
            let extension = if name.to_ascii_lowercase().ends_with(".gz") { ".gz" } else { "" };
            save(&folder.join(format!("{place:08}{extension}")), object.body())?;
        }
        Ok(())
    }

    /// The keys below a prefix, in order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, String> {
        let mut keys = Vec::new();
        let mut continuation: Option<String> = None;
        loop {
            // In the order that a signature has them in.
            let token = continuation.map(|token| format!("continuation-token={}&", encode(token.as_bytes())));
            let prefix = encode(prefix.as_bytes());
            let page = self.get(&format!("?{}list-type=2&prefix={prefix}", token.unwrap_or_default())).await?;
            if !page.status().is_success() {
                return Err(refusal(&page));
            }
            let text = String::from_utf8_lossy(page.body());
            keys.extend(xml::texts(&text, "Key").map(Cow::into_owned));
            continuation = xml::text(&text, "NextContinuationToken").map(Cow::into_owned);
            if continuation.is_none() {
                keys.sort();
                return Ok(keys);
            }
        }
    }

    async fn get(&self, path_and_query: &str) -> Result<Response<Bytes>, String> {
        let path = format!("/{}{path_and_query}", self.name);
        self.client.request(Method::GET, &path, &[], Bytes::new(), "s3").await.map_err(|error| error.to_string())
    }
}

fn save(path: &Path, content: &[u8]) -> Result<(), String> {
    std::fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

fn refusal(response: &Response<Bytes>) -> String {
    let text = String::from_utf8_lossy(response.body());
    match (xml::text(&text, "Code"), xml::text(&text, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => format!("the answer has status {}", response.status().as_u16()),
    }
}
