//! The distinct texts of a column, each with a number in order of appearance.

use xxhash_rust::xxh64::xxh64;

/// Texts that are looked up by their content. Open addressing over the texts' own list: no text is kept twice.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    distinct: Vec<String>,
    hashes: Vec<u64>,
    /// Number of a text plus one, at a place that its hash gives; 0 where there is none. A power of two long, at most half full.
    slots: Vec<u32>,
    last: u32,
}

impl Dictionary {
    /// The number of a text, which is added when it is new.
    pub(super) fn code(&mut self, text: &str) -> u32 {
        // Files are often sorted or grouped by such a column.
        if self.distinct.get(self.last as usize).is_some_and(|last| last == text) {
            return self.last;
        }
        if self.slots.len() < 2 * (self.distinct.len() + 1) {
            self.grow();
        }
        let hash = xxh64(text.as_bytes(), 0);
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        self.last = loop {
            let Some(code) = self.slots[place].checked_sub(1) else {
                let code = self.distinct.len() as u32;
                self.slots[place] = code + 1;
                self.distinct.push(text.to_owned());
                self.hashes.push(hash);
                break code;
            };
            if self.hashes[code as usize] == hash && self.distinct[code as usize] == text {
                break code;
            }
            place = (place + 1) & mask;
        };
        self.last
    }

    /// The texts in order of appearance.
    pub(super) fn into_distinct(self) -> Vec<String> {
        self.distinct
    }

    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(16);
        self.slots = vec![0; length];
        for (code, hash) in self.hashes.iter().enumerate() {
            let mut place = *hash as usize & (length - 1);
            while self.slots[place] != 0 {
                place = (place + 1) & (length - 1);
            }
            self.slots[place] = code as u32 + 1;
        }
    }
}
