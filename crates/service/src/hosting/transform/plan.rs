//! What a transform job's request asks for, read once before anything is done.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use watchkeeper_aws::generated::sagemaker::{
    AssemblyType, BatchStrategy, CompressionType, CreateTransformJobRequest, JoinSource, SplitType,
};

use super::Failure;
use super::json_path::JsonPath;
use crate::hosting::model::BatchSpecification;

/// One MB of `MaxPayloadInMB`.
const MEGABYTE: usize = 1 << 20;
/// `MaxPayloadInMB` of a request without one.
const USUAL_PAYLOAD: u32 = 6;
/// The largest record where `MaxPayloadInMB` is 0, which sets no limit: it has to fit into memory.
const LARGEST_PAYLOAD: usize = 1 << 30;
/// The most bytes of all requests that may be under way at once, unless single records are larger.
const ALL_PAYLOADS: usize = 100 * MEGABYTE;
/// The most requests at once.
const MOST_AT_ONCE: usize = 256;
/// `ModelClientConfig` of a request without one, by the real service's reference.
const USUAL_TIMEOUT: Duration = Duration::from_mins(10);
const USUAL_RETRIES: u32 = 3;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    /// The format of a content type, whatever its parameters and case; None for any other.
    pub(super) fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/csv" => Some(Self::Csv),
            "application/json" | "application/jsonlines" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What a job does.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // each is a choice of the request
pub(super) struct Plan {
    /// Whether objects are compressed.
    pub(super) gzip: bool,
    /// Whether records are lines; else an object is one.
    pub(super) lines: bool,
    /// Whether each record is a request.
    pub(super) single_record: bool,
    /// The largest record.
    pub(super) record_bytes: usize,
    /// What a request of several records may have.
    pub(super) batch_bytes: usize,
    /// Requests at once.
    pub(super) at_once: usize,
    /// What the model has for an answer.
    pub(super) timeout: Duration,
    /// How often a request that failed is tried again.
    pub(super) retries: u32,
    /// `Content-Type` and `Accept` of requests.
    pub(super) headers: HeaderMap,
    /// The format of input records.
    pub(super) input_format: Option<Format>,
    /// The format that answers are asked in.
    pub(super) accept_format: Option<Format>,
    pub(super) input_filter: JsonPath,
    pub(super) output_filter: JsonPath,
    /// Whether answers are put to what they answer.
    pub(super) join: bool,
    /// Whether each record gets an id.
    pub(super) inference_id: bool,
    /// Whether a line feed follows each record.
    pub(super) assemble_lines: bool,
    max_payload_in_mb: u32,
}

impl Plan {
    pub(super) fn of(request: &CreateTransformJobRequest) -> Result<Self, Failure> {
        let (input, output) = (&request.transform_input, &request.transform_output);
        let lines = match input.split_type {
            None | Some(SplitType::None) => false,
            Some(SplitType::Line) => true,
            Some(other) => {
                return Err(Failure(format!("SplitType {other} is not supported, use Line or None")));
            }
        };
        let processing = request.data_processing.as_ref();
        let filter = |filter: Option<&String>| JsonPath::parse(filter.map_or("$", String::as_str)).map_err(Failure);
        let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
        let max_payload_in_mb = number(request.max_payload_in_mb).unwrap_or(USUAL_PAYLOAD);
        let payload = usize::try_from(max_payload_in_mb).unwrap_or(usize::MAX).saturating_mul(MEGABYTE);
        let at_once = number(request.max_concurrent_transforms).map_or(1, |number| number.max(1) as usize);
        let at_once = at_once.min(MOST_AT_ONCE);
        let usual_batch = if payload == 0 { USUAL_PAYLOAD as usize * MEGABYTE } else { payload };
        let client = request.model_client_config.as_ref();
        let plan = Self {
            gzip: input.compression_type == Some(CompressionType::Gzip),
            lines,
            single_record: request.batch_strategy == Some(BatchStrategy::SingleRecord),
            record_bytes: if payload == 0 { LARGEST_PAYLOAD } else { payload },
            batch_bytes: usual_batch.min(ALL_PAYLOADS / at_once),
            at_once,
            timeout: number(client.and_then(|client| client.invocations_timeout_in_seconds))
                .map_or(USUAL_TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
            retries: number(client.and_then(|client| client.invocations_max_retries)).unwrap_or(USUAL_RETRIES),
            headers: headers(input.content_type.as_deref(), output.accept.as_deref())?,
            input_format: input.content_type.as_deref().and_then(Format::of_content_type),
            accept_format: output.accept.as_deref().and_then(Format::of_content_type),
            input_filter: filter(processing.and_then(|processing| processing.input_filter.as_ref()))?,
            output_filter: filter(processing.and_then(|processing| processing.output_filter.as_ref()))?,
            join: processing.and_then(|processing| processing.join_source) == Some(JoinSource::Input),
            inference_id: request.data_capture_config.as_ref().and_then(|capture| capture.generate_inference_id)
                == Some(true),
            assemble_lines: output.assemble_with == Some(AssemblyType::Line),
            max_payload_in_mb,
        };
        if plan.input_format.is_none() && (plan.join || !plan.input_filter.is_root()) {
            return Err(Failure(format!(
                "InputFilter and JoinSource need TransformInput.ContentType text/csv, application/json or \
                 application/jsonlines, not {}",
                input.content_type.as_deref().unwrap_or("none")
            )));
        }
        Ok(plan)
    }

    /// Whether answers are more than put one after the other.
    pub(super) fn changes_answers(&self) -> bool {
        self.join || self.inference_id || !self.output_filter.is_root()
    }

    /// What the model's server is told.
    pub(super) fn batch_specification(&self) -> BatchSpecification {
        BatchSpecification {
            max_concurrent_transforms: u32::try_from(self.at_once).unwrap_or(u32::MAX),
            max_payload_in_mb: self.max_payload_in_mb,
            strategy: if self.single_record { "SINGLE_RECORD" } else { "MULTI_RECORD" }.to_owned(),
        }
    }
}

fn headers(content_type: Option<&str>, accept: Option<&str>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let fields = [
        (header::CONTENT_TYPE, "TransformInput.ContentType", content_type),
        (header::ACCEPT, "TransformOutput.Accept", accept),
    ];
    for (name, member, text) in fields {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let value = HeaderValue::from_str(text)
                .map_err(|_| Failure(format!("{member} cannot be a header of a request: {text}")))?;
            headers.insert(name, value);
        }
    }
    Ok(headers)
}
