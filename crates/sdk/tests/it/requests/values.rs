//! Values of cases, made into what this SDK takes.

mod clarify;

use std::path::PathBuf;

pub use clarify::{
    bias_analysis, bias_config, explainability_analysis, explainability_configs, label_config, methods, model_config,
    model_scores,
};
use clarify::{name_or_index, segmentation_config, time_series_data_config};
use serde_json::{Map, Value};
use watchkeeper::clarify::DataConfig;
use watchkeeper::inputs::BatchDataCaptureConfig;
use watchkeeper::model_monitor::{
    BaselineOutput, BatchTransformInput, CategoricalDriftMethod, Constraints, ConstraintsSource,
    CronExpressionGenerator, DataCaptureConfig, DataQualityDistributionConstraints, DataQualityMonitoringConfig,
    DatasetFormat, EndpointInput, MonitoredInput, MonitoringDatasetFormat, MonitoringOutput, OutputColumnsPosition,
    Statistics, StatisticsSource,
};
use watchkeeper::network::NetworkConfig;
use watchkeeper::processing::{ExperimentConfig, FeatureStoreOutput, ProcessingInput, ProcessingOutput, S3Input, Wait};
use watchkeeper::{Result, S3Uri, ScheduleExpression, Session, Source};

pub type Arguments = Map<String, Value>;

/// Sets the parameters of a request or a value by the setters of their names, and fails on one that has no setter.
macro_rules! set {
    ($made:ident, $arguments:expr, $value:ident => { $($setter:ident: $converted:expr,)* }) => {
        for (name, $value) in $arguments {
            $made = match name.as_str() {
                $(stringify!($setter) => $made.$setter($converted),)*
                other => panic!("no setter for the parameter {other}"),
            };
        }
    };
}

pub(crate) use set;

/// The arguments but these, which are required and said elsewhere.
pub fn but<'a>(arguments: &'a Arguments, required: &'a [&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    arguments.iter().filter(move |(name, _)| !required.contains(&name.as_str()))
}

/// The class and the arguments of `{"$Class": {...}}`.
pub fn class_of(value: &Value) -> Option<(&str, &Value)> {
    let (name, content) = value.as_object()?.iter().next()?;
    Some((name.strip_prefix('$')?, content))
}

/// The arguments of a value of this class.
pub fn arguments_of<'a>(value: &'a Value, class: &str) -> &'a Arguments {
    match class_of(value) {
        Some((name, Value::Object(arguments))) if name == class => arguments,
        _ => panic!("{value} is no {class}"),
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(text).collect()
}

pub fn flag(value: &Value) -> bool {
    value.as_bool().unwrap()
}

pub fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

pub fn decimal(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub fn uri(value: &Value) -> S3Uri {
    text(value).parse().unwrap()
}

pub fn pairs(value: &Value) -> Vec<(&str, &str)> {
    value.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

pub fn tags(value: &Value) -> Vec<(&str, &str)> {
    value.as_array().unwrap().iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

/// `wait` and `logs` as one word, when one of them is given.
pub fn wait(arguments: &Arguments, default: (bool, bool)) -> Option<Wait> {
    let (wait, logs) = (arguments.get("wait"), arguments.get("logs"));
    let is_given = wait.is_some() || logs.is_some();
    is_given.then(|| match (wait.map_or(default.0, flag), logs.map_or(default.1, flag)) {
        (false, _) => Wait::No,
        (true, false) => Wait::Quietly,
        (true, true) => Wait::WithLogs,
    })
}

/// What lies ready, as `values.py` has it.
const FILES: &[(&str, &str)] = &[
    ("train.csv", "label,age\n1,39\n0,50\n"),
    ("preprocess.py", "def preprocess_handler(record):\n    return record\n"),
    ("postprocess.py", "def postprocess_handler():\n    pass\n"),
    ("folder/first.csv", "1,2\n"),
    ("statistics.json", r#"{"version": 0.0, "dataset": {"item_count": 2}, "features": []}"#),
    ("constraints.json", r#"{"version": 0.0, "features": []}"#),
    ("constraint_violations.json", r#"{"violations": []}"#),
];

/// Makes values, of which some are files and some are read from S3.
pub struct Values {
    folder: tempfile::TempDir,
    pub session: Session,
}

impl Values {
    pub fn new(session: Session) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder, session }
    }

    pub fn path(&self, value: &Value) -> PathBuf {
        let path = self.folder.path().join(text(&value["$file"]));
        if path.ends_with("large.csv") {
            // Three parts long; only one case has it.
            std::fs::write(&path, "0123456789abcdef".repeat(17 << 16)).unwrap();
        }
        path
    }

    pub fn source(&self, value: &Value) -> Source {
        if value.is_string() { uri(value).into() } else { self.path(value).into() }
    }

    pub async fn statistics(&self, value: &Value) -> Result<StatisticsSource> {
        if value.is_string() {
            return Ok(uri(value).into());
        }
        let arguments = arguments_of(value, "Statistics.from_s3_uri");
        let file = Statistics::from_s3_uri(&self.session, uri(&arguments["statistics_file_s3_uri"])).await?;
        Ok(file.into())
    }

    pub async fn constraints(&self, value: &Value) -> Result<ConstraintsSource> {
        if value.is_string() {
            return Ok(uri(value).into());
        }
        let arguments = arguments_of(value, "Constraints.from_s3_uri");
        let file = Constraints::from_s3_uri(&self.session, uri(&arguments["constraints_file_s3_uri"])).await?;
        Ok(file.into())
    }

    pub fn processing_inputs(&self, value: &Value) -> Vec<ProcessingInput> {
        value.as_array().unwrap().iter().map(|value| self.processing_input(value)).collect()
    }

    fn processing_input(&self, value: &Value) -> ProcessingInput {
        let arguments = arguments_of(value, "ProcessingInput");
        if let Some(input) = arguments.get("s3_input") {
            return ProcessingInput::from_s3_input(s3_input(input));
        }
        let mut made = ProcessingInput::new(self.source(&arguments["source"]), text(&arguments["destination"]));
        set!(made, but(arguments, &["source", "destination"]), value => {
            input_name: text(value),
            s3_data_type: text(value),
            s3_input_mode: text(value),
            s3_data_distribution_type: text(value),
            s3_compression_type: text(value),
            app_managed: flag(value),
        });
        made
    }

    pub fn data_config(&self, value: &Value) -> DataConfig {
        let arguments = arguments_of(value, "DataConfig");
        let mut made =
            DataConfig::new(self.source(&arguments["s3_data_input_path"]), uri(&arguments["s3_output_path"]));
        set!(made, but(arguments, &["s3_data_input_path", "s3_output_path"]), value => {
            s3_analysis_config_output_path: uri(value),
            label: name_or_index(value),
            headers: texts(value),
            features: text(value),
            dataset_type: text(value),
            s3_compression_type: text(value),
            joinsource: name_or_index(value),
            facet_dataset_uri: uri(value),
            facet_headers: texts(value),
            predicted_label_dataset_uri: uri(value),
            predicted_label_headers: texts(value),
            predicted_label: name_or_index(value),
            excluded_columns: all(value, name_or_index),
            segmentation_config: all(value, segmentation_config),
            time_series_data_config: time_series_data_config(value),
        });
        made
    }
}

fn s3_input(value: &Value) -> S3Input {
    let arguments = arguments_of(value, "S3Input");
    let mut made = S3Input::new(uri(&arguments["s3_uri"]));
    for (name, value) in but(arguments, &["s3_uri"]) {
        let value = text(value);
        match name.as_str() {
            "local_path" => made.local_path = Some(value.to_owned()),
            "s3_data_type" => made.s3_data_type = Some(value.into()),
            "s3_input_mode" => made.s3_input_mode = Some(value.into()),
            "s3_data_distribution_type" => made.s3_data_distribution_type = Some(value.into()),
            "s3_compression_type" => made.s3_compression_type = Some(value.into()),
            other => panic!("no member for the parameter {other}"),
        }
    }
    made
}

/// What is monitored: an endpoint by its name, or an input.
pub fn monitored_input(arguments: &Arguments) -> MonitoredInput {
    match arguments.get("endpoint_input") {
        Some(input) => endpoint_input(input),
        None => batch_input(&arguments["batch_transform_input"]).into(),
    }
}

/// What both inputs may say of themselves, as `ATTRIBUTES` of `inputs.py`.
macro_rules! set_attributes {
    ($made:ident, $arguments:expr) => {
        set!($made, $arguments, value => {
            s3_input_mode: text(value).into(),
            s3_data_distribution_type: text(value).into(),
            start_time_offset: offset(value),
            end_time_offset: offset(value),
            features_attribute: text(value),
            inference_attribute: text(value),
            probability_attribute: text(value),
            probability_threshold_attribute: decimal(value),
            exclude_features_attribute: text(value),
        });
    };
}

pub fn endpoint_input(value: &Value) -> MonitoredInput {
    if let Some(name) = value.as_str() {
        return name.into();
    }
    let arguments = arguments_of(value, "EndpointInput");
    let mut made = EndpointInput::new(text(&arguments["endpoint_name"]), text(&arguments["destination"]));
    set_attributes!(made, but(arguments, &["endpoint_name", "destination"]));
    made.into()
}

pub fn batch_input(value: &Value) -> BatchTransformInput {
    let arguments = arguments_of(value, "BatchTransformInput");
    let format = &arguments["dataset_format"];
    let mut made = BatchTransformInput::new(
        uri(&arguments["data_captured_destination_s3_uri"]),
        text(&arguments["destination"]),
        monitoring_dataset_format(format),
    );
    let required = ["data_captured_destination_s3_uri", "destination", "dataset_format"];
    set_attributes!(made, but(arguments, &required));
    made
}

pub fn offset(value: &Value) -> watchkeeper::TimeOffset {
    text(value).parse().unwrap()
}

fn monitoring_dataset_format(value: &Value) -> MonitoringDatasetFormat {
    let (class, arguments) = class_of(value).unwrap();
    let setting = |name: &str| arguments.get(name).is_none_or(flag);
    match class {
        "MonitoringDatasetFormat.csv" => MonitoringDatasetFormat::csv(setting("header")),
        "MonitoringDatasetFormat.json" => MonitoringDatasetFormat::json(setting("lines")),
        "MonitoringDatasetFormat.parquet" => MonitoringDatasetFormat::parquet(),
        other => panic!("no format {other}"),
    }
}

pub fn dataset_format(value: &Value) -> DatasetFormat {
    let (class, arguments) = class_of(value).unwrap();
    let setting = |name: &str| arguments.get(name).is_none_or(flag);
    match class {
        "DatasetFormat.csv" => match arguments.get("output_columns_position").map(text) {
            Some("END") => {
                DatasetFormat::Csv { header: setting("header"), output_columns_position: OutputColumnsPosition::End }
            }
            _ => DatasetFormat::csv(setting("header")),
        },
        "DatasetFormat.json" => DatasetFormat::json(setting("lines")),
        "DatasetFormat.sagemaker_capture_json" => DatasetFormat::sagemaker_capture_json(),
        other => panic!("no format {other}"),
    }
}

pub fn cron(value: &Value) -> ScheduleExpression {
    let (class, arguments) = class_of(value).unwrap();
    let hour = |name: &str| arguments.get(name).map_or(0, |hour| u8::try_from(number(hour)).unwrap());
    match class {
        "CronExpressionGenerator.hourly" => CronExpressionGenerator::hourly(),
        "CronExpressionGenerator.daily" => CronExpressionGenerator::daily(hour("hour")).unwrap(),
        "CronExpressionGenerator.daily_every_x_hours" => {
            CronExpressionGenerator::daily_every_x_hours(hour("hour_interval"), hour("starting_hour")).unwrap()
        }
        "CronExpressionGenerator.now" => CronExpressionGenerator::now(),
        other => panic!("no expression {other}"),
    }
}

pub fn network_config(value: &Value) -> NetworkConfig {
    let mut made = NetworkConfig::new();
    set!(made, arguments_of(value, "NetworkConfig"), value => {
        enable_network_isolation: flag(value),
        encrypt_inter_container_traffic: flag(value),
        security_group_ids: texts(value),
        subnets: texts(value),
    });
    made
}

pub fn baseline_output(value: &Value) -> BaselineOutput {
    if let Some(path) = value.as_str() {
        return path.into();
    }
    let arguments = arguments_of(value, "ProcessingOutput");
    let mut made = ProcessingOutput::new(text(&arguments["source"]));
    set!(made, but(arguments, &["source"]), value => {
        destination: uri(value),
        output_name: text(value),
        s3_upload_mode: text(value),
        app_managed: flag(value),
        feature_store_output: feature_store_output(value),
    });
    made.into()
}

fn feature_store_output(value: &Value) -> FeatureStoreOutput {
    let name = text(&arguments_of(value, "FeatureStoreOutput")["feature_group_name"]);
    FeatureStoreOutput::new(name)
}

pub fn monitoring_output(value: &Value) -> MonitoringOutput {
    let arguments = arguments_of(value, "MonitoringOutput");
    let mut made = MonitoringOutput::new(text(&arguments["source"]));
    set!(made, but(arguments, &["source"]), value => {
        destination: uri(value),
        s3_upload_mode: text(value).into(),
    });
    made
}

pub fn monitoring_config(value: &Value) -> DataQualityMonitoringConfig {
    let mut made = DataQualityMonitoringConfig::new();
    set!(made, arguments_of(value, "DataQualityMonitoringConfig"), value => {
        distribution_constraints: distribution_constraints(value),
    });
    made
}

fn distribution_constraints(value: &Value) -> DataQualityDistributionConstraints {
    let mut made = DataQualityDistributionConstraints::new();
    set!(made, arguments_of(value, "DataQualityDistributionConstraints"), value => {
        categorical_drift_method: serde_json::from_value::<CategoricalDriftMethod>(value.clone()).unwrap(),
    });
    made
}

pub fn data_capture_config(value: &Value) -> DataCaptureConfig {
    let arguments = arguments_of(value, "DataCaptureConfig");
    let mut made = DataCaptureConfig::new(flag(&arguments["enable_capture"]));
    set!(made, but(arguments, &["enable_capture"]), value => {
        sampling_percentage: number(value),
        destination_s3_uri: uri(value),
        kms_key_id: text(value),
        capture_options: texts(value),
        csv_content_types: texts(value),
        json_content_types: texts(value),
    });
    made
}

pub fn batch_data_capture_config(value: &Value) -> BatchDataCaptureConfig {
    let arguments = arguments_of(value, "BatchDataCaptureConfig");
    let mut made = BatchDataCaptureConfig::new(uri(&arguments["destination_s3_uri"]));
    set!(made, but(arguments, &["destination_s3_uri"]), value => {
        kms_key_id: text(value),
        generate_inference_id: flag(value),
    });
    made
}

pub fn all<T>(value: &Value, converted: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(converted).collect()
}

pub fn experiment_config(value: &Value) -> ExperimentConfig {
    serde_json::from_value(value.clone()).unwrap()
}
