//! IAM: roles of any name, which may do everything.
//!
//! There are no permissions here. Scripts ask for roles to pass them on, and clients look whether SageMaker may take them
//! and whether they may do what is planned: yes to all.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use watchkeeper_aws::generated::iam::{
    AttachRolePolicyRequest, CreateRoleRequest, CreateRoleResponse, EvaluationResult, GetRoleRequest, GetRoleResponse,
    Iam as IamApi, PolicyEvaluationDecisionType, Role, SimulatePolicyResponse, SimulatePrincipalPolicyRequest,
};
use watchkeeper_aws::signing::encode;
use watchkeeper_aws::{Call, Error, Time};

use crate::Context;

/// Lets SageMaker take the role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// 2024-01-01: roles are not made, they have always been there.
const CREATED: i64 = 1_704_067_200;
/// Seconds a session of a role may last.
const SESSION_SECONDS: i32 = 3600;

/// The service.
pub struct Iam(pub Arc<Context>);

/// The unique id of a role: the same whenever it is asked for.
pub(super) fn role_id(name: &str) -> String {
    let digest = hex::encode_upper(Sha256::digest(name));
    format!("AROA{}", &digest[..17])
}

fn role(call: &Call, name: &str, trust: &str) -> Role {
    Role {
        path: "/".to_owned(),
        role_name: name.to_owned(),
        role_id: role_id(name),
        arn: format!("arn:aws:iam::{}:role/{name}", call.account),
        create_date: Time(Timestamp::from_second(CREATED).unwrap_or(Timestamp::UNIX_EPOCH)),
        assume_role_policy_document: Some(encode(trust.as_bytes())),
        description: None,
        max_session_duration: Some(SESSION_SECONDS),
        permissions_boundary: None,
        tags: None,
        role_last_used: None,
        source_role_template: None,
    }
}

impl IamApi for Iam {
    async fn get_role(&self, call: &Call, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
        Ok(GetRoleResponse { role: role(call, &input.role_name, TRUST) })
    }

    async fn create_role(&self, call: &Call, input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
        if serde_json::from_str::<serde_json::Value>(&input.assume_role_policy_document).is_err() {
            return Err(Error::new("MalformedPolicyDocument", "Syntax errors in policy."));
        }
        let made = role(call, &input.role_name, &input.assume_role_policy_document);
        let max_session_duration = input.max_session_duration.or(made.max_session_duration);
        Ok(CreateRoleResponse { role: Role { description: input.description, max_session_duration, ..made } })
    }

    async fn attach_role_policy(&self, _: &Call, _: AttachRolePolicyRequest) -> Result<(), Error> {
        Ok(())
    }

    async fn simulate_principal_policy(
        &self,
        _: &Call,
        input: SimulatePrincipalPolicyRequest,
    ) -> Result<SimulatePolicyResponse, Error> {
        let resources = input.resource_arns.filter(|arns| !arns.is_empty()).unwrap_or_else(|| vec!["*".to_owned()]);
        let allowed = |action: &String, resource: &String| EvaluationResult {
            eval_action_name: action.clone(),
            eval_resource_name: Some(resource.clone()),
            eval_decision: PolicyEvaluationDecisionType::Allowed,
            matched_statements: Some(Vec::new()),
            missing_context_values: Some(Vec::new()),
            organizations_decision_detail: None,
            permissions_boundary_decision_detail: None,
            eval_decision_details: None,
            resource_specific_results: None,
        };
        let results =
            input.action_names.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
        Ok(SimulatePolicyResponse {
            evaluation_results: Some(results.map(|(action, resource)| allowed(action, resource)).collect()),
            is_truncated: Some(false),
            marker: None,
        })
    }
}
