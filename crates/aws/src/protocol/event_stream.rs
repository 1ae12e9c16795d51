//! `application/vnd.amazon.eventstream`: messages that an answer is sent in as it comes.
//!
//! A message is its length, the length of its headers and a CRC-32 of these two, then headers and payload, then a CRC-32 of all
//! before it; numbers are big-endian. Source: the specification "Amazon Event Stream" of Smithy.

use flate2::Crc;

/// The content type of an answer in messages.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The most bytes of a payload: every client takes as many.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// Lengths and checksum in front, checksum behind.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// The number of the type of a header's value that is a text.
const TEXT: u8 = 7;

/// A message that brings a part of the answer: an event of a type, with its payload.
pub fn event(event_type: &str, content_type: &str, payload: &[u8]) -> Vec<u8> {
    message(&[(":event-type", event_type), (":content-type", content_type), (":message-type", "event")], payload)
}

/// A message that ends the answer: an exception of the operation's model. The payload is its members as JSON.
pub fn exception(exception_type: &str, payload: &[u8]) -> Vec<u8> {
    let headers =
        [(":exception-type", exception_type), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, payload)
}

/// A message. Names and values of headers are short texts of ours, payloads have at most [`MAX_PAYLOAD_BYTES`].
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let headers_length: usize = headers.iter().map(|(name, value)| 4 + name.len() + value.len()).sum();
    let length = PRELUDE_BYTES + headers_length + payload.len() + CHECKSUM_BYTES;
    let mut message = Vec::with_capacity(length);
    for number in [length, headers_length] {
        message.extend_from_slice(&u32::try_from(number).expect("a message is far below 4 GiB").to_be_bytes());
    }
    let prelude = checksum(&message);
    message.extend_from_slice(&prelude);
    for (name, value) in headers {
        message.push(u8::try_from(name.len()).expect("names of headers are short"));
        message.extend_from_slice(name.as_bytes());
        message.push(TEXT);
        message.extend_from_slice(&u16::try_from(value.len()).expect("values of headers are short").to_be_bytes());
        message.extend_from_slice(value.as_bytes());
    }
    message.extend_from_slice(payload);
    let whole = checksum(&message);
    message.extend_from_slice(&whole);
    message
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum().to_be_bytes()
}
