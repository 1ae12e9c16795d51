//! Models behind endpoints of a service: what is asked of it, in which order, and what is left of it. The service proper is in other
//! suites; this one answers as no healthy service does, too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use watchkeeper_analyzer::predictor::{Model, ModelPlace, PredictorError};
use watchkeeper_formats::ServiceAccess;
use watchkeeper_formats::clarify::{DatasetType, PredictorConfig};

use super::server::{Received, Reply, Server, ok, refuse};
use super::{Watcher, ask, doubled, numbered, scores};

fn access(server: &Server) -> ModelPlace {
    ModelPlace::Service(ServiceAccess {
        endpoint_url: format!("http://{}", server.address),
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: Some("session".to_owned()),
    })
}

fn open(server: &Server, config: &PredictorConfig, watcher: &Watcher) -> Result<Model, PredictorError> {
    Model::open(config, &access(server), DatasetType::Csv, &["x".to_owned()], Some("job-7"), watcher)
}

fn of_model(model: &str) -> PredictorConfig {
    PredictorConfig {
        model_name: Some(model.to_owned()),
        instance_type: Some("ml.c5.xlarge".to_owned()),
        initial_instance_count: Some(2),
        custom_attributes: Some("tenant=7".to_owned()),
        ..PredictorConfig::default()
    }
}

/// The operation of a request, and the members of its body.
fn operation(request: &Received) -> (String, Value) {
    match request.headers.get("x-amz-target") {
        Some(target) => {
            (target.trim_start_matches("SageMaker.").to_owned(), serde_json::from_str(&request.body).unwrap())
        }
        None => ("InvokeEndpoint".to_owned(), Value::Null),
    }
}

fn operations(server: &Server) -> Vec<String> {
    let mut operations: Vec<String> = server.received().iter().map(|request| operation(request).0).collect();
    operations.dedup();
    operations
}

fn refusal(code: &str, message: &str) -> Reply {
    refuse(400, &json!({"__type": code, "message": message}).to_string())
}

/// A service whose endpoints have these statuses, one after the other, the last for ever.
fn service(statuses: &'static [(&'static str, &'static str)]) -> Server {
    let described = AtomicUsize::new(0);
    Server::start(move |request| match operation(request).0.as_str() {
        "DescribeEndpoint" => {
            let (status, reason) = statuses[described.fetch_add(1, Ordering::SeqCst).min(statuses.len() - 1)];
            ok(json!({"EndpointStatus": status, "FailureReason": reason}).to_string())
        }
        "InvokeEndpoint" => ok(doubled(&request.body)),
        _ => ok("{}"),
    })
}

#[test]
fn a_model_by_name_gets_an_endpoint_that_is_gone_afterwards() {
    let server = service(&[("Creating", ""), ("InService", "")]);
    let watcher = Watcher::default();
    let model = open(&server, &of_model("income"), &watcher).unwrap();
    assert_eq!(scores(&ask(&model, &numbered(3)).unwrap()), [0.0, 2.0, 4.0]);
    model.close().unwrap();
    let expected = [
        "CreateEndpointConfig",
        "CreateEndpoint",
        "DescribeEndpoint",
        "InvokeEndpoint",
        "DeleteEndpoint",
        "DeleteEndpointConfig",
    ];
    assert_eq!(operations(&server), expected);

    let requests = server.received();
    let body = |name: &str| {
        let request = requests.iter().find(|request| operation(request).0 == name).unwrap();
        operation(request).1
    };
    let config = body("CreateEndpointConfig");
    let name = body("CreateEndpoint")["EndpointName"].as_str().unwrap().to_owned();
    let config_name = config["EndpointConfigName"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = name.strip_prefix("sm-clarify-income-").unwrap().split('-').collect();
    let [epoch, hex] = parts[..] else { panic!("{name}") };
    assert!(epoch.parse::<u64>().is_ok() && hex.len() == 8 && u32::from_str_radix(hex, 16).is_ok(), "{name}");
    assert_eq!(config_name, format!("sm-clarify-config-{epoch}-{hex}"));
    assert_eq!(body("CreateEndpoint")["EndpointConfigName"], *config_name);
    assert_eq!(body("DeleteEndpoint")["EndpointName"], *name);
    assert_eq!(body("DeleteEndpointConfig")["EndpointConfigName"], *config_name);
    let variant = &config["ProductionVariants"][0];
    assert_eq!(variant["ModelName"], "income");
    assert_eq!(variant["InstanceType"], "ml.c5.xlarge");
    assert_eq!(variant["InitialInstanceCount"], 2);
    assert!(config.get("DataCaptureConfig").is_none(), "nothing is captured");
    assert_eq!(config["Tags"], json!([{"Key": "watchkeeper:processing-job", "Value": "job-7"}]));

    let invocation = requests.iter().find(|request| operation(request).0 == "InvokeEndpoint").unwrap();
    assert_eq!(invocation.path, format!("/endpoints/{name}/invocations"));
    assert_eq!(invocation.headers["x-watchkeeper-capture"], "off");
    assert_eq!(invocation.headers["x-amzn-sagemaker-custom-attributes"], "tenant=7");
    assert_eq!(invocation.headers["content-type"], "text/csv");
    assert!(invocation.headers["authorization"].starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
}

#[test]
fn names_fit_however_long_the_model_s_is() {
    let server = service(&[("InService", "")]);
    let config = PredictorConfig { endpoint_name_prefix: Some("p".repeat(23)), ..of_model(&"m".repeat(63)) };
    drop(open(&server, &config, &Watcher::default()).unwrap());
    for request in server.received() {
        let (_, body) = operation(&request);
        for member in ["EndpointName", "EndpointConfigName"] {
            if let Some(name) = body.get(member).and_then(Value::as_str) {
                assert!(name.len() <= 63 && name.starts_with(&"p".repeat(23)), "{name}");
            }
        }
    }
}

#[test]
fn a_dropped_model_leaves_nothing() {
    let server = service(&[("InService", "")]);
    drop(open(&server, &of_model("income"), &Watcher::default()).unwrap());
    assert_eq!(operations(&server)[3..], ["DeleteEndpoint", "DeleteEndpointConfig"]);
}

#[test]
fn a_panic_leaves_nothing() {
    let server = service(&[("InService", "")]);
    let model = open(&server, &of_model("income"), &Watcher::default()).unwrap();
    let thread = thread::spawn(move || {
        let _model = model;
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert_eq!(operations(&server)[3..], ["DeleteEndpoint", "DeleteEndpointConfig"]);
}

#[test]
fn the_reason_of_an_endpoint_that_fails_is_the_message_and_it_is_removed() {
    let server = service(&[("Creating", ""), ("Failed", "the container exits with status 1: no module named xgboost")]);
    let error = open(&server, &of_model("income"), &Watcher::default()).map(drop).unwrap_err();
    assert!(matches!(error, PredictorError::Unavailable(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.contains(" is Failed: the container exits with status 1: no module named xgboost"), "{error}");
    assert_eq!(operations(&server)[3..], ["DeleteEndpoint", "DeleteEndpointConfig"]);
}

#[test]
fn a_job_that_is_stopped_while_it_waits_removes_the_endpoint() {
    let server = service(&[("Creating", "")]);
    let watcher = Watcher::default();
    thread::scope(|scope| {
        let opening = scope.spawn(|| open(&server, &of_model("income"), &watcher).map(drop));
        while !operations(&server).contains(&"DescribeEndpoint".to_owned()) {
            thread::yield_now();
        }
        watcher.stop();
        assert!(matches!(opening.join().unwrap(), Err(PredictorError::Stopped)));
    });
    assert_eq!(operations(&server)[3..], ["DeleteEndpoint", "DeleteEndpointConfig"]);
}

#[test]
fn an_endpoint_that_cannot_be_made_leaves_no_configuration() {
    let server = Server::start(|request| match operation(request).0.as_str() {
        "CreateEndpoint" => refusal("ResourceLimitExceeded", "one endpoint is enough"),
        "DeleteEndpoint" => refusal("ValidationException", "Could not find endpoint \"x\"."),
        _ => ok("{}"),
    });
    let error = open(&server, &of_model("income"), &Watcher::default()).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an endpoint of model income could not be created: ResourceLimitExceeded: one endpoint is enough"
    );
    assert!(operations(&server).ends_with(&["DeleteEndpointConfig".to_owned()]));
}

#[test]
fn an_endpoint_that_exists_is_used_and_left_alone() {
    let server = service(&[("InService", "")]);
    let config = PredictorConfig { endpoint_name: Some("prod".to_owned()), ..PredictorConfig::default() };
    let model = open(&server, &config, &Watcher::default()).unwrap();
    assert_eq!(scores(&ask(&model, &numbered(2)).unwrap()), [0.0, 2.0]);
    model.close().unwrap();
    assert_eq!(operations(&server), ["DescribeEndpoint", "InvokeEndpoint"]);
    assert_eq!(server.received()[1].path, "/endpoints/prod/invocations");
}

#[test]
fn an_endpoint_that_does_not_exist_is_named() {
    let server = Server::start(|_| refusal("ValidationException", "Could not find endpoint \"prod\"."));
    let config = PredictorConfig { endpoint_name: Some("prod".to_owned()), ..PredictorConfig::default() };
    let error = open(&server, &config, &Watcher::default()).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "endpoint prod cannot be asked: ValidationException: Could not find endpoint \"prod\"."
    );
}

#[test]
fn what_the_model_says_through_the_service_is_in_the_message() {
    let server = Server::start(|request| match operation(request).0.as_str() {
        "DescribeEndpoint" => ok(json!({"EndpointStatus": "InService"}).to_string()),
        _ if request.lines().contains(&"1") => {
            let body = json!({"Message": "Received server error", "OriginalStatusCode": 500, "OriginalMessage": "ValueError: one"});
            Reply::Answer(424, vec![("x-amzn-errortype", "ModelError".to_owned())], body.to_string())
        }
        _ => ok(doubled(&request.body)),
    });
    let config = PredictorConfig { endpoint_name: Some("prod".to_owned()), ..PredictorConfig::default() };
    let model = open(&server, &config, &Watcher::default()).unwrap();
    let answers = ask(&model, &numbered(3)).unwrap();
    assert_eq!(answers.failures, [(1, "status 500: ValueError: one; the request was `1`".to_owned())]);
}

#[test]
fn a_model_that_is_too_slow_for_the_service_gets_fewer_records() {
    let server = Server::start(|request| match operation(request).0.as_str() {
        "DescribeEndpoint" => ok(json!({"EndpointStatus": "InService"}).to_string()),
        _ if request.lines().len() > 100 => {
            let words = "Your invocation timed out while waiting for a response from container primary.";
            let body = json!({"Message": "Received server error", "OriginalStatusCode": 0, "OriginalMessage": words});
            Reply::Answer(424, vec![("x-amzn-errortype", "ModelError".to_owned())], body.to_string())
        }
        _ => ok(doubled(&request.body)),
    });
    let config = PredictorConfig { endpoint_name: Some("prod".to_owned()), ..PredictorConfig::default() };
    let model = open(&server, &config, &Watcher::default()).unwrap();
    let answers = ask(&model, &numbered(2000)).unwrap();
    assert_eq!(scores(&answers), (0..2000).map(|number| f64::from(number) * 2.0).collect::<Vec<_>>());
}

#[test]
fn a_configuration_without_a_model_is_refused() {
    let server = service(&[("InService", "")]);
    let error = open(&server, &PredictorConfig::default(), &Watcher::default()).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "predictor names no model: give endpoint_name or model_name");
}
