//! What a call changes about the jobs of a schedule.

use std::collections::BTreeMap;

use crate::network::NetworkConfig;

use super::monitor::MonitorSettings;

/// What a call changes about the jobs of a schedule; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SettingsChanges {
    pub(crate) role: Option<String>,
    pub(crate) instance_count: Option<u32>,
    pub(crate) instance_type: Option<String>,
    pub(crate) volume_size_in_gb: Option<u32>,
    pub(crate) volume_kms_key: Option<String>,
    pub(crate) output_kms_key: Option<String>,
    pub(crate) max_runtime_in_seconds: Option<u32>,
    pub(crate) env: Option<BTreeMap<String, String>>,
    pub(crate) network_config: Option<NetworkConfig>,
}

impl SettingsChanges {
    /// All that a monitor has, for a definition that is made anew.
    pub(crate) fn all_of(settings: &MonitorSettings) -> Self {
        Self {
            role: Some(settings.role.clone()),
            instance_count: Some(settings.instance_count),
            instance_type: Some(settings.instance_type.clone()),
            volume_size_in_gb: Some(settings.volume_size_in_gb),
            volume_kms_key: settings.volume_kms_key.clone(),
            output_kms_key: settings.output_kms_key.clone(),
            max_runtime_in_seconds: settings.max_runtime_in_seconds,
            env: settings.env.clone(),
            network_config: settings.network_config.clone(),
        }
    }

    /// Whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes what a monitor has.
    pub(crate) fn apply_to(self, settings: &mut MonitorSettings) {
        fn change<T>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        change(&mut settings.role, self.role);
        change(&mut settings.instance_count, self.instance_count);
        change(&mut settings.instance_type, self.instance_type);
        change(&mut settings.volume_size_in_gb, self.volume_size_in_gb);
        settings.volume_kms_key = self.volume_kms_key.or(settings.volume_kms_key.take());
        settings.output_kms_key = self.output_kms_key.or(settings.output_kms_key.take());
        settings.max_runtime_in_seconds = self.max_runtime_in_seconds.or(settings.max_runtime_in_seconds);
        settings.env = self.env.or(settings.env.take());
        settings.network_config = self.network_config.or(settings.network_config.take());
    }
}

/// Setters of a request with a field `changes: SettingsChanges`.
macro_rules! settings_change_setters {
    () => {
        /// Name or ARN of the role that jobs take.
        pub fn role(mut self, role: impl Into<String>) -> Self {
            self.changes.role = Some(role.into());
            self
        }

        /// How many instances a job runs on.
        pub fn instance_count(mut self, instance_count: u32) -> Self {
            self.changes.instance_count = Some(instance_count);
            self
        }

        /// What instances jobs run on.
        pub fn instance_type(mut self, instance_type: impl Into<String>) -> Self {
            self.changes.instance_type = Some(instance_type.into());
            self
        }

        /// How much disk an instance has, in gigabytes.
        pub fn volume_size_in_gb(mut self, volume_size_in_gb: u32) -> Self {
            self.changes.volume_size_in_gb = Some(volume_size_in_gb);
            self
        }

        /// The key that the disk of an instance is encrypted with.
        pub fn volume_kms_key(mut self, volume_kms_key: impl Into<String>) -> Self {
            self.changes.volume_kms_key = Some(volume_kms_key.into());
            self
        }

        /// The key that what jobs find is encrypted with.
        pub fn output_kms_key(mut self, output_kms_key: impl Into<String>) -> Self {
            self.changes.output_kms_key = Some(output_kms_key.into());
            self
        }

        /// After how many seconds a job is stopped.
        pub fn max_runtime_in_seconds(mut self, max_runtime_in_seconds: u32) -> Self {
            self.changes.max_runtime_in_seconds = Some(max_runtime_in_seconds);
            self
        }

        /// Environment variables of the container, in place of all that were set before.
        pub fn env<N: Into<String>, V: Into<String>>(mut self, env: impl IntoIterator<Item = (N, V)>) -> Self {
            self.changes.env = Some(env.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
            self
        }

        /// How jobs are connected.
        pub fn network_config(mut self, network_config: $crate::network::NetworkConfig) -> Self {
            self.changes.network_config = Some(network_config);
            self
        }
    };
}

pub(crate) use settings_change_setters;
