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
        let (mut expected, mut is_same, mut is_text) =
            (bytes.to_vec(), vec![u8::MAX; bytes.len()], vec![0; bytes.len()]);
        for text in texts {
            is_same[text.clone()].fill(0);
            is_text[text.clone()].fill(u8::MAX);
        }
        let whole_blocks = bytes.len().next_multiple_of(BLOCK);
        let [expected, is_same, is_text] = [&mut expected, &mut is_same, &mut is_text].map(|bytes| {
            bytes.resize(whole_blocks, 0);
            bytes.as_chunks::<BLOCK>().0
        });
        let block = |at: usize| Block {
            expected: u8x16::from(expected[at]),
            is_same: u8x16::from(is_same[at]),
            is_text: u8x16::from(is_text[at]),
        };
        Self { length: bytes.len(), blocks: (0..expected.len()).map(block).collect() }
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
