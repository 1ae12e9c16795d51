//! A few of many: what a report shows of ids and of lines that are no record.

/// How many are shown.
pub(super) const SAMPLES: usize = 10;

/// Characters of an id that are shown.
const SHOWN_CHARACTERS: usize = 100;

/// An id as it is shown.
pub(super) fn shown_id(id: &str) -> String {
    match id.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.to_owned(),
    }
}

/// Bytes that may be no text, as they are shown.
pub(super) fn shown_bytes(bytes: &[u8]) -> String {
    let end = bytes.len().min(4 * SHOWN_CHARACTERS + 4);
    shown_id(&String::from_utf8_lossy(&bytes[..end]))
}

/// Lines that are no record.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    pub(super) count: u64,
    /// Of the first of them, the number of the line, from 1, and what is wrong with it.
    pub(super) samples: Vec<(u64, String)>,
}

impl Rejected {
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.samples.clear();
    }

    pub(super) fn add(&mut self, line: u64, problem: impl Into<String>) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push((line, problem.into()));
        }
    }
}

/// Adds to the samples what there is room for.
pub(super) fn add_samples<T>(samples: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    let room = SAMPLES.saturating_sub(samples.len());
    samples.extend(more.into_iter().take(room));
}
