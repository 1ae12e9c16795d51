//! What a schedule is told: the checks of a `MonitoringScheduleConfig` and its defaults.

use jiff::SignedDuration;
use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::{
    MonitoringJobDefinition, MonitoringScheduleConfig, MonitoringType, ScheduleConfig,
};
use watchkeeper_aws::types::{Extensions, ScheduleExpression};

use crate::control::addresses::check_uri;
use crate::control::job_definition::JobDefinition;
use crate::control::monitoring_input::{self, Baseline, USUAL_TIME_LIMIT};
use crate::control::processing_job::ProcessingJob;

/// The longest window of the analysis times.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What a configuration names, as far as it is there, and what the service's settings allow.
#[derive(Clone, Copy, Debug, Default)]
pub struct References<'a> {
    /// The named definition.
    pub definition: Option<&'a JobDefinition>,
    /// The baselining job of an embedded definition.
    pub baselining_job: Option<&'a ProcessingJob>,
    /// What expressions are taken beyond those of AWS.
    pub extensions: Extensions,
}

/// A configuration with its defaults, and what it says.
pub struct Filled {
    /// As it was sent, with what the service fills in.
    pub config: MonitoringScheduleConfig,
    /// What kind of monitor it runs.
    pub monitoring_type: MonitoringType,
    /// The endpoint it watches.
    pub endpoint_name: Option<String>,
}

/// Checks a configuration and fills in what it leaves out.
pub fn fill(
    mut config: MonitoringScheduleConfig,
    schedule_name: &str,
    references: &References<'_>,
) -> Result<Filled, Error> {
    let (monitoring_type, endpoint_name, time_limit) =
        match (&mut config.monitoring_job_definition, &config.monitoring_job_definition_name) {
            (Some(_), Some(_)) => {
                return Err(Error::validation(
                    "Only one of MonitoringJobDefinition and MonitoringJobDefinitionName can be specified",
                ));
            }
            (None, None) => {
                return Err(Error::validation(
                    "Either MonitoringJobDefinition or MonitoringJobDefinitionName is required",
                ));
            }
            (Some(embedded), None) => {
                let monitoring_type = config.monitoring_type.unwrap_or(MonitoringType::DataQuality);
                fill_embedded(embedded, references.baselining_job)?;
                let endpoint = embedded.monitoring_inputs.iter().find_map(|input| input.endpoint_input.as_ref());
                let time_limit = embedded.stopping_condition.as_ref();
                (
                    monitoring_type,
                    endpoint.map(|input| input.endpoint_name.clone()),
                    time_limit.map_or(USUAL_TIME_LIMIT, |condition| condition.max_runtime_in_seconds),
                )
            }
            (None, Some(name)) => {
                let Some(definition) = references.definition else {
                    return Err(definition_not_found(name, config.monitoring_type));
                };
                let specification = &definition.specification;
                (
                    specification.monitoring_type(),
                    specification.endpoint_name().map(str::to_owned),
                    specification.time_limit(),
                )
            }
        };
    config.monitoring_type = Some(monitoring_type);
    let schedule = config.schedule_config.get_or_insert_with(|| daily(schedule_name));
    check_schedule(schedule, monitoring_type, time_limit, references.extensions)?;
    Ok(Filled { config, monitoring_type, endpoint_name })
}

/// The error for a definition that a schedule names and that there is not.
pub fn definition_not_found(name: &str, monitoring_type: Option<MonitoringType>) -> Error {
    let kind = monitoring_type.map(|kind| format!("{kind} ")).unwrap_or_default();
    Error::validation(format!("Could not find {kind}monitoring job definition \"{name}\"."))
}

/// The error for a name that definitions of several kinds have, where the request does not say which kind it means.
pub fn definition_ambiguous(name: &str) -> Error {
    Error::validation(format!(
        "MonitoringType is required because there are monitoring job definitions of several types with the name \"{name}\"."
    ))
}

fn fill_embedded(
    definition: &mut MonitoringJobDefinition,
    baselining_job: Option<&ProcessingJob>,
) -> Result<(), Error> {
    for input in &mut definition.monitoring_inputs {
        monitoring_input::fill(input.endpoint_input.as_mut(), input.batch_transform_input.as_mut())?;
    }
    monitoring_input::fill_output(&mut definition.monitoring_output_config)?;
    monitoring_input::fill_time_limit(&mut definition.stopping_condition);
    if let Some(network) = &mut definition.network_config {
        network.enable_network_isolation.get_or_insert(false);
        network.enable_inter_container_traffic_encryption.get_or_insert(false);
    }
    let app = &definition.monitoring_app_specification;
    let scripts = [
        ("RecordPreprocessorSourceUri", &app.record_preprocessor_source_uri),
        ("PostAnalyticsProcessorSourceUri", &app.post_analytics_processor_source_uri),
    ];
    for (member, uri) in scripts {
        if let Some(uri) = uri {
            check_uri(member, uri)?;
        }
    }
    let Some(baseline) = &mut definition.baseline_config else { return Ok(()) };
    let baseline = Baseline {
        job_name: baseline.baselining_job_name.as_deref(),
        constraints: &mut baseline.constraints_resource,
        statistics: Some(&mut baseline.statistics_resource),
    };
    baseline.resolve(MonitoringType::DataQuality, baselining_job)
}

/// Once a day, at an hour that the name decides, so that the schedules without an expression are spread over the day.
fn daily(schedule_name: &str) -> ScheduleConfig {
    let hour = schedule_name.to_lowercase().bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 24);
    ScheduleConfig {
        schedule_expression: format!("cron(0 {hour} ? * * *)"),
        data_analysis_start_time: None,
        data_analysis_end_time: None,
    }
}

fn check_schedule(
    schedule: &ScheduleConfig,
    monitoring_type: MonitoringType,
    time_limit: i32,
    extensions: Extensions,
) -> Result<(), Error> {
    let expression = ScheduleExpression::parse(&schedule.schedule_expression, extensions)
        .map_err(|error| Error::validation(error.to_string()))?;
    check_window(schedule, &expression)?;
    check_time_limit(&expression, monitoring_type, time_limit)
}

fn check_window(schedule: &ScheduleConfig, expression: &ScheduleExpression) -> Result<(), Error> {
    let offset =
        |member, text: &Option<String>| text.as_deref().map(|text| monitoring_input::offset(member, text)).transpose();
    let start = offset("DataAnalysisStartTime", &schedule.data_analysis_start_time)?;
    let end = offset("DataAnalysisEndTime", &schedule.data_analysis_end_time)?;
    if expression.is_now() && (start.is_none() || end.is_none()) {
        return Err(Error::validation(
            "DataAnalysisStartTime and DataAnalysisEndTime are required when ScheduleExpression is NOW",
        ));
    }
    if start.is_none() && end.is_none() {
        return Ok(());
    }
    let start = start.map_or(-expression.period(), |start| start.duration());
    let end = end.map_or(SignedDuration::ZERO, |end| end.duration());
    if start >= end {
        return Err(Error::validation("DataAnalysisStartTime must be earlier than DataAnalysisEndTime"));
    }
    if end - start > LONGEST_WINDOW {
        return Err(Error::validation(
            "DataAnalysisEndTime must not follow DataAnalysisStartTime by more than 24 hours",
        ));
    }
    Ok(())
}

/// A job must have ended when the next one begins; of model quality and bias, whose executions are two jobs, each has
/// half the time. The hour that the service itself fills in is never refused.
fn check_time_limit(
    expression: &ScheduleExpression,
    monitoring_type: MonitoringType,
    time_limit: i32,
) -> Result<(), Error> {
    if expression.is_now() || time_limit == USUAL_TIME_LIMIT {
        return Ok(());
    }
    let is_hourly = expression.period() <= SignedDuration::from_hours(1);
    let has_merge = matches!(monitoring_type, MonitoringType::ModelQuality | MonitoringType::ModelBias);
    let longest = expression.period().as_secs() / if is_hourly && has_merge { 2 } else { 1 };
    if i64::from(time_limit) <= longest {
        return Ok(());
    }
    Err(Error::validation(format!(
        "MaxRuntimeInSeconds {time_limit} must be less than or equal to {longest} for a {monitoring_type} monitoring \
         schedule with the expression {}",
        expression.as_str()
    )))
}
