//! Monitors for schedules that exist: everything that the value of such a monitor holds, read from the service.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::processing::tags_of;
use crate::session::with_whole_numbers;
use crate::{Error, Result, Session};

use super::job_definition;
use super::monitor::Monitor;
use super::monitoring_type::MonitorKind;
use super::schedule::describe;

impl Monitor {
    /// The monitor of a schedule whose jobs have a definition of one of the four kinds.
    ///
    /// # Errors
    /// The schedule is of another kind, or the service refuses.
    pub(crate) async fn attach(session: &Session, kind: &'static MonitorKind, schedule_name: &str) -> Result<Self> {
        let schedule = describe(session, schedule_name).await?;
        Self::attach_to_definition(session, kind, schedule_name, &schedule).await
    }

    /// As [`Self::attach`], of a schedule that is described already.
    pub(super) async fn attach_to_definition(
        session: &Session,
        kind: &'static MonitorKind,
        schedule_name: &str,
        schedule: &Value,
    ) -> Result<Self> {
        let config = &schedule["MonitoringScheduleConfig"];
        let definition_name = config["MonitoringJobDefinitionName"].as_str();
        let is_of_kind = config["MonitoringType"].as_str() == Some(kind.monitoring_type.as_str());
        let (true, Some(definition_name)) = (is_of_kind, definition_name) else {
            let has = match config["MonitoringType"].as_str() {
                Some(monitoring_type) if definition_name.is_some() => format!("watches {monitoring_type}"),
                _ => "says itself what its jobs are".to_owned(),
            };
            let reason = format!("{} {schedule_name} {has}", kind.attaches_to);
            return Err(Error::argument("monitor_schedule_name", reason));
        };
        let mut monitor = Self::new(session, kind, String::new());
        let definition = job_definition::describe(&monitor, kind, definition_name).await?;
        monitor.settings.tags = Some(tags_of(session, schedule_name, &arn_of(schedule_name, schedule)?).await?);
        let reading =
            Reading { operation: kind.describe_job_definition, resource: definition_name, value: &definition };
        monitor.take_settings(
            &reading,
            "/JobResources/ClusterConfig",
            &format!("/{}/KmsKeyId", kind.job_output_config),
            &format!("/{}/Environment", kind.app_specification),
        )?;
        monitor.monitoring_schedule_name = Some(schedule_name.to_owned());
        monitor.job_definition_name = Some(definition_name.to_owned());
        Ok(monitor)
    }

    /// A monitor of a schedule that says itself what its jobs are, of a monitor without a schedule.
    pub(super) async fn attach_to_embedded(mut self, schedule_name: &str, schedule: &Value) -> Result<Self> {
        let reading = Reading { operation: "DescribeMonitoringSchedule", resource: schedule_name, value: schedule };
        let reading =
            Reading { value: reading.member("/MonitoringScheduleConfig/MonitoringJobDefinition")?, ..reading };
        self.settings.tags = Some(tags_of(&self.session, schedule_name, &arn_of(schedule_name, schedule)?).await?);
        self.take_settings(
            &reading,
            "/MonitoringResources/ClusterConfig",
            "/MonitoringOutputConfig/KmsKeyId",
            "/Environment",
        )?;
        if self.kind.is_none() {
            self.image_uri = Some(reading.required("/MonitoringAppSpecification/ImageUri")?);
            self.entrypoint = reading.optional("/MonitoringAppSpecification/ContainerEntrypoint")?;
        }
        self.monitoring_schedule_name = Some(schedule_name.to_owned());
        Ok(self)
    }

    /// What jobs run with, from a description; the places of three of its members differ.
    fn take_settings(
        &mut self,
        reading: &Reading<'_>,
        cluster_config: &str,
        output_kms_key: &str,
        environment: &str,
    ) -> Result<()> {
        let settings = &mut self.settings;
        settings.role = reading.required("/RoleArn")?;
        settings.instance_count =
            reading.optional(&format!("{cluster_config}/InstanceCount"))?.unwrap_or(settings.instance_count);
        settings.instance_type = reading.required(&format!("{cluster_config}/InstanceType"))?;
        settings.volume_size_in_gb = reading.required(&format!("{cluster_config}/VolumeSizeInGB"))?;
        settings.volume_kms_key = reading.optional(&format!("{cluster_config}/VolumeKmsKeyId"))?;
        settings.output_kms_key = reading.optional(output_kms_key)?;
        settings.max_runtime_in_seconds = reading.optional("/StoppingCondition/MaxRuntimeInSeconds")?;
        settings.env = reading.optional(environment)?;
        settings.network_config = reading.optional("/NetworkConfig")?;
        Ok(())
    }
}

/// Members of an answer, typed.
#[derive(Clone, Copy)]
struct Reading<'a> {
    operation: &'static str,
    resource: &'a str,
    value: &'a Value,
}

impl<'a> Reading<'a> {
    fn member(&self, pointer: &str) -> Result<&'a Value> {
        self.value.pointer(pointer).ok_or_else(|| self.error(pointer, "it is missing"))
    }

    fn required<T: DeserializeOwned>(&self, pointer: &str) -> Result<T> {
        self.typed(pointer, self.member(pointer)?)
    }

    fn optional<T: DeserializeOwned>(&self, pointer: &str) -> Result<Option<T>> {
        let member = self.value.pointer(pointer).filter(|member| !member.is_null());
        member.map(|member| self.typed(pointer, member)).transpose()
    }

    fn typed<T: DeserializeOwned>(&self, pointer: &str, member: &Value) -> Result<T> {
        serde_json::from_value(with_whole_numbers(member.clone())).map_err(|error| self.error(pointer, error))
    }

    fn error(&self, pointer: &str, reason: impl std::fmt::Display) -> Error {
        Error::Answer {
            operation: self.operation,
            resource: self.resource.to_owned(),
            reason: format!("{}: {reason}", pointer.trim_start_matches('/').replace('/', ".")),
        }
    }
}

fn arn_of(schedule_name: &str, schedule: &Value) -> Result<String> {
    let reading = Reading { operation: "DescribeMonitoringSchedule", resource: schedule_name, value: schedule };
    reading.required("/MonitoringScheduleArn")
}
