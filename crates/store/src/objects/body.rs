//! Bodies as streams of bytes.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

/// The bytes of an object, in pieces.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>;

/// A body of these bytes.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    futures::stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()
}

/// All bytes of a body, for bodies that are known to be small.
///
/// # Errors
/// The stream's.
pub async fn read_all(body: Body) -> Result<Vec<u8>, std::io::Error> {
    body.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    })
    .await
}
