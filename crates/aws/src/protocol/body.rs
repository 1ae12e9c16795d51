//! A request's body, unpacked.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::Request;
use crate::Error;

/// What an unpacked body may hold. The largest requests of the services are about one mebibyte.
const LARGEST: u64 = 10 * 1024 * 1024;
/// In so many bytes of a packed form its action is looked for.
const HEAD: u64 = 64 * 1024;

/// The body; out of gzip where the header says so.
pub fn unpacked<'a>(request: &Request<'a>) -> Result<Cow<'a, [u8]>, Error> {
    if !is_gzip(request) {
        return if request.body.len() as u64 > LARGEST { Err(too_large(LARGEST)) } else { Ok(request.body.into()) };
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(request.body)
        .take(LARGEST + 1)
        .read_to_end(&mut unpacked)
        .map_err(|_| Error::serialization("the body says it is gzip and is not"))?;
    if unpacked.len() as u64 > LARGEST { Err(too_large(LARGEST)) } else { Ok(unpacked.into()) }
}

/// The first bytes of the body, out of gzip as far as they can be read: enough to see what a form is for.
pub fn head<'a>(request: &Request<'a>) -> Cow<'a, [u8]> {
    if !is_gzip(request) {
        return request.body.into();
    }
    let mut unpacked = Vec::new();
    // What came before an error stays in the vector, and the error is told when the whole is unpacked.
    let _ = MultiGzDecoder::new(request.body).take(HEAD).read_to_end(&mut unpacked);
    unpacked.into()
}

fn is_gzip(request: &Request<'_>) -> bool {
    request.header("content-encoding").is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"))
}

/// The answer to a body beyond a limit in bytes.
pub fn too_large(limit: u64) -> Error {
    Error::new("RequestEntityTooLargeException", format!("the body holds more than {limit} bytes")).with_status(413)
}
