//! Objects as files outside the store.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{EmbeddedObjects, MAX_READ_ATTEMPTS, Piece, Staging, damaged, rows};
use crate::Error;
use crate::data_directory::private_file;

pub(super) async fn stage(
    objects: &EmbeddedObjects,
    bucket: &str,
    key: &str,
    path: &Path,
    staging: Staging,
) -> Result<(), Error> {
    for _ in 0..MAX_READ_ATTEMPTS {
        let Some((row, body)) = rows::get(&objects.database, bucket, key).await? else {
            return Err(Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() });
        };
        if let Some(body) = body {
            objects.disk.check(row.info.size)?;
            let body = objects.row_body(&row, body).await?;
            return write(path, move |file| file.write_all(&body)).await;
        }
        let pieces = rows::pieces(&objects.database, row.id).await?;
        let encrypted = pieces.iter().any(|piece| piece.data_key.is_some());
        let done = match pieces.as_slice() {
            [] => false,
            [piece] if !encrypted => link_or_copy(objects, piece, path, staging).await?,
            // Joined once, it can be linked from then on.
            several if !encrypted && staging == Staging::Link => {
                join(objects, row.id, several).await?;
                false
            }
            _ => match objects.reader(&row, (0, row.info.size)).await? {
                None => false,
                Some(mut reader) => {
                    objects.disk.check(row.info.size)?;
                    let copy = move |file: &mut File| {
                        while let Some(bytes) = reader.read().map_err(std::io::Error::other)? {
                            file.write_all(&bytes)?;
                        }
                        Ok(())
                    };
                    write(path, copy).await?;
                    true
                }
            },
        };
        if done {
            return Ok(());
        }
    }
    Err(damaged(bucket, key))
}

/// Writes a new file; one that could not be finished is removed.
async fn write(
    path: &Path,
    content: impl FnOnce(&mut File) -> std::io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let path = path.to_owned();
    let write = move || {
        let mut file = private_file().create_new(true).open(&path).map_err(Error::file("create", &path))?;
        content(&mut file).map_err(|error| {
            // What cannot be removed is in a folder that goes with the job.
            let _ = std::fs::remove_file(&path);
            Error::file("write", &path)(error)
        })
    };
    tokio::task::spawn_blocking(write).await?
}

/// False if the file is gone, as its object was replaced.
async fn link_or_copy(objects: &EmbeddedObjects, piece: &Piece, path: &Path, staging: Staging) -> Result<bool, Error> {
    let source: PathBuf = objects.blobs.path(&piece.blob);
    let path = path.to_owned();
    let (disk, size) = (Arc::clone(&objects.disk), piece.size);
    let stage = move || {
        let mut body = match File::open(&source) {
            Ok(body) => body,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::file("open", &source)(error)),
        };
        if staging == Staging::Link {
            match std::fs::hard_link(&source, &path) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Err(Error::file("create", &path)(error));
                }
                // Another file system, too many links, replaced meanwhile, or no folder: a copy works or says why.
                Err(_) => {}
            }
        }
        disk.check(size)?;
        let mut file = private_file().create_new(true).open(&path).map_err(Error::file("create", &path))?;
        // Shares blocks, or at least copies within the kernel, where the file system can do so.
        std::io::copy(&mut body, &mut file).map_err(|error| {
            let _ = std::fs::remove_file(&path);
            Error::file("write", &path)(error)
        })?;
        Ok(true)
    };
    tokio::task::spawn_blocking(stage).await?
}

/// Makes one file of an object's files, unless the object is replaced meanwhile.
async fn join(objects: &EmbeddedObjects, object: i64, pieces: &[Piece]) -> Result<(), Error> {
    objects.disk.check(pieces.iter().map(|piece| piece.size).sum())?;
    let Some(pinned) = objects.pin(object, pieces).await? else { return Ok(()) };
    let names: Vec<String> = pieces.iter().map(|piece| piece.blob.clone()).collect();
    let blobs = objects.blobs.clone();
    let write = move || {
        let mut writer = blobs.create(None)?;
        for name in names {
            writer.append_file(blobs.open_file(&name)?)?;
        }
        drop(pinned);
        writer.finish()
    };
    let blob = tokio::task::spawn_blocking(write).await??.blob;
    let name = blob.name().to_owned();
    objects.commit(Some(blob), move |connection| Box::pin(rows::join_pieces(connection, object, name))).await?;
    Ok(())
}
