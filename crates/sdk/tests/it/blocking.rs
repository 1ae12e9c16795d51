//! Calls from code without an asynchronous runtime.

use serde_json::json;
use watchkeeper::blocking::Block as _;
use watchkeeper::predictor::Predictor;
use watchkeeper::session::AwsService;
use watchkeeper::{Error, Session};

use crate::stub::{Answer, Stub};

fn list(session: &Session) -> usize {
    let answer = session.call(AwsService::SageMaker, "ListEndpoints", "all", &json!({})).block().unwrap();
    answer["Endpoints"].as_array().unwrap().len()
}

#[test]
fn whatever_is_awaited_is_blocked_on() {
    let stub = Stub::start(|request| match request.operation().as_str() {
        "ListEndpoints" => Answer::json(&json!({ "Endpoints": [1, 2] })),
        _ => Answer::bytes("0.5"),
    });
    let session = stub.session();
    // A future of an `async fn`, twice, so that a connection is used again; and a request.
    assert_eq!((list(&session), list(&session)), (2, 2));
    let predictor = Predictor::new(&session, "churn");
    assert_eq!(&predictor.predict("1").block().unwrap().body[..], b"0.5");
    // From several threads at once.
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| list(&session))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 2));
    });
    assert_eq!(stub.requests().len(), 7);
}

#[tokio::test]
async fn within_a_runtime_it_is_an_error_and_nothing_is_sent() {
    let stub = Stub::start(|_| Answer::bytes("0.5"));
    let session = stub.session();
    let predictor = Predictor::new(&session, "churn");
    let error = predictor.predict("1").block().unwrap_err();
    assert!(matches!(error, Error::WithinRuntime), "{error}");
    assert!(stub.requests().is_empty());
}
