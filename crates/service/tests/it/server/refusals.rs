//! Who is refused: nobody without a right signature gets anything but health and metrics; what is none of our services is
//! refused by name.

use http::Method;
use watchkeeper_aws::signing::Credentials;

use super::Server;

/// An unsigned request of each service, as its clients send them, and the status and code of its refusal.
const UNSIGNED: [(&str, &str, u16, &str); 11] = [
    (
        "sagemaker",
        "POST / HTTP/1.1\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Type: application/x-amz-json-1.1\r\n",
        400,
        "MissingAuthenticationTokenException",
    ),
    (
        "logs",
        "POST / HTTP/1.1\r\nX-Amz-Target: Logs_20140328.DescribeLogGroups\r\nContent-Type: application/x-amz-json-1.1\r\n",
        400,
        "MissingAuthenticationTokenException",
    ),
    (
        "monitoring",
        "POST / HTTP/1.1\r\nX-Amz-Target: GraniteServiceVersion20100801.ListMetrics\r\nContent-Type: application/x-amz-json-1.0\r\n",
        400,
        "MissingAuthenticationTokenException",
    ),
    (
        "kms",
        "POST / HTTP/1.1\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Type: application/x-amz-json-1.1\r\n",
        400,
        "MissingAuthenticationTokenException",
    ),
    (
        "ecr",
        "POST / HTTP/1.1\r\nX-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories\r\nContent-Type: application/x-amz-json-1.1\r\n",
        400,
        "MissingAuthenticationTokenException",
    ),
    ("sts", "POST /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\n", 403, "MissingAuthenticationToken"),
    ("iam", "POST /?Action=GetRole&RoleName=x&Version=2010-05-08 HTTP/1.1\r\n", 403, "MissingAuthenticationToken"),
    (
        "runtime",
        "POST /endpoints/x/invocations HTTP/1.1\r\nContent-Type: text/csv\r\n",
        403,
        "MissingAuthenticationTokenException",
    ),
    ("s3", "GET / HTTP/1.1\r\n", 403, "AccessDenied"),
    ("s3 object", "GET /watchkeeper-system/sagemaker-config.yaml HTTP/1.1\r\n", 403, "AccessDenied"),
    ("operators", "GET /_watchkeeper/keys HTTP/1.1\r\n", 403, "MissingAuthenticationTokenException"),
];

#[tokio::test]
async fn unsigned_requests_are_refused_by_every_service() {
    let server = Server::start().await;
    for (service, head, status, code) in UNSIGNED {
        let answer = server.raw(format!("{head}Host: {}\r\nContent-Length: 2\r\n\r\n{{}}", server.address())).await;
        assert_eq!(answer.status, status, "{service}: {answer:?}");
        assert!(answer.head.contains(code) || answer.body.contains(code), "{service}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_refused_by_every_service() {
    let server = Server::start().await;
    let right = server.credentials();
    let wrong_secret = Credentials { secret_access_key: "wrong".to_owned(), ..right.clone() };
    let unknown_key = Credentials { access_key_id: "AKIAUNKNOWNUNKNOWN22".to_owned(), ..right };
    for credentials in [wrong_secret, unknown_key] {
        let client = server.client_with(credentials);
        for (service, target) in [
            ("sagemaker", "SageMaker.ListModels"),
            ("logs", "Logs_20140328.DescribeLogGroups"),
            ("monitoring", "GraniteServiceVersion20100801.ListMetrics"),
            ("kms", "TrentService.ListKeys"),
            ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"),
        ] {
            let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
            let answer = client.request(Method::POST, "/", &headers, "{}", service).await.unwrap();
            let text = String::from_utf8_lossy(answer.body());
            assert!(!answer.status().is_success(), "{service}: {text}");
            let refused = text.contains("InvalidSignatureException") || text.contains("UnrecognizedClientException");
            assert!(refused, "{service}: {text}");
        }
        for (path, service) in [("/", "s3"), ("/_watchkeeper/keys", "sagemaker")] {
            let answer = client.request(Method::GET, path, &[], "", service).await.unwrap();
            assert_eq!(answer.status(), 403, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_no_service_of_ours_is_refused_by_name() {
    let server = Server::start().await;
    let client = server.client();
    let target = [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", "application/x-amz-json-1.0")];
    let answer = client.request(Method::POST, "/", &target, "{}", "dynamodb").await.unwrap();
    assert_eq!(answer.status(), 400);
    let text = String::from_utf8_lossy(answer.body());
    assert!(text.contains("UnknownOperationException") && text.contains("DynamoDB_20120810.ListTables"), "{text}");

    // A path that would be an object's, signed for a service that speaks JSON.
    let answer = client.request(Method::GET, "/2015-03-31/functions/", &[], "", "lambda").await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["x-amzn-errortype"], "UnknownOperationException");
    let text = String::from_utf8_lossy(answer.body());
    assert!(text.contains("lambda"), "{text}");
}

#[tokio::test]
async fn an_operation_nobody_has_is_named() {
    let server = Server::start().await;
    let answer = server.client().call("SageMaker", "CreatePipeline", &serde_json::json!({})).await.unwrap_err();
    assert_eq!(answer.code(), Some("UnknownOperationException"));
    assert!(answer.to_string().contains("CreatePipeline"), "{answer}");
}

#[tokio::test]
async fn health_and_metrics_need_no_signature() {
    let server = Server::start().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let live = server.raw(get("/_watchkeeper/health/live")).await;
    assert_eq!((live.status, live.json()["status"].as_str()), (200, Some("live")));
    let ready = server.raw(get("/_watchkeeper/health/ready")).await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("ready")));
    let metrics = server.raw(get("/_watchkeeper/metrics")).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("watchkeeper_requests_total{"), "{}", metrics.body);
    // Nothing else under the path is open, and a bucket's host has no such path.
    assert_eq!(server.raw(get("/_watchkeeper/health")).await.status, 403);
    let of_bucket = server.raw("GET /_watchkeeper/metrics HTTP/1.1\r\nHost: data.localhost\r\n\r\n").await;
    assert_eq!(of_bucket.status, 403);
    assert!(of_bucket.body.contains("<Code>AccessDenied</Code>"), "{of_bucket:?}");
}

#[tokio::test]
async fn put_metrics_are_on_the_page_with_their_names_as_labels() {
    let server = Server::start().await;
    let datum = serde_json::json!({
        "Namespace": "/aws/sagemaker/Endpoints/data-metrics",
        "MetricData": [{
            "MetricName": "feature_baseline_drift_age", "Value": 0.25,
            "Dimensions": [{ "Name": "Endpoint", "Value": "churn" }, { "Name": "MonitoringSchedule", "Value": "daily" }],
        }],
    });
    server.client().call("GraniteServiceVersion20100801", "PutMetricData", &datum).await.unwrap();
    let page = server.raw("GET /_watchkeeper/metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.body;
    let line = "watchkeeper_metric{namespace=\"aws/sagemaker/Endpoints/data-metrics\",\
                metric=\"feature_baseline_drift_age\",Endpoint=\"churn\",MonitoringSchedule=\"daily\"} 0.25";
    assert!(page.lines().any(|candidate| candidate == line), "{page}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_refused_as_the_runtime_does() {
    let server = Server::start().await;
    let answer = server.client().request(Method::POST, "/endpoints/mine/invocations", &[], "1,2", "sagemaker").await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["x-amzn-errortype"], "ValidationError");
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["Message"], "Endpoint mine of account 000000000000 not found.");
}
