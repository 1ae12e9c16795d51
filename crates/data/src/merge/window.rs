//! Whether a time is within the window, for a count: mostly told from its text.

use jiff::Timestamp;

use crate::capture::time_of;

/// Characters of a time down to the second.
const TO_THE_SECOND: usize = "2021-05-26T00:30:11".len();

/// A half-open window.
pub(super) struct Window {
    start: Timestamp,
    end: Timestamp,
    /// Both ends as texts, where they are whole seconds.
    texts: Option<(String, String)>,
}

impl Window {
    pub(super) fn new((start, end): (Timestamp, Timestamp)) -> Self {
        let is_whole = start.subsec_nanosecond() == 0 && end.subsec_nanosecond() == 0;
        let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        Self { start, end, texts: is_whole.then(|| (text(start), text(end))) }
    }

    /// Whether a time is within it; one that cannot be read counts as such.
    pub(super) fn has(&self, time: &[u8]) -> bool {
        if let Some((start, end)) = &self.texts
            && is_utc(time)
        {
            let time = &time[..TO_THE_SECOND];
            return start.as_bytes() <= time && time < end.as_bytes();
        }
        let time = std::str::from_utf8(time).ok().and_then(time_of);
        time.is_none_or(|time| self.start <= time && time < self.end)
    }
}

/// Whether a text begins as a time does that is written down to the second: `2021-05-26T00:30:11`.
pub(super) fn begins_as_time(text: &[u8]) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let is_as = |(&byte, &part): (&u8, &u8)| if part == b'd' { byte.is_ascii_digit() } else { byte == part };
    text.len() >= TO_THE_SECOND && text.iter().zip(pattern).all(is_as)
}

/// Whether a text is such a time in UTC, fractions of a second aside.
fn is_utc(time: &[u8]) -> bool {
    if !begins_as_time(time) {
        return false;
    }
    let rest = &time[TO_THE_SECOND..];
    let rest = rest.strip_suffix(b"Z").unwrap_or(rest);
    rest.is_empty() || (rest[0] == b'.' && rest.len() > 1 && rest[1..].iter().all(u8::is_ascii_digit))
}
