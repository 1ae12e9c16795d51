//! Stretches of a line in which everything has its place: compared sixteen bytes at a time, whatever they are.

use std::ops::Range;

use wide::{i8x16, u8x16};

const BLOCK: usize = 16;

/// A stretch of a line: bytes that are the same in every line, and between them texts whose lengths are.
pub(super) struct Run {
    length: usize,
    blocks: Vec<Block>,
}

struct Block {
    expected: u8x16,
    /// All ones where the expected byte has to stand.
    is_same: u8x16,
    /// All ones where a text has a byte; neither is so behind the run.
    is_text: u8x16,
}

impl Run {
    /// The run that looks like these bytes, in which there are texts.
    pub(super) fn new(bytes: &[u8], texts: &[Range<usize>]) -> Self {
        let block = |start: usize| {
            let masked = |byte: &dyn Fn(usize) -> u8| {
                let at = |at: usize| if start + at < bytes.len() { byte(start + at) } else { 0 };
                u8x16::from(std::array::from_fn::<u8, BLOCK, _>(at))
            };
            let is_text = |at: usize| texts.iter().any(|text| text.contains(&at));
            let mask = |is_so: bool| if is_so { u8::MAX } else { 0 };
            Block {
                expected: masked(&|at| bytes[at]),
                is_same: masked(&|at| mask(!is_text(at))),
                is_text: masked(&|at| mask(is_text(at))),
            }
        };
        Self { length: bytes.len(), blocks: (0..bytes.len()).step_by(BLOCK).map(block).collect() }
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether bytes begin with such a run, and what stands for its texts is ASCII without quotes, backslashes and control
    /// characters. There have to be fifteen bytes behind the run.
    #[inline]
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        let (chunks, _) = bytes.as_chunks::<BLOCK>();
        if chunks.len() < self.blocks.len() {
            return false;
        }
        let wrong = self.blocks.iter().zip(chunks).fold(u8x16::ZERO, |wrong, (block, &chunk)| {
            let bytes = u8x16::from(chunk);
            // With signs, bytes beyond ASCII are below all others.
            let is_below_blank: u8x16 =
                wide::bytemuck::cast(wide::bytemuck::cast::<_, i8x16>(bytes).simd_lt(i8x16::splat(0x20)));
            let is_special = is_below_blank | bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
            wrong | ((bytes ^ block.expected) & block.is_same) | (is_special & block.is_text)
        });
        wrong.simd_eq(u8x16::ZERO).all()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_begins_where_every_byte_is_as_it_has_to_be(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            text in 0_usize..80,
            length in 0_usize..40,
            changed in prop::option::of((0_usize..80, any::<u8>())),
            behind in any::<[u8; BLOCK]>(),
        ) {
            let text = text.min(bytes.len())..(text + length).min(bytes.len());
            let run = Run::new(&bytes, std::slice::from_ref(&text));
            let mut line = bytes.clone();
            if let Some((at, byte)) = changed
                && let Some(place) = line.get_mut(at)
            {
                *place = byte;
            }
            let is_right = |at: usize| {
                if text.contains(&at) {
                    matches!(line[at], 0x20..0x80) && !matches!(line[at], b'"' | b'\\')
                } else {
                    line[at] == bytes[at]
                }
            };
            let expected = (0..bytes.len()).all(is_right);
            prop_assert_eq!(run.begins(&[line, behind.to_vec()].concat()), expected);
        }
    }
}
