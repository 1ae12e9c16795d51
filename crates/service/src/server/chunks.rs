//! Uploads in chunks (`aws-chunked`), before the protocol crate reads them: it keeps a chunk in memory until it is there
//! whole, and a chunk may announce up to 4 GiB.
//!
//! A signed chunk that is larger than those of any SDK is refused, as its signature covers all of it. One without a
//! signature, which some SDKs make of a whole object, is handed on as many small ones.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

use super::body::BodyError;

/// The most bytes of a signed chunk, and of one that is handed on: SDKs make chunks of 64 KiB to 1 MiB.
const MAX_CHUNK_BYTES: u64 = 4 << 20;
/// The most bytes of a chunk's first line.
const MAX_LINE_BYTES: usize = 1024;

/// What the text of the refusal begins with, by which it is known behind the protocol crate.
pub(crate) const TOO_LARGE: &str = "InvalidChunkSizeError";

/// Whether the body of a request comes in chunks, and whether these are signed.
pub(super) fn are_in(headers: &http::HeaderMap) -> Option<bool> {
    let hash = headers.get("x-amz-content-sha256")?.as_bytes();
    hash.starts_with(b"STREAMING-").then(|| !hash.starts_with(b"STREAMING-UNSIGNED-"))
}

/// A body in chunks, none of which is too large.
pub(super) struct Chunks<B> {
    body: B,
    is_signed: bool,
    place: Place,
    /// What was read and not handed on.
    ready: VecDeque<Bytes>,
}

/// What comes next.
enum Place {
    /// The first line of a chunk, of which this is there.
    Line(BytesMut),
    /// So much of a chunk's data; in pieces of its own where that is asked for.
    Data { left: u64, is_cut: bool },
    /// The line end behind the data, of which so many bytes are still to come; left out where it was written already.
    End { left: usize, is_cut: bool },
    /// Nothing that is looked at: the last chunk was there, or the crate will say that something is wrong.
    Rest,
}

impl<B> Chunks<B> {
    pub(super) fn new(body: B, is_signed: bool) -> Self {
        Self { body, is_signed, place: Place::Line(BytesMut::new()), ready: VecDeque::new() }
    }

    /// Takes what has come, and makes ready what is to be handed on.
    fn take(&mut self, mut data: Bytes) -> Result<(), BodyError> {
        while !data.is_empty() {
            self.place = match std::mem::replace(&mut self.place, Place::Rest) {
                Place::Line(line) => self.line(line, &mut data)?,
                Place::Data { left, is_cut } => {
                    let taken = data.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(data.len()));
                    let left = left - taken.len() as u64;
                    if is_cut {
                        self.ready.push_back(format!("{:x}\r\n", taken.len()).into());
                    }
                    self.ready.push_back(taken);
                    if is_cut {
                        self.ready.push_back(Bytes::from_static(b"\r\n"));
                    }
                    if left > 0 { Place::Data { left, is_cut } } else { Place::End { left: 2, is_cut } }
                }
                Place::End { left, is_cut } => {
                    let taken = data.split_to(left.min(data.len()));
                    let left = left - taken.len();
                    if !is_cut {
                        self.ready.push_back(taken);
                    }
                    if left > 0 { Place::End { left, is_cut } } else { Place::Line(BytesMut::new()) }
                }
                Place::Rest => {
                    self.ready.push_back(std::mem::take(&mut data));
                    Place::Rest
                }
            };
        }
        Ok(())
    }

    fn line(&mut self, mut line: BytesMut, data: &mut Bytes) -> Result<Place, BodyError> {
        let end = data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |at| at + 1);
        line.extend_from_slice(&data.split_to(end));
        if !line.ends_with(b"\n") && line.len() <= MAX_LINE_BYTES {
            return Ok(Place::Line(line));
        }
        let Some(left) = size_in(&line) else {
            // The crate would read a size out of `ffffffffzz`: it gets a line that it refuses.
            self.ready.push_back(Bytes::from_static(b"\r\n"));
            return Ok(Place::Rest);
        };
        if left == 0 {
            self.ready.push_back(line.freeze());
            return Ok(Place::Rest);
        }
        if left <= MAX_CHUNK_BYTES {
            self.ready.push_back(line.freeze());
            return Ok(Place::Data { left, is_cut: false });
        }
        if self.is_signed || line.contains(&b';') {
            let text = format!("{TOO_LARGE}: a signed chunk of {left} bytes, more than {MAX_CHUNK_BYTES}");
            return Err(BodyError::new(std::io::Error::new(std::io::ErrorKind::InvalidData, text)));
        }
        Ok(Place::Data { left, is_cut: true })
    }
}

/// The size at the beginning of a chunk's first line.
fn size_in(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b'\r' | b'\n')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl<B> Body for Chunks<B>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(None) => {
                    // A line that has no end: the crate says what it thinks of it.
                    return Poll::Ready(match std::mem::replace(&mut self.place, Place::Rest) {
                        Place::Line(line) if !line.is_empty() => Some(Ok(Frame::data(line.freeze()))),
                        _ => None,
                    });
                }
                other => return other,
            };
            match frame.into_data() {
                Ok(data) => self.take(data)?,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty()
            && matches!(&self.place, Place::Line(line) if line.is_empty())
            && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Cut chunks are longer than they came.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http_body_util::{BodyExt as _, StreamBody};
    use proptest::prelude::*;

    use super::*;

    /// What is handed on of a body that comes in pieces of these sizes.
    fn handed_on(wire: &[u8], sizes: &[usize], is_signed: bool) -> Result<Vec<u8>, String> {
        let mut pieces = Vec::new();
        let (mut rest, mut sizes) = (wire, sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
            pieces.push(Ok::<_, BodyError>(Frame::data(Bytes::copy_from_slice(piece))));
            rest = more;
        }
        let body = Chunks::new(StreamBody::new(futures::stream::iter(pieces)), is_signed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let collected = runtime.block_on(body.collect()).map_err(|error| error.to_string())?;
        Ok(collected.to_bytes().to_vec())
    }

    /// Chunks of a body without signatures, and the largest, by the letter of AWS's documentation.
    fn decoded(mut wire: &[u8]) -> (Vec<u8>, usize, Vec<u8>) {
        let (mut bytes, mut largest) = (Vec::new(), 0);
        loop {
            let end = wire.windows(2).position(|pair| pair == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&wire[..end]).unwrap(), 16).unwrap();
            wire = &wire[end + 2..];
            if size == 0 {
                return (bytes, largest, wire.to_vec());
            }
            bytes.extend_from_slice(&wire[..size]);
            assert_eq!(&wire[size..size + 2], b"\r\n");
            wire = &wire[size + 2..];
            largest = largest.max(size);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_handed_on_is_the_same_in_chunks_that_are_small(
            chunks in prop::collection::vec(prop_oneof![1..200_usize, Just((MAX_CHUNK_BYTES as usize) + 17)], 0..5),
            sizes in prop::collection::vec(prop_oneof![1..20_usize, 1000..70_000_usize], 1..6),
        ) {
            let (mut wire, mut bytes) = (Vec::new(), Vec::new());
            for (index, chunk) in chunks.iter().enumerate() {
                let data: Vec<u8> = (0..*chunk).map(|at| (at * 7 + index) as u8).collect();
                wire.extend_from_slice(format!("{chunk:X}\r\n").as_bytes());
                wire.extend_from_slice(&data);
                wire.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&data);
            }
            let trailer = b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n";
            wire.extend_from_slice(b"0\r\n");
            wire.extend_from_slice(trailer);
            let sizes: Vec<usize> = if wire.len() > 1 << 20 { vec![65_536] } else { sizes };
            let (found, largest, rest) = decoded(&handed_on(&wire, &sizes, false).unwrap());
            prop_assert!(found == bytes && rest == trailer);
            prop_assert!(largest as u64 <= MAX_CHUNK_BYTES);
        }

        /// What is no chunk at all is handed on, for the crate to refuse.
        #[test]
        fn nothing_breaks_it(wire in prop::collection::vec(any::<u8>(), 0..3000), size in 1..500_usize) {
            let _ = handed_on(&wire, &[size], false);
            let _ = handed_on(&wire, &[size], true);
        }
    }

    #[test]
    fn a_size_that_the_crate_would_read_otherwise_never_reaches_it() {
        for line in ["ffffffffzz\r\n", "ffffffff \r\n", " ffffffff\r\n", "0xffffffff\r\n"] {
            for is_signed in [true, false] {
                let found = handed_on(line.as_bytes(), &[4], is_signed);
                assert!(found.as_ref().is_ok_and(|found| found == b"\r\n"), "{line:?}: {found:?}");
            }
        }
    }

    #[test]
    fn signed_chunks_are_as_they_were_or_refused() {
        let signature = "0".repeat(64);
        let wire = format!("5;chunk-signature={signature}\r\nhello\r\n0;chunk-signature={signature}\r\n\r\n");
        assert_eq!(handed_on(wire.as_bytes(), &[3], true).unwrap(), wire.as_bytes());
        let wire = format!("{:x};chunk-signature={signature}\r\n", MAX_CHUNK_BYTES + 1);
        assert!(handed_on(wire.as_bytes(), &[100], true).unwrap_err().contains(TOO_LARGE));
    }
}
