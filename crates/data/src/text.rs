//! What every text format has in common: limits, and the check that its bytes are text.

use std::path::Path;

use crate::Error;

/// The longest record there may be.
pub(crate) const MAX_RECORD_BYTES: usize = 32 * 1024 * 1024;

/// The most columns there may be: each has a state of its own.
pub(crate) const MAX_COLUMNS: usize = 100_000;

/// Cells in a batch at most, unless a single row has more: rows of a wide table may be nearly empty.
pub(crate) const MOST_CELLS: usize = 256 * 1024;

/// What is wrong with a record, or records, of more than [`MAX_COLUMNS`] columns.
pub(crate) fn too_many_columns() -> String {
    format!("there are more than {MAX_COLUMNS} columns, the most there may be")
}

/// `1 row`, `2 rows`.
pub(crate) fn counted_as(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Bytes as far as they are UTF-8, and whether what follows can no longer become so: at the end, a character may be cut
/// off.
pub(crate) fn valid_text(bytes: &[u8], is_end: bool) -> (&str, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let text = std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("it has just been found to be valid");
            (text, is_end || error.error_len().is_some())
        }
    }
}

/// Checks that bytes are UTF-8 without NUL. `offset` is their place in the file, `row_of` gives the row of a byte.
pub(crate) fn check_text(
    path: &Path,
    bytes: &[u8],
    offset: u64,
    row_of: impl FnOnce(usize) -> u64,
) -> Result<(), Error> {
    let problem = match std::str::from_utf8(bytes) {
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes[at];
            let hint = if offset == 0 && at == 0 && matches!(byte, 0xFF | 0xFE) {
                "is it UTF-16? convert it to UTF-8"
            } else {
                "is it Latin-1 or Windows-1252? convert it to UTF-8"
            };
            Some((at, format!("byte {} of the file (0x{byte:02X}) is not UTF-8; {hint}", offset + at as u64)))
        }
        Ok(_) => memchr::memchr(0, bytes)
            .map(|at| (at, format!("byte {} of the file is NUL; is it UTF-16 or a binary file?", offset + at as u64))),
    };
    match problem {
        None => Ok(()),
        Some((at, problem)) => Err(Error::Row { path: path.to_owned(), row: row_of(at), problem }),
    }
}
