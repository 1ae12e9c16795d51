//! STS: who is calling, and temporary credentials.
//!
//! Everybody with a key of ours is the same assumed role, so that scripts find an execution role in their identity.
//! Temporary credentials hold only while the access key they come from is active, and cannot prolong themselves.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use watchkeeper_aws::generated::sts::{
    AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, Credentials, GetCallerIdentityRequest,
    GetCallerIdentityResponse, GetSessionTokenRequest, GetSessionTokenResponse, Sts as StsApi,
};
use watchkeeper_aws::signing::{self, Parent, SessionIssuer};
use watchkeeper_aws::types::Arn;
use watchkeeper_aws::{Call, Error, Time};

use super::iam::role_id;
use crate::Context;

/// The role that every caller has taken.
const ROLE: &str = "WatchkeeperExecutionRole";
/// The name of the session in which it did.
const SESSION: &str = "watchkeeper";
/// Seconds that temporary credentials hold when the request does not say.
const ROLE_SECONDS: i32 = 3600;
const TOKEN_SECONDS: i32 = 12 * 3600;

/// The service.
pub struct Sts(pub Arc<Context>);

/// The issuer of the service's temporary credentials: what checks signatures asks it for keys that no document has.
/// There is none before the service listens.
pub fn session_issuer(context: &Context) -> Option<SessionIssuer> {
    context.job_credentials.get().map(|(_, secret)| SessionIssuer::new(secret))
}

/// What the credentials of a job are known by, and with that what was made with them. It follows from the job's ARN, so all
/// attempts at a job have the same, and a process that did not issue the credentials knows it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobMark([u8; 5]);

impl JobMark {
    /// The mark of a job.
    pub(crate) fn of_job(arn: &str) -> Self {
        let mut mark = [0; 5];
        mark.copy_from_slice(&Sha256::digest(arn)[..5]);
        Self(mark)
    }

    /// The mark of a key, where it is one that the service gave a program: a job, or a model, whose mark is that of no job.
    pub(crate) fn of_key(context: &Context, access_key_id: &str) -> Option<Self> {
        let (own_id, secret) = context.job_credentials.get()?;
        let issuer = SessionIssuer::new(secret);
        let session = issuer.issued(access_key_id)?;
        (session.parent == issuer.parent(own_id)).then_some(Self(session.unique))
    }

    /// The mark as documents keep it.
    pub(crate) fn text(self) -> String {
        hex::encode(self.0)
    }

    /// Credentials of the service's own key for the job of this mark.
    pub(crate) fn issue(self, issuer: &SessionIssuer, parent: Parent, expires: Timestamp) -> signing::Credentials {
        issuer.issue(parent, expires, self.0)
    }
}

/// Temporary credentials of a parent.
pub(crate) fn issue(issuer: &SessionIssuer, parent: Parent, expires: Timestamp) -> signing::Credentials {
    let mut unique = [0; 5];
    unique.copy_from_slice(&Uuid::new_v4().as_bytes()[..5]);
    issuer.issue(parent, expires, unique)
}

impl Sts {
    fn issuer(&self) -> Result<SessionIssuer, Error> {
        session_issuer(&self.0).ok_or_else(Error::internal)
    }
}

/// Credentials for a caller: of its key, or of the session's parent and until the session's end at most.
fn issue_to(issuer: &SessionIssuer, call: &Call, seconds: i32) -> Credentials {
    let expires = call.now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(call.now);
    let (parent, expires) = match issuer.issued(&call.access_key_id) {
        Some(session) => (session.parent, expires.min(session.expires)),
        None => (issuer.parent(&call.access_key_id), expires),
    };
    let issued = issue(issuer, parent, expires);
    Credentials {
        access_key_id: issued.access_key_id,
        secret_access_key: issued.secret_access_key,
        session_token: issued.session_token.unwrap_or_default(),
        expiration: Time(expires),
    }
}

impl StsApi for Sts {
    async fn get_caller_identity(
        &self,
        call: &Call,
        _: GetCallerIdentityRequest,
    ) -> Result<GetCallerIdentityResponse, Error> {
        Ok(GetCallerIdentityResponse {
            user_id: Some(format!("{}:{SESSION}", role_id(ROLE))),
            account: Some(call.account.clone()),
            arn: Some(format!("arn:aws:sts::{}:assumed-role/{ROLE}/{SESSION}", call.account)),
        })
    }

    async fn assume_role(&self, call: &Call, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
        let role: Option<Arn> = input.role_arn.parse().ok();
        let Some(role) = role.filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/")) else {
            return Err(Error::new("ValidationError", format!("{} is invalid", input.role_arn)));
        };
        let name = role.resource.rsplit('/').next().unwrap_or_default();
        let session = input.role_session_name;
        Ok(AssumeRoleResponse {
            credentials: Some(issue_to(&self.issuer()?, call, input.duration_seconds.unwrap_or(ROLE_SECONDS))),
            assumed_role_user: Some(AssumedRoleUser {
                assumed_role_id: format!("{}:{session}", role_id(name)),
                arn: format!("arn:aws:sts::{}:assumed-role/{name}/{session}", role.account),
            }),
            source_identity: input.source_identity,
            ..AssumeRoleResponse::default()
        })
    }

    async fn get_session_token(
        &self,
        call: &Call,
        input: GetSessionTokenRequest,
    ) -> Result<GetSessionTokenResponse, Error> {
        let issuer = self.issuer()?;
        if issuer.issued(&call.access_key_id).is_some() {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(Error::new("AccessDenied", message).with_status(403));
        }
        let credentials = issue_to(&issuer, call, input.duration_seconds.unwrap_or(TOKEN_SECONDS));
        Ok(GetSessionTokenResponse { credentials: Some(credentials), ..GetSessionTokenResponse::default() })
    }
}
