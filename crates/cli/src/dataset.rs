//! From a dataset as the command line names it to the job that the analyzer carries out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use watchkeeper_data::DatasetFile;
use watchkeeper_formats::{
    CaptureIndexName, DataQualityJob, DatasetFormat, JobContract, OutputColumnsPosition, Settings, contract,
};

use crate::arguments::{DatasetArguments, OutputFormat};

/// How much of a file is looked at to tell its format: a merged record with a long payload, whose label stands behind it.
const PEEK_BYTES: u64 = 16 << 20;

impl DatasetArguments {
    /// The job that reads this dataset; it writes nothing by itself.
    pub(crate) fn job(&self) -> anyhow::Result<DataQualityJob> {
        let format = self.resolved_format()?;
        let variables = crate::environment();
        let contract = JobContract { variables: variables.clone(), root: None };
        let settings = Settings::from_contract(&contract)?;
        Ok(DataQualityJob {
            dataset_format: format,
            dataset_source: self.source.clone(),
            output_path: PathBuf::new(),
            baseline_constraints: None,
            baseline_statistics: None,
            record_preprocessor_script: self.record_preprocessor_script.clone(),
            post_analytics_processor_script: None,
            publish_cloudwatch_metrics: false,
            categorical_drift_method: None,
            data_quality_monitoring_config: None,
            exclude_features: Vec::new(),
            start_time: None,
            end_time: None,
            metric_time: None,
            endpoint_name: None,
            endpoint_datacapture_prefix: None,
            monitoring_schedule_name: None,
            monitoring_input_type: None,
            output_message_file: contract::OUTPUT_MESSAGE_FILE.into(),
            cloudwatch_metrics_directory: contract::CLOUDWATCH_METRICS_DIRECTORY.into(),
            settings,
            variables,
        })
    }

    /// The format that is named, or else what the dataset looks like.
    pub(crate) fn resolved_format(&self) -> anyhow::Result<DatasetFormat> {
        match self.named_format()? {
            Some(format) => Ok(format),
            None => Ok(self.with_options(guess(&self.source, SAY_FORMAT)?)),
        }
    }

    /// The same options for another dataset. Its format is its own, where its name tells it.
    pub(crate) fn for_source(&self, source: &Path) -> Self {
        let mut other = Self { source: source.to_owned(), ..self.clone() };
        let name_tells =
            watchkeeper_data::list(source).is_ok_and(|files| watchkeeper_data::format_of(&files).is_some());
        if name_tells {
            other.dataset_format = None;
            other.format.clear();
        }
        other
    }

    /// How results are shown.
    pub(crate) fn output_format(&self) -> OutputFormat {
        if self.format.iter().any(|word| word == "json") { OutputFormat::Json } else { OutputFormat::Text }
    }

    fn named_format(&self) -> anyhow::Result<Option<DatasetFormat>> {
        let of_format = self.format.iter().filter(|word| !matches!(word.as_str(), "json" | "text"));
        let words: Vec<&String> = self.dataset_format.iter().chain(of_format).collect();
        match words.as_slice() {
            [] => Ok(None),
            [word] => self.format_of_word(word).map(Some),
            _ => bail!("the dataset's format is given more than once: {words:?}"),
        }
    }

    fn format_of_word(&self, word: &str) -> anyhow::Result<DatasetFormat> {
        if word.trim_start().starts_with('{') {
            let format = DatasetFormat::parse(word).context("the dataset's format")?;
            return Ok(self.with_options(format));
        }
        let format = match word.to_lowercase().as_str() {
            "csv" => csv(),
            "json" | "jsonl" => DatasetFormat::Json { lines: true },
            "parquet" => DatasetFormat::Parquet,
            "sagemakercapturejson" => capture(),
            "sagemakermergejson" => merged(),
            _ => bail!(
                "no dataset format `{word}`; there are csv, json, parquet, sagemakerCaptureJson and sagemakerMergeJson"
            ),
        };
        Ok(self.with_options(format))
    }

    fn with_options(&self, format: DatasetFormat) -> DatasetFormat {
        match format {
            DatasetFormat::Csv { header, output_columns_position } => DatasetFormat::Csv {
                header: header && !self.no_header,
                output_columns_position: self.output_columns_position.unwrap_or(output_columns_position),
            },
            DatasetFormat::Json { lines } => DatasetFormat::Json { lines: lines && !self.no_lines },
            DatasetFormat::CaptureJson { capture_index_names, output_columns_position } => DatasetFormat::CaptureJson {
                capture_index_names,
                output_columns_position: self.output_columns_position.or(output_columns_position),
            },
            format @ (DatasetFormat::Parquet | DatasetFormat::MergeJson { .. }) => format,
        }
    }
}

fn csv() -> DatasetFormat {
    DatasetFormat::Csv { header: true, output_columns_position: OutputColumnsPosition::default() }
}

fn capture() -> DatasetFormat {
    DatasetFormat::CaptureJson { capture_index_names: None::<Vec<CaptureIndexName>>, output_columns_position: None }
}

fn merged() -> DatasetFormat {
    DatasetFormat::MergeJson { capture_index_name: None }
}

/// What to do about a dataset whose name does not tell what it is.
const SAY_FORMAT: &str = "say --dataset-format csv, json, parquet, sagemakerCaptureJson or sagemakerMergeJson";

/// The format of a dataset by the name of its first file, and for JSON by how it begins. `advice` is what to do where they do not tell.
pub(crate) fn guess(source: &Path, advice: &str) -> anyhow::Result<DatasetFormat> {
    let files = watchkeeper_data::list(source)?;
    let Some(file) = files.first() else {
        // The analyzer says that there is no data.
        return Ok(csv());
    };
    match watchkeeper_data::format_of(&files) {
        Some(DatasetFormat::Json { lines }) => Ok(kind_of_json(file, lines)),
        Some(format) => Ok(format),
        None if source == Path::new("-") => Ok(csv()),
        None => bail!("{}: its name does not tell what it is; {advice}", file.path.display()),
    }
}

/// Captured data, with labels or without, or JSON, whose name says whether it is one object a line; else its first line does.
fn kind_of_json(file: &DatasetFile, lines: bool) -> DatasetFormat {
    let mut head = Vec::new();
    // What is read from a pipe is gone.
    let is_file = std::fs::metadata(&file.path).is_ok_and(|metadata| metadata.is_file());
    if is_file && let Ok(file) = file.open() {
        let mut reader = BufReader::new(file.take(PEEK_BYTES));
        // What cannot be read will be said by the reader.
        while reader.read_until(b'\n', &mut head).is_ok_and(|bytes| bytes > 0) && head.trim_ascii().is_empty() {
            head.clear();
        }
    }
    let is_whole = (head.len() as u64) < PEEK_BYTES;
    let head = String::from_utf8_lossy(&head);
    let first_line = head.trim();
    let is_object = first_line.starts_with('{');
    if is_object && first_line.contains("\"captureData\"") {
        return if first_line.contains("\"groundTruthData\"") { merged() } else { capture() };
    }
    let is_object_a_line = is_object && (first_line.ends_with('}') || !is_whole);
    DatasetFormat::Json { lines: lines || is_object_a_line || head.is_empty() }
}
