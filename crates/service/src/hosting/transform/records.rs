//! From an object's bytes to requests: decompressed, split, filtered, and put together as far as a request may go.
//!
//! At most one request, the piece of the object that is being read, and one record are in memory.

use std::io::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures::StreamExt as _;
use serde_json::value::RawValue;
use watchkeeper_store::objects::Body;

use super::Failure;
use super::csv_record;
use super::plan::{Format, Plan};

/// Compressed bytes that are decompressed at once: a thousandfold of them has to fit into memory.
const COMPRESSED_PIECE: usize = 16 << 10;

/// A request, and what its answer is put to.
pub(super) struct Batch {
    /// The request's body.
    pub(super) body: Bytes,
    /// The records as the object has them, without their ends; only where answers are joined to them.
    pub(super) inputs: Vec<Bytes>,
    /// How many records there are.
    pub(super) count: usize,
}

/// The requests of one object, in their order.
pub(super) struct Records<'a> {
    plan: &'a Plan,
    source: Source,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line feed.
    searched: usize,
    /// A record that found no room in the request before.
    waiting: Option<Record>,
    /// The number of the record that was read last.
    number: u64,
    ended: bool,
}

struct Record {
    /// As it is sent.
    sent: Bytes,
    /// As the object has it, without its end.
    original: Bytes,
}

impl<'a> Records<'a> {
    pub(super) fn new(plan: &'a Plan, body: Body) -> Self {
        Self {
            plan,
            source: Source::new(body, plan.gzip),
            buffer: BytesMut::new(),
            searched: 0,
            waiting: None,
            number: 0,
            ended: false,
        }
    }

    /// The next request; None behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, Failure> {
        if self.plan.lines { self.next_lines().await } else { self.whole().await }
    }

    async fn next_lines(&mut self) -> Result<Option<Batch>, Failure> {
        let (mut records, mut size) = (Vec::new(), 0);
        loop {
            let next = match self.waiting.take() {
                Some(record) => Some(record),
                None => self.record().await?,
            };
            let Some(record) = next else { break };
            if !records.is_empty() && size + record.sent.len() > self.plan.batch_bytes {
                self.waiting = Some(record);
                break;
            }
            size += record.sent.len();
            records.push(record);
            if self.plan.single_record {
                break;
            }
        }
        if records.is_empty() {
            return Ok(None);
        }
        let count = records.len();
        let body = match records.as_slice() {
            [record] => record.sent.clone(),
            records => records
                .iter()
                .fold(BytesMut::with_capacity(size), |mut body, record| {
                    body.extend_from_slice(&record.sent);
                    body
                })
                .freeze(),
        };
        let inputs =
            if self.plan.join { records.into_iter().map(|record| record.original).collect() } else { Vec::new() };
        Ok(Some(Batch { body, inputs, count }))
    }

    /// The next line that is not blank.
    async fn record(&mut self) -> Result<Option<Record>, Failure> {
        while let Some(line) = self.line().await? {
            let original = line.slice(..without_end(&line).len());
            if original.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.number += 1;
            let sent = if self.plan.input_filter.is_root() {
                line
            } else {
                let mut sent = filtered(self.plan, &original).map_err(|reason| self.of_record(&reason))?;
                sent.push(b'\n');
                sent.into()
            };
            self.refuse_larger(self.number, sent.len())?;
            return Ok(Some(Record { sent, original }));
        }
        Ok(None)
    }

    /// The next line with its end.
    async fn line(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.searched..]);
            if let Some(place) = found {
                let line = self.buffer.split_to(self.searched + place + 1).freeze();
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.ended {
                let rest = self.buffer.split().freeze();
                self.searched = 0;
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.refuse_larger(self.number + 1, self.buffer.len())?;
            self.ended = !self.source.read(&mut self.buffer).await?;
        }
    }

    /// The object as one request. An object with nothing in it has no records.
    async fn whole(&mut self) -> Result<Option<Batch>, Failure> {
        if self.ended {
            return Ok(None);
        }
        while self.source.read(&mut self.buffer).await? {
            self.refuse_larger(self.number + 1, self.buffer.len())?;
        }
        self.ended = true;
        self.refuse_larger(1, self.buffer.len())?;
        let object = self.buffer.split().freeze();
        if object.is_empty() {
            return Ok(None);
        }
        let (mut body, mut inputs) = (object.clone(), Vec::new());
        if self.plan.join || !self.plan.input_filter.is_root() {
            let format = self.plan.input_format.expect("a plan that filters or joins has a format");
            inputs = parts(format, &object)?;
            if !self.plan.input_filter.is_root() {
                let sent = inputs.iter().map(|part| filtered(self.plan, part).map_err(Failure));
                let mut sent = sent.collect::<Result<Vec<_>, _>>()?.join(&b'\n');
                if inputs.len() > 1 || format == Format::Csv {
                    sent.push(b'\n');
                }
                body = sent.into();
            }
        }
        Ok(Some(Batch { body, count: inputs.len().max(1), inputs }))
    }

    /// `number` is the record's.
    fn refuse_larger(&self, number: u64, size: usize) -> Result<(), Failure> {
        if size <= self.plan.record_bytes {
            return Ok(());
        }
        let limit = self.plan.record_bytes;
        let what = if self.plan.lines { format!("record {number}") } else { "the object".to_owned() };
        let advice =
            if self.plan.lines { "raise MaxPayloadInMB" } else { "raise MaxPayloadInMB, or set SplitType to Line" };
        Err(Failure(format!("{what} has more than the {limit} bytes that MaxPayloadInMB allows: {advice}")))
    }

    fn of_record(&self, reason: &str) -> Failure {
        Failure(format!("record {}: {reason}", self.number))
    }
}

/// A line without its end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The records of a text: lines that are not blank, or JSON values one after the other.
pub(super) fn parts(format: Format, text: &Bytes) -> Result<Vec<Bytes>, Failure> {
    match format {
        Format::Csv => {
            let lines = text.split(|byte| *byte == b'\n').map(without_end);
            Ok(lines
                .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
                .map(|line| text.slice_ref(line))
                .collect())
        }
        Format::Json => {
            let values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
            values
                .map(|value| match value {
                    Ok(value) => Ok(text.slice_ref(value.get().as_bytes())),
                    Err(error) => Err(Failure(format!("it is no JSON: {error}"))),
                })
                .collect()
        }
    }
}

/// A record as the model gets it.
fn filtered(plan: &Plan, record: &[u8]) -> Result<Vec<u8>, String> {
    match plan.input_format.expect("a plan that filters has a format") {
        Format::Csv => Ok(csv_record::line(&plan.input_filter.of_fields(&csv_record::fields(record))?)),
        Format::Json => {
            let text = std::str::from_utf8(record).map_err(|error| format!("it is not UTF-8: {error}"))?;
            Ok(plan.input_filter.of_json(text)?.into_bytes())
        }
    }
}

/// An object's bytes, decompressed.
struct Source {
    body: Body,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// Compressed bytes that are not decompressed yet.
    compressed: Bytes,
}

impl Source {
    fn new(body: Body, gzip: bool) -> Self {
        Self { body, gzip: gzip.then(|| MultiGzDecoder::new(Vec::new())), compressed: Bytes::new() }
    }

    /// Appends the next bytes; false at the end.
    async fn read(&mut self, buffer: &mut BytesMut) -> Result<bool, Failure> {
        let Some(gzip) = &mut self.gzip else {
            return Ok(match next_piece(&mut self.body).await? {
                Some(piece) => {
                    buffer.extend_from_slice(&piece);
                    true
                }
                None => false,
            });
        };
        let broken = |error: std::io::Error| Failure(format!("it cannot be decompressed as Gzip: {error}"));
        if self.compressed.is_empty() {
            let Some(piece) = next_piece(&mut self.body).await? else {
                gzip.try_finish().map_err(broken)?;
                buffer.extend_from_slice(&std::mem::take(gzip.get_mut()));
                self.gzip = None;
                return Ok(false);
            };
            self.compressed = piece;
        }
        let length = self.compressed.len().min(COMPRESSED_PIECE);
        gzip.write_all(&self.compressed[..length]).map_err(broken)?;
        self.compressed.advance(length);
        buffer.extend_from_slice(gzip.get_ref());
        gzip.get_mut().clear();
        Ok(true)
    }
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    let piece = body.next().await.transpose();
    piece.map_err(|error| Failure(format!("it could not be read: {error}")))
}
