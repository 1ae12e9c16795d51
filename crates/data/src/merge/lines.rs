//! The lines of a piece.

use memchr::memchr;

/// Where a line ends: its line feed, or the end of the text.
pub(super) fn line_end(text: &[u8], start: usize) -> usize {
    memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length)
}

/// A line as text, without the blanks around it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn line_text(line: &[u8]) -> Result<&str, String> {
    match std::str::from_utf8(line) {
        Ok(text) => Ok(text.trim_matches([' ', '\t', '\r'])),
        Err(error) => {
            let at = error.valid_up_to();
            Err(format!("byte {} of the line (0x{:02X}) is not UTF-8", at + 1, line[at]))
        }
    }
}

/// What is wrong with a line that is too long.
pub(super) fn too_long() -> String {
    format!("the line is longer than {} MiB, the longest there may be", crate::text::MAX_RECORD_BYTES / (1024 * 1024))
}

/// What a parser says of a line, without the number of the line, which is always its first.
pub(super) fn not_json(error: &serde_json::Error) -> String {
    format!("not valid JSON: {}", error.to_string().replace(" at line 1 column ", " at byte "))
}
