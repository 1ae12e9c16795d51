//! The configuration of an analysis, from a file and from what is said on the command line.

use std::path::Path;

use anyhow::{Context as _, bail};
use watchkeeper_analyzer::predictor::ModelPlace;
use watchkeeper_formats::clarify::{
    AnalysisConfig, ConfiguredValue, DatasetType, PredictorConfig, Reference, Template,
};
use watchkeeper_formats::{ClarifyJob, DatasetFormat, JobContract};

use super::{DatasetAndModel, PredictorOptions};

impl DatasetAndModel {
    /// The file or folder that is analysed.
    pub(super) fn dataset(&self) -> anyhow::Result<&Path> {
        self.dataset.as_deref().context("no dataset is given")
    }

    /// The configuration of the file, what is said here over it. What is to be computed is left as the file has it.
    pub(super) fn configuration(&self) -> anyhow::Result<AnalysisConfig> {
        let mut config = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        // The dataset is said here.
        config.dataset_uri = None;
        if let Some(dataset_type) = self.dataset_type {
            config.dataset_type = Some(dataset_type);
        }
        if config.dataset_type.is_none() {
            config.dataset_type = Some(type_of(self.dataset()?)?);
        }
        if self.features_path.is_some() {
            config.features.clone_from(&self.features_path);
        }
        if self.headers.is_some() {
            config.headers.clone_from(&self.headers);
        }
        if let Some(label) = &self.label {
            config.label = Some(reference(label));
        }
        config.excluded_columns.extend(self.exclude.iter().map(|column| reference(column)));
        if self.predictor.is_given() {
            self.predictor.go_over(config.predictor.get_or_insert_default());
        }
        Ok(config)
    }

    /// Where the model is: as said here, else the endpoint or model that the configuration names, of the service that the environment does.
    pub(super) fn model(&self, config: &AnalysisConfig) -> anyhow::Result<Option<ModelPlace>> {
        if let Some(model) = &self.model {
            if model.trim().is_empty() {
                bail!("--model is empty, expected a URL or a command");
            }
            return Ok(Some(if is_url(model) {
                ModelPlace::Url(model.clone())
            } else {
                ModelPlace::Command(model.clone())
            }));
        }
        let Some(predictor) = &config.predictor else { return Ok(None) };
        let Some(name) = predictor.endpoint_name.as_ref().or(predictor.model_name.as_ref()) else { return Ok(None) };
        let mut variables = crate::environment();
        variables.retain(|variable, _| variable.starts_with("AWS_"));
        let job = ClarifyJob::from_contract(&JobContract { variables, root: None })?;
        let service = job.service.with_context(|| {
            format!(
                "the configuration names the model `{name}` of a service, and the environment names no service; say where the model is \
                 with --model, or set the variables that `watchkeeper env` prints"
            )
        })?;
        Ok(Some(ModelPlace::Service(service)))
    }
}

impl PredictorOptions {
    fn is_given(&self) -> bool {
        let texts = [
            &self.content_type,
            &self.accept_type,
            &self.content_template,
            &self.record_template,
            &self.model_label,
            &self.model_probability,
        ];
        texts.iter().any(|text| text.is_some()) || self.label_headers.is_some()
    }

    fn go_over(&self, predictor: &mut PredictorConfig) {
        let texts =
            [(&mut predictor.content_type, &self.content_type), (&mut predictor.accept_type, &self.accept_type)];
        for (value, argument) in texts {
            if let Some(text) = argument {
                *value = Some(text.to_lowercase());
            }
        }
        let templates = [
            (&mut predictor.content_template, &self.content_template),
            (&mut predictor.record_template, &self.record_template),
        ];
        for (value, argument) in templates {
            if let Some(text) = argument {
                *value = Some(Template(text.clone()));
            }
        }
        let places = [(&mut predictor.label, &self.model_label), (&mut predictor.probability, &self.model_probability)];
        for (value, argument) in places {
            if let Some(text) = argument {
                *value = Some(reference(text));
            }
        }
        if self.label_headers.is_some() {
            predictor.label_headers.clone_from(&self.label_headers);
        }
    }
}

/// Whether a text begins as a URL does; of which schemes a model is asked is the predictor's to say.
fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn read(path: &Path) -> anyhow::Result<AnalysisConfig> {
    let of_file = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(of_file)?;
    // A monitor's configuration does as well: what it leaves out is said here.
    AnalysisConfig::parse_of_monitor(&text).with_context(of_file)
}

/// The type of a dataset by its name, for JSON by how it begins.
fn type_of(dataset: &Path) -> anyhow::Result<DatasetType> {
    let say = "say --dataset-type text/csv, application/jsonlines, application/json or application/x-parquet";
    let format = crate::dataset::guess(dataset, say)?;
    Ok(match format {
        DatasetFormat::Csv { .. } => DatasetType::Csv,
        DatasetFormat::Json { lines: true } => DatasetType::JsonLines,
        DatasetFormat::Json { lines: false } => DatasetType::Json,
        DatasetFormat::Parquet => DatasetType::Parquet,
        DatasetFormat::CaptureJson { .. } | DatasetFormat::MergeJson { .. } => bail!(
            "{}: captured data, which monitors of the service analyse; this takes CSV, JSON lines, JSON and Parquet",
            dataset.display()
        ),
    })
}

/// The name or the index of a column, or a path. A name that is a whole number is looked for by name first.
pub(super) fn reference(text: &str) -> Reference {
    Reference::Name(text.to_owned())
}

/// A value: a number where it is written as numbers are printed. Else it is a text, which in a column of numbers is read as one too, while
/// `01234` may be a code.
pub(super) fn value(text: &str) -> ConfiguredValue {
    let number = text.parse().map(ConfiguredValue::Integer).or_else(|_| text.parse().map(ConfiguredValue::Float));
    number.ok().filter(|number| number.printed() == text).unwrap_or_else(|| ConfiguredValue::Text(text.to_owned()))
}
