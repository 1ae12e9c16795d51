//! How jobs are connected: Python's `sagemaker.network`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Network isolation, encryption and the private network of jobs.
///
/// ```
/// use watchkeeper::network::NetworkConfig;
///
/// let network = NetworkConfig::new().enable_network_isolation(true).subnets(["subnet-1"]).security_group_ids(["sg-1"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct NetworkConfig {
    /// Whether containers have no network at all.
    #[serde(default)]
    pub enable_network_isolation: bool,
    /// Whether what containers of one job say to each other is encrypted; sent only when set.
    #[serde(default, rename = "EnableInterContainerTrafficEncryption", skip_serializing_if = "Option::is_none")]
    pub encrypt_inter_container_traffic: Option<bool>,
    /// The private network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The private network of jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct VpcConfig {
    /// What may be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_ids: Option<Vec<String>>,
    /// Where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Vec<String>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl NetworkConfig {
    /// An open network without encryption, as jobs have when nothing is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether containers have no network at all.
    #[must_use]
    pub fn enable_network_isolation(mut self, enable: bool) -> Self {
        self.enable_network_isolation = enable;
        self
    }

    /// Whether what containers of one job say to each other is encrypted.
    #[must_use]
    pub fn encrypt_inter_container_traffic(mut self, encrypt: bool) -> Self {
        self.encrypt_inter_container_traffic = Some(encrypt);
        self
    }

    /// The security groups of the private network.
    #[must_use]
    pub fn security_group_ids<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.vpc_config.get_or_insert_default().security_group_ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// The subnets of the private network.
    #[must_use]
    pub fn subnets<T: Into<String>>(mut self, subnets: impl IntoIterator<Item = T>) -> Self {
        self.vpc_config.get_or_insert_default().subnets = Some(subnets.into_iter().map(Into::into).collect());
        self
    }
}
