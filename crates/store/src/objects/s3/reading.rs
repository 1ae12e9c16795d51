//! Bodies that are read: as one answer of the outside, and where that breaks off, from there on as another one.

use bytes::Bytes;
use futures::StreamExt as _;
use http::Method;
use http::StatusCode;
use watchkeeper_aws::client::Received;

use super::connection::{Answer, Call, Connection, Refusal};
use super::headers::{self, Seal, Stored};
use super::sealed::{self, Opener};
use super::{S3Objects, damaged};
use crate::Error;
use crate::objects::{Body, ByteRange, ObjectInfo};

/// How often a read starts again because the object was replaced meanwhile.
const MAX_READ_ATTEMPTS: usize = 100;
/// How often in a row the outside may break off without having sent a byte.
const MAX_EMPTY_ANSWERS: u32 = 5;

/// An object and its whole body.
pub(super) async fn whole(objects: &S3Objects, bucket: &str, key: &str) -> Result<Option<(ObjectInfo, Body)>, Error> {
    if key.is_empty() {
        return Ok(None);
    }
    let call = Call::object(Method::GET, "get", bucket, key).header("x-amz-checksum-mode", "ENABLED");
    let answer = match objects.connection.call(call).await {
        Ok(answer) => answer,
        Err(refusal) => return objects.missing(refusal, bucket, key).await,
    };
    let stored = objects.stored_of(bucket, key, &answer.headers)?;
    let (size, etag, seal) = (stored.size, stored.etag.clone(), stored.seal.clone());
    let info = objects.info(bucket, key, stored).await?;
    let opener = opener(objects, seal.as_ref(), (0, info.size), info.size).await?;
    let source = Source { connection: objects.connection.clone(), bucket: bucket.into(), key: key.into(), etag };
    let reader = Reader { source, received: answer.body, position: 0, end: size, empty_answers: 0, opener };
    Ok(Some((info, reader.into_body())))
}

/// An object and a range of its body.
pub(super) async fn range(
    objects: &S3Objects,
    bucket: &str,
    key: &str,
    range: ByteRange,
) -> Result<Option<(ObjectInfo, Body)>, Error> {
    for _ in 0..MAX_READ_ATTEMPTS {
        let Some(stored) = objects.stored(bucket, key).await? else { return Ok(None) };
        let Stored { seal, etag, size: stored_size, .. } = &stored;
        let (seal, etag, stored_size) = (seal.clone(), etag.clone(), *stored_size);
        let info = objects.info(bucket, key, stored).await?;
        let wanted = range.resolve(info.size).ok_or(Error::InvalidRange { size: info.size })?;
        let opener = opener(objects, seal.as_ref(), wanted, info.size).await?;
        let (first, length) = if opener.is_some() { sealed::sealed_range(wanted, stored_size) } else { wanted };
        let source = Source { connection: objects.connection.clone(), bucket: bucket.into(), key: key.into(), etag };
        let end = first + length;
        match source.from(first, end).await {
            Ok(Some(received)) => {
                let reader = Reader { source, received, position: first, end, empty_answers: 0, opener };
                return Ok(Some((info, reader.into_body())));
            }
            Ok(None) => {}
            Err(refusal) => return Err(refusal.of_object(bucket, key)),
        }
    }
    Err(damaged(bucket, key))
}

async fn opener(
    objects: &S3Objects,
    seal: Option<&Seal>,
    wanted: (u64, u64),
    size: u64,
) -> Result<Option<Opener>, Error> {
    let data_key = objects.data_key(seal).await?;
    Ok(data_key.map(|data_key| Opener::new(data_key, wanted, size)))
}

/// One version of an object.
struct Source {
    connection: Connection,
    bucket: String,
    key: String,
    etag: String,
}

impl Source {
    /// The bytes from a place to another (exclusive); none where the object was replaced or deleted meanwhile.
    async fn from(&self, first: u64, end: u64) -> Result<Option<Received>, Refusal> {
        let call = Call::object(Method::GET, "get", &self.bucket, &self.key)
            .header("range", format!("bytes={first}-{}", end - 1))
            .header("if-match", format!("\"{}\"", self.etag));
        match self.connection.call(call).await {
            Ok(answer) if headers::etag(&answer.headers) != self.etag => Ok(None),
            Ok(answer) if is_range(&answer, first, end) => Ok(Some(answer.body)),
            Ok(_) => Err(self.connection.refused("get a range of an object", "its answer is not the range")),
            Err(refusal) if refusal.is_missing() || refusal.is_failed_precondition() => Ok(None),
            Err(refusal) if refusal.status == Some(StatusCode::RANGE_NOT_SATISFIABLE) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Whether an answer is what was asked for: a server that knows no ranges gives everything.
fn is_range(answer: &Answer, first: u64, end: u64) -> bool {
    let range = headers::value(&answer.headers, "content-range").unwrap_or_default();
    let expected = format!("bytes {first}-{}/", end - 1);
    answer.status == StatusCode::PARTIAL_CONTENT && range.starts_with(&expected)
}

/// What is left to be read.
struct Reader {
    source: Source,
    received: Received,
    /// What comes next, and where it ends, of what is there.
    position: u64,
    end: u64,
    empty_answers: u32,
    opener: Option<Opener>,
}

impl Reader {
    fn into_body(self) -> Body {
        let pieces = futures::stream::try_unfold(Some(self), |reader| async move {
            let Some(mut reader) = reader else { return Ok::<_, std::io::Error>(None) };
            loop {
                let Some(piece) = reader.next().await? else {
                    let last = match &mut reader.opener {
                        Some(opener) => opener.end().map_err(std::io::Error::other)?,
                        None => Bytes::new(),
                    };
                    return Ok((!last.is_empty()).then_some((last, None)));
                };
                let piece = match &mut reader.opener {
                    Some(opener) => opener.push(&piece).map_err(std::io::Error::other)?,
                    None => piece,
                };
                if !piece.is_empty() {
                    return Ok(Some((piece, Some(reader))));
                }
            }
        });
        pieces.boxed()
    }

    /// The next bytes that are there; none at the end.
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            let problem = match self.received.piece().await {
                Ok(Some(piece)) => {
                    self.position += piece.len() as u64;
                    self.empty_answers = 0;
                    if self.position > self.end {
                        return Err(std::io::Error::other("the outside S3 sent more than it said"));
                    }
                    return Ok(Some(piece));
                }
                Ok(None) if self.position == self.end => return Ok(None),
                Ok(None) => "the answer broke off".to_owned(),
                Err(error) => error.to_string(),
            };
            self.empty_answers += 1;
            if self.empty_answers > MAX_EMPTY_ANSWERS {
                return Err(std::io::Error::other(format!("the outside S3 breaks off again and again: {problem}")));
            }
            tracing::debug!(problem, position = self.position, key = self.source.key, "a read goes on");
            let again = self.source.from(self.position, self.end).await;
            let again = again.map_err(|refusal| std::io::Error::other(Error::from(refusal)))?;
            let replaced =
                || std::io::Error::other("the object was replaced while it was read, and the read broke off");
            self.received = again.ok_or_else(replaced)?;
        }
    }
}
