//! The bytes that structure CSV, sixty-four at a glance.

use wide::u8x16;

/// Finds commas, line feeds and quotes, and carriage returns where they end rows too.
pub(crate) struct Separators<'a, const RETURNS: bool> {
    text: &'a [u8],
    /// Where the current block of 64 bytes begins.
    block: usize,
    /// The separators of the current block that have not been handed out.
    mask: u64,
}

impl<'a, const RETURNS: bool> Separators<'a, RETURNS> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut separators = Self { text, block: 0, mask: 0 };
        separators.mask = separators.look();
        separators
    }

    /// Positions in ascending order.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        while self.mask == 0 {
            self.block += 64;
            if self.block >= self.text.len() {
                // Stay here: asked again, the answer is the same.
                self.block = self.text.len();
                return None;
            }
            self.mask = self.look();
        }
        let at = self.block + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }

    /// Leaves out everything before `at`, or takes up again at an earlier place.
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.block = at & !63;
        self.mask = self.look() & (u64::MAX << (at & 63));
    }

    #[inline]
    fn look(&self) -> u64 {
        if let Some(block) = self.text.get(self.block..self.block + 64) {
            return mask_of::<RETURNS>(block.try_into().expect("the range has 64 bytes"));
        }
        let mut padded = [0; 64];
        let rest = self.text.get(self.block..).unwrap_or_default();
        padded[..rest.len()].copy_from_slice(rest);
        mask_of::<RETURNS>(&padded)
    }
}

#[inline]
fn mask_of<const RETURNS: bool>(block: &[u8; 64]) -> u64 {
    let mut mask = 0;
    for part in 0..4 {
        let bytes: [u8; 16] = block[part * 16..][..16].try_into().expect("a quarter of 64 bytes");
        let bytes = u8x16::from(bytes);
        let mut found =
            bytes.simd_eq(u8x16::splat(b',')) | bytes.simd_eq(u8x16::splat(b'\n')) | bytes.simd_eq(u8x16::splat(b'"'));
        if RETURNS {
            found |= bytes.simd_eq(u8x16::splat(b'\r'));
        }
        mask |= u64::from(found.to_bitmask()) << (part * 16);
    }
    mask
}
