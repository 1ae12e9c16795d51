//! Every way in which an invocation has no answer.

use http::Method;
use serde_json::{Value, json};

use super::{Headers, World, error, python};

#[tokio::test]
async fn what_the_model_says_of_its_failure_is_told_in_awss_words() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    for (status, party) in [(400, "client"), (404, "client"), (500, "server"), (503, "server"), (301, "server")] {
        let answer = world.invoke("shop", &[], format!("status {status} no \"good\" input")).await;
        let (answered, code, body) = error(&answer);
        assert_eq!((answered, code.as_str()), (424, "ModelError"), "{body}");
        let message = format!(
            "Received {party} error ({status}) from primary with message \"no \"good\" input\". See \
             https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group=/aws/sagemaker/\
             Endpoints/shop in account 000000000000 for more information."
        );
        let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/shop";
        let expected = json!({
            "Message": message,
            "OriginalStatusCode": status,
            "OriginalMessage": "no \"good\" input",
            "LogStreamArn": arn,
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_model_that_is_slow_breaks_off_or_speaks_no_http_fails_alone() {
    let world = World::start_with(|configuration| configuration.hosting.invocation_seconds = 1).await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    let (status, code, body) = error(&world.invoke("shop", &[], "sleep 30").await);
    assert_eq!((status, code.as_str()), (424, "ModelError"));
    assert_eq!(body["OriginalStatusCode"], 0);
    let told = "Received server error (0) from primary with message \"Your invocation timed out while waiting for a response \
                from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the \
                issue, and try again.\". See https://";
    assert!(body["Message"].as_str().unwrap().starts_with(told), "{body}");
    for broken in ["garbage", "half"] {
        let (status, code, body) = error(&world.invoke("shop", &[], broken).await);
        assert_eq!((status, code.as_str()), (503, "ServiceUnavailable"), "{broken}: {body}");
        assert!(body["Message"].as_str().unwrap().contains("The model of endpoint shop gave no answer: "), "{body}");
    }
    assert_eq!(world.invoke("shop", &[], "well").await.status(), 200);
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_in_awss_words() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    let long = "a".repeat(64);
    let attributes = "a".repeat(1025);
    let pattern = "Member must satisfy regular expression pattern: ";
    let cases: [(&str, Headers, String); 5] = [
        (&long, &[], "Member must have length less than or equal to 63".to_owned()),
        ("a_b", &[], format!("{pattern}^[a-zA-Z0-9](-*[a-zA-Z0-9])*")),
        ("shop", &[("x-amzn-sagemaker-custom-attributes", &attributes)], "less than or equal to 1024".to_owned()),
        ("shop", &[("x-amzn-sagemaker-target-variant", "-")], pattern.to_owned()),
        (
            "shop",
            &[("x-amzn-sagemaker-inference-id", &long[..64]), ("x-amzn-sagemaker-session-id", "!")],
            pattern.to_owned(),
        ),
    ];
    for (name, headers, expected) in cases {
        let (status, code, body) = error(&world.invoke(name, headers, "x").await);
        assert_eq!((status, code.as_str()), (400, "ValidationError"), "{name} {headers:?}: {body}");
        let message = body["Message"].as_str().unwrap();
        assert!(message.starts_with("1 validation error detected: Value '"), "{message}");
        assert!(message.contains(&expected), "{message}");
    }
    let (status, code, body) = error(&world.invoke("nobody", &[], "x").await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert_eq!(body, json!({ "Message": "Endpoint nobody of account 000000000000 not found." }));
    let red = world.invoke("shop", &[("x-amzn-sagemaker-target-variant", "red")], "x").await;
    let (status, code, body) = error(&red);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert_eq!(body, json!({ "Message": "Variant red not found for Request" }));
}

#[tokio::test]
async fn only_who_signed_is_told_anything() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    let url = format!("http://{}", world.service().address());
    let mut credentials = world.credentials();
    credentials.secret_access_key.push('x');
    let stranger = watchkeeper_aws::client::Client::new(&url, credentials, "us-east-1").unwrap();
    for name in ["shop", "nobody"] {
        let path = format!("/endpoints/{name}/invocations");
        let answer = stranger.request(Method::POST, &path, &[], "x", "sagemaker").await.unwrap();
        let (status, code, _) = error(&answer);
        assert_eq!((status, code.as_str()), (403, "InvalidSignatureException"));
        // An object of a bucket that is called `endpoints` is another matter.
        let answer = world.client().request(Method::POST, &path, &[], "x", "s3").await.unwrap();
        assert!(text_of(&answer).contains("<Error>"), "{answer:?}");
        let answer = world.client().request(Method::POST, &path, &[], "x", "monitoring").await.unwrap();
        assert_ne!(answer.status(), 200);
    }
}

fn text_of(answer: &http::Response<bytes::Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

#[tokio::test]
async fn endpoints_without_a_model_here_say_where_to_go() {
    let world = World::start_with(|configuration| configuration.hosting.accept_unmapped_images = true).await;
    world
        .deploy("elsewhere", &[("blue", json!({ "Image": "registry.example/watchkeeper-external:1" }))], json!({}))
        .await;
    let (status, code, body) = error(&world.invoke("elsewhere", &[], "x").await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert!(body["Message"].as_str().unwrap().contains("watchkeeper proxy"), "{body}");

    world
        .deploy("unmapped", &[("blue", json!({ "Image": "registry.example/unheard-of:1" }))], super::capturing())
        .await;
    let (status, code, body) = error(&world.invoke("unmapped", &[("content-type", "text/csv")], "1,2").await);
    assert_eq!((status, code.as_str()), (424, "ModelError"));
    assert!(body["OriginalMessage"].as_str().unwrap().contains("hosting.accept_unmapped_images"), "{body}");
    let lines: Vec<Value> = world.captured("unmapped", 1).await;
    assert_eq!(lines[0]["captureData"]["endpointInput"]["data"], "1,2");
}
