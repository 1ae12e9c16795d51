//! Messages of event streams, as botocore reads them (`make_event_stream.py`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use watchkeeper_aws::protocol::event_stream;

#[test]
fn messages_are_those_that_botocore_reads() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("event_stream.json")).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let bytes = |member: &str| STANDARD.decode(case[member].as_str().unwrap()).unwrap();
        let name = case["name"].as_str().unwrap();
        let message = match case["kind"].as_str().unwrap() {
            "event" => event_stream::event(name, case["content_type"].as_str().unwrap(), &bytes("payload")),
            _ => event_stream::exception(name, &bytes("payload")),
        };
        assert_eq!(message, bytes("message"), "{case}");
    }
}
