//! Which service a request is for, rule by rule.

use http::HeaderMap;
use serde_json::{Value, json};
use watchkeeper_aws::protocol::{Protocol, Request, Route, Service, encode_error, route};

use super::headers;

struct Asked {
    method: &'static str,
    uri: &'static str,
    headers: HeaderMap,
    body: &'static str,
    scope: Option<&'static str>,
}

fn asked(
    method: &'static str,
    uri: &'static str,
    with: &Value,
    body: &'static str,
    scope: Option<&'static str>,
) -> Asked {
    Asked { method, uri, headers: headers(with), body, scope }
}

impl Asked {
    fn with<T>(&self, look: impl FnOnce(&Request<'_>) -> T) -> T {
        look(&Request {
            method: &self.method.parse().unwrap(),
            uri: &self.uri.parse().unwrap(),
            headers: &self.headers,
            body: self.body.as_bytes(),
        })
    }

    fn route(&self) -> Result<(Service, String, Protocol), (String, u16, String)> {
        let found = self.with(|request| route(request, self.scope));
        found
            .map(|route| (route.service, route.operation, route.protocol))
            .map_err(|error| (error.code, error.status, error.message))
    }
}

fn form() -> Value {
    json!({"content-type": "application/x-www-form-urlencoded"})
}

#[test]
fn every_rule_finds_its_service() {
    let target = |target: &str| json!({"x-amz-target": target, "content-type": "application/x-amz-json-1.1"});
    let rpc = json!({"smithy-protocol": "rpc-v2-cbor"});
    let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let none = json!({});
    let identity = "/?Action=GetCallerIdentity&Version=2011-06-15";
    for (asked, service, operation, protocol) in [
        (
            asked("POST", "/", &target("SageMaker.ListModels"), "{}", Some("sagemaker")),
            Service::SageMaker,
            "ListModels",
            Protocol::Json11,
        ),
        (
            asked("POST", "/", &target("TrentService.ListKeys"), "{}", Some("kms")),
            Service::Kms,
            "ListKeys",
            Protocol::Json11,
        ),
        (asked("POST", path, &rpc, "", Some("monitoring")), Service::CloudWatch, "ListMetrics", Protocol::Cbor),
        // An object of a bucket that is called `service`.
        (asked("POST", path, &none, "", Some("s3")), Service::S3, "POST", Protocol::RestXml),
        (
            asked("POST", "/", &form(), "Action=GetRole&Version=2010-05-08", Some("iam")),
            Service::Iam,
            "GetRole",
            Protocol::Query,
        ),
        (
            asked("POST", "/", &form(), "Version=2010-08-01&Action=ListMetrics", Some("monitoring")),
            Service::CloudWatch,
            "ListMetrics",
            Protocol::Query,
        ),
        (asked("GET", identity, &none, "", Some("sts")), Service::Sts, "GetCallerIdentity", Protocol::Query),
        (
            asked("POST", "/endpoints/e/invocations", &none, "x", Some("sagemaker")),
            Service::Runtime,
            "InvokeEndpoint",
            Protocol::RestJson,
        ),
        (
            asked("POST", "/endpoints/e/async-invocations", &none, "x", Some("sagemaker")),
            Service::Runtime,
            "InvokeEndpointAsync",
            Protocol::RestJson,
        ),
        // A bucket may be called `endpoints`.
        (asked("POST", "/endpoints/e/invocations", &none, "x", Some("s3")), Service::S3, "POST", Protocol::RestXml),
        (asked("GET", "/bucket/key", &none, "", Some("s3")), Service::S3, "GET", Protocol::RestXml),
        (asked("GET", "/bucket/key?X-Amz-Signature=a", &none, "", None), Service::S3, "GET", Protocol::RestXml),
    ] {
        assert_eq!(asked.route(), Ok((service, operation.to_owned(), protocol)), "{} {}", asked.method, asked.uri);
    }
}

#[test]
fn what_is_no_service_of_ours_is_refused_by_name() {
    let target = json!({"x-amz-target": "DynamoDB_20120810.PutItem", "content-type": "application/x-amz-json-1.0"});
    for (asked, named) in [
        (asked("POST", "/", &target, "{}", Some("dynamodb")), "DynamoDB_20120810.PutItem"),
        (asked("POST", "/", &form(), "Action=SendMessage&Version=2012-11-05", Some("sqs")), "sqs.SendMessage"),
        (asked("PUT", "/BatchPutMetrics", &json!({}), "{}", Some("sagemaker")), "sagemaker.PUT /BatchPutMetrics"),
        (asked("GET", "/2015-03-31/functions", &json!({}), "", Some("lambda")), "lambda.GET /2015-03-31/functions"),
    ] {
        let (code, status, message) = asked.route().unwrap_err();
        assert_eq!((code.as_str(), status), ("UnknownOperationException", 400));
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn a_request_is_not_served_by_another_service_than_it_is_signed_for() {
    let target = json!({"x-amz-target": "SageMaker.ListModels"});
    let (code, status, message) = asked("POST", "/", &target, "{}", Some("logs")).route().unwrap_err();
    assert_eq!((code.as_str(), status), ("InvalidSignatureException", 403));
    assert_eq!(message, "Credential should be scoped to correct service: 'sagemaker'.");
}

#[test]
fn an_unsigned_invocation_is_refused() {
    let (code, status, _) = asked("POST", "/endpoints/e/invocations", &json!({}), "x", None).route().unwrap_err();
    assert_eq!((code.as_str(), status), ("MissingAuthenticationTokenException", 403));
}

#[test]
fn an_error_without_a_route_has_the_form_of_the_request() {
    let error = watchkeeper_aws::Error::new("AccessDenied", "no").with_status(403);
    for (asked, content_type) in [
        (
            asked("POST", "/", &json!({"x-amz-target": "A.B", "content-type": "application/x-amz-json-1.0"}), "", None),
            "application/x-amz-json-1.0",
        ),
        (asked("POST", "/", &form(), "Action=A", None), "text/xml"),
        (asked("GET", "/b/k", &json!({}), "", None), "application/xml"),
        (asked("POST", "/endpoints/e/invocations", &json!({}), "", None), "application/json"),
    ] {
        let response = asked.with(|request| encode_error(&Route::of_error(request), "id", &error));
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.status(), 403);
    }
    let head = asked("HEAD", "/b/k", &json!({}), "", None);
    assert!(head.with(|request| encode_error(&Route::of_error(request), "id", &error)).body().is_empty());
}
