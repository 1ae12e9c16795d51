//! Bodies of requests: many records, or one, in the format that the model takes.

use watchkeeper_formats::clarify::PredictorConfig;

use super::PredictorError;
use super::cells::CellStyle;
use super::template::Template;

/// The format of a body, of a request's or an answer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentKind {
    Csv,
    JsonLines,
    Json,
}

impl ContentKind {
    /// By the name of a content type, parameters aside.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "text/csv" => Some(Self::Csv),
            "application/jsonlines" | "application/x-jsonlines" | "application/x-ndjson" => Some(Self::JsonLines),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// How records become bodies.
#[derive(Clone, Debug)]
pub(super) enum RequestFormat {
    Csv,
    /// A record a line.
    JsonLines(Template),
    Json {
        content: Template,
        record: Template,
    },
}

/// A body and how many records it holds.
pub(super) struct Body {
    pub bytes: Vec<u8>,
    pub records: usize,
    /// Whether it is full: the next record would have made it too long.
    pub is_full: bool,
}

impl RequestFormat {
    pub(super) fn new(
        kind: ContentKind,
        config: &PredictorConfig,
        features: &[String],
    ) -> Result<Self, PredictorError> {
        let wrong = |problem: String| PredictorError::Configuration(format!("predictor: {problem}"));
        let content = config.content_template.as_ref().map(|template| template.0.as_str());
        let record = config.record_template.as_ref().map(|template| template.0.as_str());
        match (kind, content, record) {
            (ContentKind::Csv, _, _) => Ok(Self::Csv),
            (ContentKind::JsonLines, Some(content), _) => {
                let template = Template::of_record("content_template", content, features).map_err(wrong)?;
                Ok(Self::JsonLines(template.in_one_line()))
            }
            (ContentKind::JsonLines, None, _) => Err(wrong(
                "content_template is missing; a model of application/jsonlines needs one, such as {\"features\":$features}".to_owned(),
            )),
            (ContentKind::Json, Some(content), Some(record)) => Ok(Self::Json {
                content: Template::of_content("content_template", content, features).map_err(wrong)?,
                record: Template::of_record("record_template", record, features).map_err(wrong)?,
            }),
            (ContentKind::Json, content, _) => Err(wrong(format!(
                "{} is missing; a model of application/json needs both a content_template, such as {{\"instances\":$records}}, and a \
                 record_template, such as {{\"features\":$features}}",
                if content.is_none() { "content_template" } else { "record_template" }
            ))),
        }
    }

    /// How the cells of its records are written.
    pub(super) fn cell_style(&self) -> CellStyle {
        match self {
            Self::Csv => CellStyle::Csv,
            Self::JsonLines(_) | Self::Json { .. } => CellStyle::Json,
        }
    }

    /// Whether a body holds a single record.
    pub(super) fn takes_one_record(&self) -> bool {
        matches!(self, Self::Json { content, .. } if content.takes_one_record())
    }

    /// A body of as many of the records as fit into `longest` bytes; of one at least.
    pub(super) fn body<'a>(&self, records: impl Iterator<Item = &'a [u8]>, longest: usize) -> Body {
        let (before, between, after): (&[u8], &[u8], &[u8]) = match self {
            Self::Csv | Self::JsonLines(_) => (b"", b"\n", b""),
            Self::Json { content, .. } => (content.before_records(), b",", content.after_records()),
        };
        let in_array = matches!(self, Self::Json { .. }) && !self.takes_one_record();
        let mut body = Body { bytes: before.to_vec(), records: 0, is_full: false };
        if in_array {
            body.bytes.push(b'[');
        }
        for record in records {
            let start = body.bytes.len();
            if body.records > 0 {
                body.bytes.extend_from_slice(between);
            }
            match self {
                Self::Csv => body.bytes.extend_from_slice(record),
                Self::JsonLines(template) | Self::Json { record: template, .. } => {
                    template.render_record(&mut body.bytes, record);
                }
            }
            if body.records > 0 && body.bytes.len() + after.len() >= longest {
                body.bytes.truncate(start);
                body.is_full = true;
                break;
            }
            body.records += 1;
        }
        if in_array {
            body.bytes.push(b']');
        }
        body.bytes.extend_from_slice(after);
        body
    }
}
