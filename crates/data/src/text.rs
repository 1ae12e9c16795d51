//! What every text format has in common: limits, and the check that its bytes are text.

use std::path::Path;

use crate::Error;

/// The longest record there may be.
pub(crate) const MAX_RECORD_BYTES: usize = 32 * 1024 * 1024;

/// Cells in a batch at most, unless a single row has more: rows of a wide table may be nearly empty.
pub(crate) const MOST_CELLS: usize = 256 * 1024;

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
