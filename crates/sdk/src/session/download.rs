//! Objects down to files of this machine: Python's `S3Downloader.download`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use http::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use watchkeeper_aws::signing::encode;
use watchkeeper_aws::types::S3Uri;

use super::objects::{Listed, Listing, ObjectRequest, PART_SIZE, PARTS_AT_ONCE};
use super::{Session, unique};
use crate::{Error, Result};

impl Session {
    /// Downloads the object at `from`, or all objects whose keys begin with its key, into `folder`, which is made when it is
    /// not there; gives the files. Keys below `from` become paths below `folder`. A file is replaced when all of it has come.
    ///
    /// # Errors
    /// What S3 refuses, [`Error::File`] when a file cannot be written, and [`Error::Argument`] for a key that would lead out of
    /// the folder, and for two that would be the same file: nothing is downloaded then.
    pub async fn download(&self, from: &S3Uri, folder: &Path) -> Result<Vec<PathBuf>> {
        let objects = self.list_below(from).await?;
        let mut wanted = Vec::new();
        let mut paths = HashMap::new();
        for Listed { key, size } in objects {
            // Consoles make an empty object to show a folder.
            if key.ends_with('/') && size == 0 {
                continue;
            }
            let path = folder.join(path_below(&from.key, &key)?);
            if let Some(other) = paths.insert(path.clone(), key.clone()) {
                let reason = format!("the keys {other:?} and {key:?} would be the same file, {}", path.display());
                return Err(Error::argument("from", reason));
            }
            wanted.push((path, key, size == 0));
        }
        let mut files = Vec::new();
        for (path, key, is_empty) in wanted {
            self.download_object(&S3Uri { bucket: from.bucket.clone(), key }, is_empty, &path).await?;
            files.push(path);
        }
        Ok(files)
    }

    async fn list_below(&self, uri: &S3Uri) -> Result<Vec<Listed>> {
        let bucket = S3Uri { bucket: uri.bucket.clone(), key: String::new() };
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let prefix = encode(uri.key.as_bytes());
            let query = format!("?list-type=2&prefix={prefix}&encoding-type=url{token}");
            let request = ObjectRequest { query, ..ObjectRequest::default() };
            let answer = self.object("ListObjectsV2", Method::GET, &bucket, request).await?;
            let page = Listing::read("ListObjectsV2", uri, answer.body())?;
            objects.extend(page.objects);
            match page.continuation_token {
                Some(next) if page.is_truncated => {
                    token = format!("&continuation-token={}", encode(next.as_bytes()));
                }
                _ => return Ok(objects),
            }
        }
    }

    /// Downloads an object to a file beside the wanted one, which then takes its place.
    async fn download_object(&self, uri: &S3Uri, is_empty: bool, path: &Path) -> Result<()> {
        let failed = |source| Error::File { path: path.to_owned(), reason: source };
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(failed)?;
        }
        let coming = path.with_file_name(format!(".{}.part", unique()));
        // Given up while the file is made, it is removed when it is there.
        let made = tokio::task::spawn_blocking(move || {
            let file = std::fs::File::create(&coming)?;
            Ok((Coming(coming), file))
        });
        let (coming, file) = made.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(failed)?;
        let mut file = tokio::fs::File::from_std(file);
        // No part can be asked of nothing.
        let headers = if is_empty { Vec::new() } else { vec![("range", range(0))] };
        let request = ObjectRequest { headers, ..ObjectRequest::default() };
        let answer = self.object("GetObject", Method::GET, uri, request).await?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let size = header("content-range").and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok());
        let etag = header("etag").unwrap_or_default().to_owned();
        file.write_all(answer.body()).await.map_err(failed)?;
        if let Some(size) = size.filter(|size| *size > answer.body().len() as u64) {
            self.fetch_other_parts(uri, size.div_ceil(PART_SIZE), &etag, &mut file, path).await?;
        }
        file.flush().await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        if size.is_some_and(|size| size != length) {
            let reason = format!("{length} bytes came of {}", size.unwrap_or_default());
            return Err(Error::Answer { operation: "GetObject", resource: uri.to_string(), reason });
        }
        drop(file);
        tokio::fs::rename(&coming.0, path).await.map_err(failed)
    }

    /// Fetches the parts of an object after the first, several at a time, and writes them in their order. An object that was
    /// replaced since the first part came is none of whose parts come.
    async fn fetch_other_parts(
        &self,
        uri: &S3Uri,
        count: u64,
        etag: &str,
        file: &mut tokio::fs::File,
        path: &Path,
    ) -> Result<()> {
        let failed = |source| Error::File { path: path.to_owned(), reason: source };
        // Dropped with its tasks when a part fails, or when this is given up.
        let mut on_their_way = JoinSet::new();
        let mut arrived: BTreeMap<u64, Bytes> = BTreeMap::new();
        let (mut asked, mut written) = (1, 1);
        while written < count {
            while asked < count && asked - written < PARTS_AT_ONCE as u64 {
                let (session, uri, number) = (self.clone(), uri.clone(), asked);
                let mut headers = vec![("range", range(number))];
                headers.extend((!etag.is_empty()).then(|| ("if-match", etag.to_owned())));
                let request = ObjectRequest { headers, ..ObjectRequest::default() };
                on_their_way.spawn(async move {
                    let answer = session.object("GetObject", Method::GET, &uri, request).await?;
                    Ok::<_, Error>((number, answer.into_body()))
                });
                asked += 1;
            }
            match on_their_way.join_next().await {
                Some(Ok(part)) => arrived.extend([part?]),
                Some(Err(error)) => return Err(failed(std::io::Error::other(error))),
                None => return Err(failed(std::io::Error::other("parts of the object are missing"))),
            }
            while let Some(part) = arrived.remove(&written) {
                file.write_all(&part).await.map_err(failed)?;
                written += 1;
            }
        }
        Ok(())
    }
}

/// The bytes of a part; those beyond the end of the object are not there and not missed.
fn range(number: u64) -> String {
    format!("bytes={}-{}", number * PART_SIZE, (number + 1) * PART_SIZE - 1)
}

/// A file that is not complete; removed unless it has got its name.
struct Coming(PathBuf);

impl Drop for Coming {
    fn drop(&mut self) {
        // Not there any more once it has its name.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where an object goes below the folder: its key behind the prefix; its name alone when the prefix is all of its key.
fn path_below(prefix: &str, key: &str) -> Result<PathBuf> {
    let folder = match key.strip_prefix(prefix) {
        Some("") | None => key.rfind('/').map_or(0, |slash| slash + 1),
        Some(rest) if prefix.is_empty() || prefix.ends_with('/') || rest.starts_with('/') => prefix.len(),
        // A prefix that ends within a name, such as `results/2026-`, is that of the folder it is in.
        Some(_) => prefix.rfind('/').map_or(0, |slash| slash + 1),
    };
    let rest = &key[folder..];
    let path = PathBuf::from(rest.trim_start_matches('/'));
    let leads_out = path.components().any(|part| !matches!(part, Component::Normal(_)));
    if leads_out || path.as_os_str().is_empty() {
        return Err(Error::argument(
            "from",
            format!("the key {key:?} would lead out of the folder it is downloaded to"),
        ));
    }
    Ok(path)
}
