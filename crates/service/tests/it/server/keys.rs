//! The operators' calls about access keys.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use watchkeeper_aws::signing::Credentials;
use watchkeeper_service::configuration::Secret;

use super::{Server, start};

async fn ask(server: &Server, method: Method, path: &str, body: &str) -> (u16, Value) {
    let path = format!("/_watchkeeper/keys{path}");
    let answer = server.client().request(method, &path, &[], body.to_owned(), "sagemaker").await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

/// Status of a request that is signed with a key.
async fn status_with(server: &Server, credentials: &Credentials) -> u16 {
    let answer = server.client_with(credentials.clone()).request(Method::GET, "/", &[], "", "s3").await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn a_key_works_until_it_is_disabled_and_again_until_it_is_deleted() {
    let server = Server::start().await;
    let (status, key) = ask(&server, Method::POST, "", &json!({ "description": "for a notebook" }).to_string()).await;
    assert_eq!(status, 200);
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let credentials = Credentials {
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
        session_token: None,
    };
    assert_eq!((credentials.access_key_id.len(), credentials.secret_access_key.len()), (20, 40));
    assert_eq!(status_with(&server, &credentials).await, 200);

    let (_, list) = ask(&server, Method::GET, "", "").await;
    assert!(!list.to_string().contains(&credentials.secret_access_key));
    let listed = list["keys"].as_array().unwrap().iter().find(|k| k["access_key_id"] == key["access_key_id"]).unwrap();
    assert_eq!((&listed["description"], &listed["status"]), (&json!("for a notebook"), &json!("Active")));

    let path = format!("/{}", credentials.access_key_id);
    assert_eq!(ask(&server, Method::POST, &format!("{path}/disable"), "").await.0, 200);
    assert_eq!(status_with(&server, &credentials).await, 403);
    assert_eq!(ask(&server, Method::POST, &format!("{path}/enable"), "").await.0, 200);
    assert_eq!(status_with(&server, &credentials).await, 200);
    assert_eq!(ask(&server, Method::DELETE, &path, "").await.0, 204);
    assert_eq!(status_with(&server, &credentials).await, 403);
    assert_eq!(ask(&server, Method::DELETE, &path, "").await.0, 404);
}

/// What STS answers to a key: the status, and temporary credentials with their end where it gives some.
async fn sts(
    server: &Server,
    credentials: &Credentials,
    query: &str,
) -> (u16, String, Option<(Credentials, Timestamp)>) {
    let client = server.client_with(credentials.clone());
    let path = format!("/?Version=2011-06-15&{query}");
    let answer = client.request(Method::POST, &path, &[], "", "sts").await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let part = |name: &str| Some(text.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.to_owned());
    let issued = part("AccessKeyId").map(|access_key_id| {
        let secret_access_key = part("SecretAccessKey").unwrap();
        let credentials = Credentials { access_key_id, secret_access_key, session_token: part("SessionToken") };
        (credentials, part("Expiration").unwrap().parse().unwrap())
    });
    (answer.status().as_u16(), text, issued)
}

const ASSUME_ROLE: &str = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fx&RoleSessionName=test";

/// Statuses of S3, a service of AWS's JSON, and the operators' keys, when asked by a key.
async fn statuses_with(server: &Server, credentials: &Credentials) -> [u16; 3] {
    let client = server.client_with(credentials.clone());
    let target = [("x-amz-target", "SageMaker.ListModels"), ("content-type", "application/x-amz-json-1.1")];
    let models = client.request(Method::POST, "/", &target, "{}", "sagemaker").await.unwrap();
    let keys = client.request(Method::GET, "/_watchkeeper/keys", &[], "", "sagemaker").await.unwrap();
    [status_with(server, credentials).await, models.status().as_u16(), keys.status().as_u16()]
}

#[tokio::test]
async fn temporary_keys_go_with_the_key_they_come_from() {
    let server = Server::start().await;
    let (_, key) = ask(&server, Method::POST, "", "").await;
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let leaked = Credentials {
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
        session_token: None,
    };
    let (token, ends) = sts(&server, &leaked, "Action=GetSessionToken&DurationSeconds=900").await.2.unwrap();
    let (role, role_ends) = sts(&server, &token, &format!("{ASSUME_ROLE}&DurationSeconds=3600")).await.2.unwrap();
    assert!(role_ends <= ends, "{role_ends} is later than {ends}");
    for temporary in [&token, &role] {
        assert_eq!(statuses_with(&server, temporary).await, [200, 200, 403]);
        let (status, refusal, issued) = sts(&server, temporary, "Action=GetSessionToken").await;
        assert!(status == 403 && issued.is_none(), "{refusal}");
        assert!(refusal.contains("<Code>AccessDenied</Code>"), "{refusal}");
        assert!(refusal.contains("Cannot call GetSessionToken with session credentials"), "{refusal}");
    }
    let path = format!("/{}", leaked.access_key_id);
    assert_eq!(ask(&server, Method::POST, &format!("{path}/disable"), "").await.0, 200);
    for temporary in [&token, &role] {
        let [objects, models, keys] = statuses_with(&server, temporary).await;
        assert!(objects == 403 && models == 400 && keys == 403, "{objects} {models} {keys}");
        assert_eq!(sts(&server, temporary, ASSUME_ROLE).await.0, 403);
    }
    // Temporary keys of another key stay.
    let (other, _) = sts(&server, &server.credentials(), ASSUME_ROLE).await.2.unwrap();
    assert_eq!(status_with(&server, &other).await, 200);
}

#[tokio::test]
async fn the_last_key_of_people_stays_and_the_commands_get_another_when_theirs_goes() {
    let server = Server::start().await;
    let first = server.credentials();
    let (status, refusal) = ask(&server, Method::POST, &format!("/{}/disable", first.access_key_id), "").await;
    assert_eq!(status, 409);
    assert!(refusal["error"].as_str().unwrap().contains("last active access key"), "{refusal}");
    let (_, second) = ask(&server, Method::POST, "", "").await;
    assert_eq!(ask(&server, Method::DELETE, &format!("/{}", first.access_key_id), "").await.0, 204);
    assert_eq!(server.credentials().access_key_id, second["access_key_id"].as_str().unwrap());
    assert_eq!(status_with(&server, &first).await, 403);
    assert_eq!(status_with(&server, &server.credentials()).await, 200);
}

#[tokio::test]
async fn the_services_own_key_cannot_be_changed() {
    let server = Server::start().await;
    let (_, list) = ask(&server, Method::GET, "", "").await;
    let own = list["keys"].as_array().unwrap().iter().find(|key| key["origin"] == "Service").unwrap();
    let path = format!("/{}", own["access_key_id"].as_str().unwrap());
    assert_eq!(ask(&server, Method::DELETE, &path, "").await.0, 409);
    assert_eq!(ask(&server, Method::POST, &format!("{path}/disable"), "").await.0, 409);
}

#[tokio::test]
async fn keys_outlive_the_service_and_configured_ones_follow_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let configured = |id: &str, secret: &str| Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
    };
    let (old, new) = (configured("AKIAOLD", "old-secret"), configured("AKIANEW", "new-secret"));
    let start_with = async |credentials: Option<&Credentials>| Server {
        service: start(directory.path(), |configuration| {
            configuration.access_key_id = credentials.map(|c| c.access_key_id.clone());
            configuration.secret_access_key = credentials.map(|c| Secret::from(c.secret_access_key.clone()));
        })
        .await,
        directory: tempfile::tempdir().unwrap(),
    };
    let server = start_with(None).await;
    let first = watchkeeper_service::server::DataDirectory::of(Some(directory.path())).unwrap().credentials().unwrap();
    server.service.shutdown().await;

    let server = start_with(Some(&old)).await;
    assert_eq!((status_with(&server, &old).await, status_with(&server, &first).await), (200, 200));
    server.service.shutdown().await;

    let server = start_with(Some(&new)).await;
    assert_eq!((status_with(&server, &new).await, status_with(&server, &old).await), (200, 403));
    server.service.shutdown().await;

    let stored = std::fs::read(directory.path().join("metadata.db")).unwrap();
    assert!(!stored.windows(10).any(|window| window == b"new-secret"), "the secret is in the database as it is");
}
