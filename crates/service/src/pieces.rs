//! Bodies that are there whole, in the pieces in which they came.
//!
//! To put the pieces of a large body together would cost as much as to take it from the network. A piece may be part of a
//! larger buffer, which it keeps: small pieces are copied together, so that what is kept is at most about twice what is
//! counted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

/// The most bytes that a connection takes from a client at once: they are still in the processor's cache when they go on.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// The share of what is read at once from which on a piece is kept as it is.
const LARGE_SHARE: usize = 2;

/// Bytes in pieces, as a body too.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// Empty where there is nothing.
    first: Bytes,
    /// None of them is empty.
    rest: VecDeque<Bytes>,
}

impl Pieces {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            self.rest.push_back(piece);
        }
    }

    /// The pieces in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).filter(|first| !first.is_empty()).chain(&self.rest)
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// All of it in one piece, which is copied where it was not.
    pub fn to_bytes(&self) -> Bytes {
        if self.rest.is_empty() {
            return self.first.clone();
        }
        let mut all = BytesMut::with_capacity(self.len());
        self.iter().for_each(|piece| all.extend_from_slice(piece));
        all.freeze()
    }

    /// Takes the first piece out.
    fn pop(&mut self) -> Option<Bytes> {
        let next = self.rest.pop_front().unwrap_or_default();
        Some(std::mem::replace(&mut self.first, next)).filter(|piece| !piece.is_empty())
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self { first: bytes, rest: VecDeque::new() }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

/// What takes a body as it comes.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Pieces of at least this size are kept as they are.
    large_piece: usize,
    pieces: Pieces,
    /// Small pieces together.
    small: BytesMut,
    length: usize,
}

impl Gathering {
    /// Takes a body of which so many bytes are read at once.
    pub(crate) fn new(read_bytes: usize) -> Self {
        Self { large_piece: read_bytes / LARGE_SHARE, pieces: Pieces::default(), small: BytesMut::new(), length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Adds what came. The first piece, which is the only one of most bodies, is never copied.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        if self.pieces.is_empty() || piece.len() >= self.large_piece {
            self.end_small();
            return self.pieces.push(piece);
        }
        self.small.extend_from_slice(&piece);
        if self.small.len() >= self.large_piece {
            self.end_small();
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(std::mem::take(&mut self.small).freeze());
        }
    }

    /// What came, and nothing of it stays.
    pub(crate) fn end(&mut self) -> Pieces {
        self.end_small();
        self.length = 0;
        std::mem::take(&mut self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGE_PIECE: usize = READ_BYTES / LARGE_SHARE;

    proptest! {
        #[test]
        fn what_came_is_there_in_its_order(lengths in prop::collection::vec(0..3 * LARGE_PIECE, 0..12)) {
            let mut gathering = Gathering::new(READ_BYTES);
            let mut expected = Vec::new();
            for (number, length) in lengths.into_iter().enumerate() {
                let piece = Bytes::from(vec![number as u8; length]);
                expected.extend_from_slice(&piece);
                gathering.push(piece);
            }
            prop_assert_eq!(gathering.len(), expected.len());
            let mut pieces = gathering.end();
            prop_assert_eq!(pieces.len(), expected.len());
            prop_assert_eq!(&pieces.to_bytes()[..], &expected[..]);
            let lengths: Vec<usize> = pieces.iter().skip(1).map(Bytes::len).collect();
            prop_assert!(lengths.windows(2).all(|two| two[0].max(two[1]) >= LARGE_PIECE), "small pieces are together");
            let mut sent = Vec::new();
            while let Some(piece) = pieces.pop() {
                prop_assert!(!piece.is_empty());
                sent.extend_from_slice(&piece);
            }
            prop_assert_eq!(sent, expected);
        }
    }
}
