//! Records of a batch transform: the id and the time that it added are taken away again.

use super::object::quoted;
use super::window::begins_as_time;

/// The member with the id.
pub(super) const INFERENCE_ID: &str = "SageMakerInferenceId";
/// The member with the time of the transform.
pub(super) const INFERENCE_TIME: &str = "SageMakerInferenceTime";

/// A record, the two columns apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BatchLine<'a> {
    pub(super) id: &'a str,
    pub(super) data: &'a str,
}

/// A CSV line whose last two columns are an id and a time; None where they are not.
pub(super) fn csv_line(line: &str) -> Option<BatchLine<'_>> {
    let (rest, time) = line.rsplit_once(',')?;
    let (data, id) = rest.rsplit_once(',')?;
    // Two columns that the transform wrote: neither has a comma in it.
    let id = unquoted(id);
    (begins_as_time(unquoted(time).as_bytes()) && !id.is_empty()).then_some(BatchLine { id, data })
}

fn unquoted(cell: &str) -> &str {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

/// Appends the merged record without the label and the brace that closes it.
pub(super) fn write_record(id: &str, data: &str, encoding: &str, to: &mut Vec<u8>) {
    let (id, data) = (quoted(id), quoted(data));
    let record = format!(
        r#"{{"eventMetadata":{{"eventId":{id}}},"eventVersion":"0","captureData":{{"batchTransformOutput":{{"data":{data},"encoding":"{encoding}"}}}}"#
    );
    to.extend_from_slice(record.as_bytes());
}
