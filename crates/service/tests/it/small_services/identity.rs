//! STS, IAM and ECR.

use serde_json::json;
use watchkeeper_aws::signing::{Audience, Canonical, Codes, Credentials, Payload, Session, Signer, sign, verify};
use watchkeeper_service::api::sts::session_issuer;

use super::Services;

#[tokio::test]
async fn the_caller_is_an_assumed_role_that_iam_knows() {
    let services = Services::new().await;
    let identity = services.answer("sts", "GetCallerIdentity", json!({})).await;
    assert_eq!(identity["Account"], "111122223333");
    // What the SDK does to find the role.
    let arn = identity["Arn"].as_str().unwrap();
    let role = arn.strip_prefix("arn:aws:sts::111122223333:assumed-role/").unwrap().split('/').next().unwrap();
    let answer = services.answer("iam", "GetRole", json!({"RoleName": role})).await;
    assert_eq!(answer["Role"]["Arn"], format!("arn:aws:iam::111122223333:role/{role}"));
    assert!(identity["UserId"].as_str().unwrap().starts_with(answer["Role"]["RoleId"].as_str().unwrap()));
    assert!(answer["Role"]["AssumeRolePolicyDocument"].as_str().unwrap().contains("sagemaker.amazonaws.com"));
}

#[tokio::test]
async fn everything_is_allowed() {
    let services = Services::new().await;
    let input = json!({"PolicySourceArn": "arn:aws:iam::111122223333:role/any", "ActionNames": ["ecr:GetAuthorizationToken", "s3:GetObject"]});
    let answer = services.answer("iam", "SimulatePrincipalPolicy", input).await;
    let results = answer["EvaluationResults"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| result["EvalDecision"] == "allowed" && result["EvalResourceName"] == "*"));
    assert_eq!(answer["IsTruncated"], false);
    let policy = json!({"RoleName": "made", "AssumeRolePolicyDocument": "{\"Version\": \"2012-10-17\"}"});
    let made = services.answer("iam", "CreateRole", policy).await;
    assert_eq!(made["Role"]["AssumeRolePolicyDocument"], "%7B%22Version%22%3A%20%222012-10-17%22%7D");
    services
        .answer(
            "iam",
            "AttachRolePolicy",
            json!({"RoleName": "made", "PolicyArn": "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"}),
        )
        .await;
}

#[tokio::test]
async fn temporary_credentials_sign_requests() {
    let services = Services::new().await;
    let input =
        json!({"RoleArn": "arn:aws:iam::111122223333:role/Own", "RoleSessionName": "night", "DurationSeconds": 900});
    let answer = services.answer("sts", "AssumeRole", input).await;
    assert_eq!(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::111122223333:assumed-role/Own/night");
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let credentials = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("SessionToken")),
    };
    let mut request = Canonical {
        method: "POST",
        path: "/",
        query: "",
        headers: vec![("host", b"h")],
        payload: Payload::Bytes(b"{}"),
    };
    let added = sign(
        &request,
        &Signer { credentials: &credentials, region: "eu-central-1", service: "kms", now: services.now() },
    );
    request.headers.extend(added.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let issuer = session_issuer(&services.context).unwrap();
    let audience = Audience { service: "kms", codes: Codes::Json };
    assert!(verify(&request, |key| issuer.issued(key).map(Session::secret), services.now(), audience).is_ok());
    assert_eq!(
        services
            .refusal("sts", "AssumeRole", json!({"RoleArn": "arn:aws:s3:::bucket-is-no-role", "RoleSessionName": "n2"}))
            .await
            .code,
        "ValidationError"
    );
    let token = services.answer("sts", "GetSessionToken", json!({})).await;
    assert_ne!(token["Credentials"]["AccessKeyId"], answer["Credentials"]["AccessKeyId"]);
}

#[tokio::test]
async fn repositories_are_names() {
    let services = Services::new().await;
    let made = services.answer("ecr", "CreateRepository", json!({"repositoryName": "own/monitor"})).await;
    assert_eq!(made["repository"]["repositoryUri"], "111122223333.dkr.ecr.eu-central-1.amazonaws.com/own/monitor");
    let error = services.refusal("ecr", "CreateRepository", json!({"repositoryName": "own/monitor"})).await;
    assert_eq!(error.code, "RepositoryAlreadyExistsException");
    let error = services.refusal("ecr", "DescribeRepositories", json!({"repositoryNames": ["other"]})).await;
    assert_eq!(error.code, "RepositoryNotFoundException");
    services.answer("ecr", "CreateRepository", json!({"repositoryName": "another"})).await;
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let mut input = json!({"maxResults": 1});
        if let Some(token) = &token {
            input["nextToken"] = json!(token);
        }
        let page = services.answer("ecr", "DescribeRepositories", input).await;
        names.push(page["repositories"][0]["repositoryName"].as_str().unwrap().to_owned());
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["another", "own/monitor"]);
    let error = services.refusal("ecr", "DescribeRepositories", json!({"nextToken": "00"})).await;
    assert_eq!(error.code, "InvalidParameterException");
    let token = services.answer("ecr", "GetAuthorizationToken", json!({})).await;
    assert_eq!(token["authorizationData"][0]["authorizationToken"], "QVdTOng=");
}
