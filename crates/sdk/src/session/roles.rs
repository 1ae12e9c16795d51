//! Who calls, and roles by name.

use watchkeeper_aws::xml;

use super::request::query_request;
use super::{AwsService, Session};
use crate::{Error, Result};

/// Of the operations of STS.
pub(super) const STS_VERSION: &str = "2011-06-15";

impl Session {
    /// The ARN of a role: as it is when it has a slash, else what IAM says.
    pub async fn expand_role(&self, role: &str) -> Result<String> {
        if role.contains('/') {
            return Ok(role.to_owned());
        }
        self.query(AwsService::Iam, "GetRole", role, "2010-05-08", &[("RoleName", role)], "Arn").await
    }

    /// The account of the credentials; asked once.
    pub async fn account_id(&self) -> Result<String> {
        let account = &self.inner.account;
        let ask = || self.query(AwsService::Sts, "GetCallerIdentity", "the caller", STS_VERSION, &[], "Account");
        account.get_or_try_init(ask).await.cloned()
    }

    /// Calls an operation of the query protocol, and gives the text of one element of its answer.
    async fn query(
        &self,
        service: AwsService,
        operation: &'static str,
        resource: &str,
        version: &str,
        parameters: &[(&str, &str)],
        wanted: &'static str,
    ) -> Result<String> {
        let parts = query_request(operation, resource, version, parameters);
        let answer = self.request(service, parts).await?;
        let text = String::from_utf8_lossy(answer.body());
        let found = xml::text(&text, wanted).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        found.ok_or_else(|| Error::Answer {
            operation,
            resource: resource.to_owned(),
            reason: format!("the answer has no {wanted}"),
        })
    }
}
