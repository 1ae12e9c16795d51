//! The inputs of a job: the baseline's files, the data, scripts and configuration.

use jiff::Timestamp;
use watchkeeper_aws::generated::sagemaker::{
    ProcessingInput, ProcessingS3CompressionType, ProcessingS3DataDistributionType, ProcessingS3DataType,
    ProcessingS3Input, ProcessingS3InputMode,
};
use watchkeeper_aws::types::S3Uri;

use super::definition::Source;
use super::{Planned, hour_path};

/// The most inputs that a job can have.
pub(super) const MOST_INPUTS: usize = 10;

pub(super) const STATISTICS_FOLDER: &str = "/opt/ml/processing/baseline/stats";
pub(super) const CONSTRAINTS_FOLDER: &str = "/opt/ml/processing/baseline/constraints";
pub(super) const PREPROCESSOR_FOLDER: &str = "/opt/ml/processing/code/preprocessing";
pub(super) const POSTPROCESSOR_FOLDER: &str = "/opt/ml/processing/code/postprocessing";
const ANALYSIS_CONFIG_FOLDER: &str = "/opt/ml/processing/input/config";

/// Where the data of a window is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Folders of an endpoint's captures.
    Captures {
        /// Where the endpoint's captures go.
        destination: S3Uri,
        /// The hours with data, in order.
        hours: Vec<CaptureHour>,
    },
    /// What batch transform jobs captured: lists of objects, in order.
    Manifests(Vec<Manifest>),
    /// What a merge is going to write.
    Merged {
        /// The folder that all of it goes to.
        folder: S3Uri,
        /// The folder's name.
        name: String,
    },
}

/// An hour of a variant in which something was captured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaptureHour {
    /// The variant.
    pub variant: String,
    /// The hour's first moment.
    pub hour: Timestamp,
}

/// A list of objects that a batch transform job read or wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manifest {
    /// The first moment of the hour in whose folder it is.
    pub hour: Timestamp,
    /// The manifest.
    pub uri: S3Uri,
}

/// All inputs. The baseline's come first and are called `baseline` and `constraints`, as scripts expect.
pub(super) fn inputs(planned: &Planned<'_>) -> Vec<ProcessingInput> {
    let definition = planned.definition;
    let file = |name: &str, uri: Option<&String>, folder: &str| uri.map(|uri| prefix(name, uri, folder.to_owned()));
    let files = [
        file("baseline", planned.baseline.statistics.as_ref(), STATISTICS_FOLDER),
        file("constraints", planned.baseline.constraints.as_ref(), CONSTRAINTS_FOLDER),
        file("analysis_config", definition.analysis_config.as_ref(), ANALYSIS_CONFIG_FOLDER),
        file("preprocessor_script_input", definition.record_preprocessor.as_ref(), PREPROCESSOR_FOLDER),
        file("post_processor_script_input", definition.post_analytics_processor.as_ref(), POSTPROCESSOR_FOLDER),
    ];
    let mut inputs: Vec<ProcessingInput> = files.into_iter().flatten().collect();
    let room = MOST_INPUTS - inputs.len();
    let at = if inputs.first().is_some_and(|input| input.input_name == "baseline") { 2 } else { 1 };
    let data = data_inputs(planned, room);
    let at = at.min(inputs.len());
    inputs.splice(at..at, data);
    inputs
}

pub(super) fn data_inputs(planned: &Planned<'_>, room: usize) -> Vec<ProcessingInput> {
    let input = &planned.definition.input;
    let places = match planned.data {
        Data::Captures { destination, hours } => {
            let Source::Endpoint { name } = &input.source else { return Vec::new() };
            let hours: Vec<(&str, Timestamp)> = hours.iter().map(|hour| (hour.variant.as_str(), hour.hour)).collect();
            hour_folders(&hours, room)
                .into_iter()
                .map(|folder| {
                    let uri = below(&destination.join(&format!("/{name}")), &folder).to_string();
                    let path = format!("{name}/{}", folder.trim_end_matches('/'));
                    (uri, path.trim_end_matches('/').to_owned(), ProcessingS3DataType::S3Prefix)
                })
                .collect()
        }
        Data::Manifests(manifests) => manifest_folders(manifests, &planned.schedule.name),
        Data::Merged { folder, name } => vec![(folder.to_string(), name.clone(), ProcessingS3DataType::S3Prefix)],
    };
    let input_of = |(index, (uri, path, data_type)): (usize, (String, String, ProcessingS3DataType))| {
        let name = data_input(index + 1);
        let folder = format!("{}/{path}", input.local_path.trim_end_matches('/'));
        let mut made = prefix(&name, &uri, folder);
        if let Some(made) = &mut made.s3_input {
            made.s3_data_type = data_type;
            made.s3_input_mode = input.mode.or(made.s3_input_mode);
            made.s3_data_distribution_type = input.distribution.or(made.s3_data_distribution_type);
        }
        made
    };
    places.into_iter().enumerate().map(input_of).collect()
}

/// Folders that hold hours, of each of which is given what stands above it, such as a variant, and the hour, in order: one
/// an hour, or where there is no room for that one a day, a month, a year, one for all, of each that stands above; or all there
/// is. The job's program leaves out what is not in the window.
pub(super) fn hour_folders(hours: &[(&str, Timestamp)], room: usize) -> Vec<String> {
    const LENGTHS: [usize; 5] = ["2021/05/18/01".len(), "2021/05/18".len(), "2021/05".len(), "2021".len(), 0];
    let folders = |length: usize| {
        let mut folders: Vec<String> = hours
            .iter()
            .map(|(above, hour)| {
                // A slash at the end where a variant's name is the end: another variant's name may begin with it.
                let above = if above.is_empty() { String::new() } else { format!("{above}/") };
                let path = hour_path(*hour);
                format!("{above}{}", &path[..length.min(path.len())])
            })
            .collect();
        folders.dedup();
        folders
    };
    LENGTHS.into_iter().map(folders).find(|folders| folders.len() <= room).unwrap_or_else(|| vec![String::new()])
}

/// A folder below another; the other itself with a slash at its end, as the names of its neighbours may begin like its own.
pub(super) fn below(whole: &S3Uri, folder: &str) -> S3Uri {
    let is_whole = folder.is_empty() && !whole.key.is_empty() && !whole.key.ends_with('/');
    whole.join(if is_whole { "/" } else { folder })
}

/// The folder of each manifest's hour; where several are in one hour, a folder of its own for each but the first, as they
/// may name objects alike.
fn manifest_folders(manifests: &[Manifest], schedule: &str) -> Vec<(String, String, ProcessingS3DataType)> {
    let mut before = None;
    manifests
        .iter()
        .map(|manifest| {
            let folder = format!("{schedule}/{}", hour_path(manifest.hour));
            let is_first = before.replace(manifest.hour) != Some(manifest.hour);
            let name = manifest.uri.key.rsplit('/').next().unwrap_or_default();
            let name = name.strip_suffix(".json").unwrap_or(name);
            let path = if is_first { folder } else { format!("{folder}/{name}") };
            (manifest.uri.to_string(), path, ProcessingS3DataType::ManifestFile)
        })
        .collect()
}

/// The name of an input of what is analysed, counted from one.
pub(super) fn data_input(number: usize) -> String {
    format!("endpoint_input_{number}")
}

/// An input from a prefix, every member given: clients check that they are there.
pub(super) fn prefix(name: &str, uri: &str, local_path: String) -> ProcessingInput {
    ProcessingInput {
        input_name: name.to_owned(),
        app_managed: Some(false),
        s3_input: Some(ProcessingS3Input {
            s3_uri: uri.to_owned(),
            local_path: Some(local_path),
            s3_data_type: ProcessingS3DataType::S3Prefix,
            s3_input_mode: Some(ProcessingS3InputMode::File),
            s3_data_distribution_type: Some(ProcessingS3DataDistributionType::FullyReplicated),
            s3_compression_type: Some(ProcessingS3CompressionType::None),
        }),
        dataset_definition: None,
    }
}

/// The last part of an address: the name of the file that an input makes of it.
pub(super) fn file_name(uri: &str) -> &str {
    uri.trim_end_matches('/').rsplit('/').next().unwrap_or(uri)
}
