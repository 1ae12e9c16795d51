//! The line of an exchange.
//!
//! It is what `serde_json` makes of `formats::capture::CaptureRecord`, byte for byte; written by hand because bodies come in
//! pieces and are most of a line: they are copied once, thirty-two bytes at a time where nothing is to be escaped.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use watchkeeper_formats::capture::Encoding;

use super::{CapturePlan, Exchange, Payload};

/// Writes lines; it remembers how the last second is written.
#[derive(Default)]
pub(super) struct LineMaker {
    second: Option<i64>,
    time: String,
}

impl LineMaker {
    /// Adds the line of an exchange, with its line feed.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, plan: &CapturePlan, exchange: &Exchange) {
        out.extend_from_slice(br#"{"captureData":{"#);
        if plan.input {
            write_side(out, plan, &exchange.input, r#""endpointInput":"#, r#","mode":"INPUT","data":"#);
        }
        if plan.output && exchange.is_answered {
            if plan.input {
                out.push(b',');
            }
            write_side(out, plan, &exchange.output, r#""endpointOutput":"#, r#","mode":"OUTPUT","data":"#);
        }
        out.extend_from_slice(br#"},"eventMetadata":{"eventId":""#);
        out.extend_from_slice(exchange.event_id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes());
        out.push(b'"');
        if let Some(id) = &exchange.inference_id {
            out.extend_from_slice(br#","inferenceId":"#);
            write_text(out, id);
        }
        out.extend_from_slice(br#","inferenceTime":""#);
        out.extend_from_slice(self.time(exchange.time).as_bytes());
        out.push(b'"');
        if let Some(attributes) = &exchange.custom_attributes {
            out.extend_from_slice(br#","customAttributes":["#);
            write_text(out, attributes);
            out.push(b']');
        }
        out.extend_from_slice(b"},\"eventVersion\":\"0\"}\n");
    }

    /// The moment in whole seconds.
    fn time(&mut self, time: Timestamp) -> &str {
        // Towards the past, for moments before the epoch too.
        let second = time.as_millisecond().div_euclid(1000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.time = Timestamp::from_second(second).unwrap_or(Timestamp::MIN).to_string();
        }
        &self.time
    }
}

fn write_side(out: &mut Vec<u8>, plan: &CapturePlan, payload: &Payload, name: &str, mode: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(br#"{"observedContentType":"#);
    match &payload.content_type {
        Some(content_type) => write_text(out, content_type),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(mode.as_bytes());
    let mut encoding = plan.encoding(payload.content_type.as_deref());
    let start = out.len();
    if encoding != Encoding::Base64 && !write_utf8(out, &payload.body) {
        // Bytes that are no text.
        out.truncate(start);
        encoding = Encoding::Base64;
    }
    if encoding == Encoding::Base64 {
        write_base64(out, &payload.body);
    }
    out.extend_from_slice(br#","encoding":""#);
    out.extend_from_slice(encoding.as_str().as_bytes());
    out.extend_from_slice(br#""}"#);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// A text in pieces, which may end within a character; false, and something was written, where it is no UTF-8.
fn write_utf8(out: &mut Vec<u8>, pieces: &[Bytes]) -> bool {
    let start = out.len();
    out.push(b'"');
    let mut is_ascii = true;
    for piece in pieces {
        is_ascii &= write_escaped(out, piece);
    }
    out.push(b'"');
    // Escapes put ASCII in the place of ASCII: what was written is UTF-8 where what was given is.
    is_ascii || std::str::from_utf8(&out[start..]).is_ok()
}

fn write_base64(out: &mut Vec<u8>, pieces: &[Bytes]) {
    let body = match pieces {
        [] => Cow::Borrowed(&[][..]),
        [piece] => Cow::Borrowed(&piece[..]),
        pieces => Cow::Owned(pieces.concat()),
    };
    out.push(b'"');
    let start = out.len();
    let length = base64::encoded_len(body.len(), true).expect("what is in memory has a length in base 64");
    out.resize(start + length, 0);
    STANDARD.encode_slice(&body, &mut out[start..]).expect("the slice has the length that is needed");
    out.push(b'"');
}

/// Bytes of a text as they stand in a JSON string; says whether all of them are ASCII.
fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.reserve(bytes.len());
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    let mut together = 0;
    for chunk in chunks {
        // Without an early end, so that it is done for all bytes at once.
        together |= chunk.iter().fold(0, |together, &byte| together | byte);
        if chunk.iter().fold(false, |found, &byte| found | is_escaped(byte)) {
            write_chunk(out, chunk);
        } else {
            out.extend_from_slice(chunk);
        }
    }
    write_chunk(out, rest);
    together.is_ascii() && rest.is_ascii()
}

#[expect(clippy::needless_bitwise_bool, reason = "without branches it is done for many bytes at once")]
fn is_escaped(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Bytes of which some are escaped, at most [`CHUNK`]. Which ones is nothing that a processor could foresee, so there is no
/// branch: a backslash is written before each byte, and stays where it is needed.
fn write_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut escaped = [0; 2 * CHUNK];
    let (mut length, mut has_rare) = (0, false);
    for &byte in bytes {
        let letter = LETTERS[usize::from(byte)];
        has_rare |= letter == b'u' && byte != b'u';
        escaped[length] = b'\\';
        length += usize::from(is_escaped(byte));
        escaped[length] = letter;
        length += 1;
    }
    if !has_rare {
        return out.extend_from_slice(&escaped[..length]);
    }
    for &byte in bytes {
        let letter = LETTERS[usize::from(byte)];
        if is_escaped(byte) {
            out.push(b'\\');
        }
        out.push(letter);
        if letter == b'u' && byte != b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// Bytes that are looked at together.
const CHUNK: usize = 32;

/// What stands for a byte, behind a backslash where it is escaped; `u` before the number of a rare one.
const LETTERS: [u8; 256] = {
    let mut letters = [b'u'; 256];
    let mut byte = 0x20;
    while byte < 256 {
        letters[byte] = byte as u8;
        byte += 1;
    }
    letters[0x08] = b'b';
    letters[b'\t' as usize] = b't';
    letters[b'\n' as usize] = b'n';
    letters[0x0c] = b'f';
    letters[b'\r' as usize] = b'r';
    letters
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use watchkeeper_formats::CaptureRecord;
    use watchkeeper_formats::capture::{CaptureData, CapturePart, EventMetadata};

    use super::*;

    /// The record that the formats' types make of an exchange.
    fn record<'a>(plan: &CapturePlan, exchange: &'a Exchange) -> CaptureRecord<'a> {
        let part = |payload: &'a Payload, mode: &'static str| {
            let body = payload.body.concat();
            let (data, encoding) = match (plan.encoding(payload.content_type.as_deref()), String::from_utf8(body)) {
                (Encoding::Base64, body) => {
                    let body = body.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                    (STANDARD.encode(body), Encoding::Base64)
                }
                (encoding, Ok(text)) => (text, encoding),
                (_, Err(error)) => (STANDARD.encode(error.into_bytes()), Encoding::Base64),
            };
            CapturePart {
                observed_content_type: payload.content_type.as_deref().map(Cow::Borrowed),
                mode: Some(Cow::Borrowed(mode)),
                data: Cow::Owned(data),
                encoding: Some(encoding),
            }
        };
        CaptureRecord {
            capture_data: CaptureData {
                endpoint_input: plan.input.then(|| part(&exchange.input, "INPUT")),
                endpoint_output: (plan.output && exchange.is_answered).then(|| part(&exchange.output, "OUTPUT")),
                batch_transform_output: None,
            },
            ground_truth_data: None,
            event_metadata: EventMetadata {
                event_id: Some(Cow::Owned(exchange.event_id.to_string())),
                inference_id: exchange.inference_id.as_deref().map(Cow::Borrowed),
                inference_time: Some(Cow::Owned(exchange.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
                custom_attributes: exchange.custom_attributes.clone().map(|attributes| vec![attributes]),
            },
            event_version: Some(Cow::Borrowed("0")),
        }
    }

    fn payloads() -> impl Strategy<Value = Payload> {
        let content_type = prop_oneof![
            Just(None),
            Just(Some("text/csv".to_owned())),
            Just(Some("Application/JSON; charset=\"utf-8\"".to_owned())),
            Just(Some("image/png".to_owned())),
        ];
        let text = prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            "[0-9,.\"\\\\\n\t]{0,200}".prop_map(String::into_bytes)
        ];
        let body = prop_oneof![4 => text, 1 => any::<Vec<u8>>()];
        (content_type, body, 1..50_usize).prop_map(|(content_type, body, piece)| Payload {
            content_type,
            body: body.chunks(piece).map(Bytes::copy_from_slice).collect(),
        })
    }

    proptest! {
        #[test]
        fn a_line_is_what_the_formats_write(
            input in payloads(),
            output in payloads(),
            id in any::<u128>(),
            time in -2_000_000_000_000..4_000_000_000_000_i64,
            texts in any::<(Option<String>, Option<String>)>(),
            sides in prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))],
        ) {
            let plan = CapturePlan {
                endpoint: String::new(),
                variant: String::new(),
                destination: String::new(),
                sampling_percentage: 100,
                input: sides.0,
                output: sides.1,
                csv_content_types: vec!["text/csv".to_owned()],
                json_content_types: vec!["application/json".to_owned()],
                kms_key_id: None,
            };
            let exchange = Exchange {
                event_id: uuid::Uuid::from_u128(id),
                time: Timestamp::from_millisecond(time).unwrap(),
                inference_id: texts.0,
                custom_attributes: texts.1,
                input,
                output,
                is_answered: id % 2 == 0,
            };
            let mut line = b"before\n".to_vec();
            LineMaker::default().write(&mut line, &plan, &exchange);
            let line = String::from_utf8(line).unwrap();
            let record = record(&plan, &exchange);
            prop_assert_eq!(&line, &format!("before\n{}\n", serde_json::to_string(&record).unwrap()));
            let text = line.strip_prefix("before\n").unwrap();
            prop_assert_eq!(CaptureRecord::parse(text.trim_end_matches('\n')).unwrap(), record);
        }
    }
}
