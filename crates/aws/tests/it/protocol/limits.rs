//! What is broken, too large or too deep is an error with a code, never a panic.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Method, Uri};
use proptest::prelude::*;
use serde_json::Value;
use watchkeeper_aws::Error;
use watchkeeper_aws::protocol::{Protocol, Request, Route, Service, decode, route};

fn decoded(service: Service, operation: &str, protocol: Protocol, body: &[u8], gzip: bool) -> Result<Value, Error> {
    let mut headers = HeaderMap::new();
    if gzip {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    let request = Request { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers, body };
    decode(&Route { service, operation: operation.to_owned(), protocol }, &request)
}

fn put_metric_data(protocol: Protocol, body: &[u8]) -> Result<Value, Error> {
    decoded(Service::CloudWatch, "PutMetricData", protocol, body, false)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_small_body_that_unpacks_to_a_large_one_is_refused() {
    let bomb = packed(&vec![b' '; 11 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024);
    let error = decoded(Service::CloudWatch, "PutMetricData", Protocol::Json10, &bomb, true).unwrap_err();
    assert_eq!(error.status, 413);
}

#[test]
fn a_body_that_is_not_what_its_header_says_is_refused() {
    let error = decoded(Service::CloudWatch, "PutMetricData", Protocol::Json10, b"{}", true).unwrap_err();
    assert_eq!(error.code, "SerializationException");
}

#[test]
fn depth_is_bounded() {
    let json = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    assert_eq!(put_metric_data(Protocol::Json10, json.as_bytes()).unwrap_err().code, "SerializationException");
    // Arrays of one item each.
    let cbor = vec![0x81; 100_000];
    assert_eq!(put_metric_data(Protocol::Cbor, &cbor).unwrap_err().code, "SerializationException");
    let form = format!("MetricData{}=1", ".member.1.Dimensions".repeat(10_000));
    put_metric_data(Protocol::Query, form.as_bytes()).unwrap();
}

#[test]
fn bodies_of_many_values_are_refused_and_the_largest_request_is_not() {
    let lists = format!(r#"{{"Unknown":[{}[]]}}"#, "[],".repeat(3_000_000));
    let objects = format!(r#"{{"Unknown":[{}{{}}]}}"#, r#"{"a":1},"#.repeat(200_000));
    for json in [&lists, &objects] {
        assert_eq!(put_metric_data(Protocol::Json10, json.as_bytes()).unwrap_err().status, 413);
    }
    // An array of 200,000 maps of one entry.
    let maps = [&[0x9a, 0x00, 0x03, 0x0d, 0x40][..], &[0xa1, 0x61, b'a', 0x00].repeat(200_000)].concat();
    assert_eq!(put_metric_data(Protocol::Cbor, &maps).unwrap_err().status, 413);

    // CloudWatch's own limits: 1,000 metrics, 30 dimensions, 150 values. What is in texts is no value.
    let dimension = r#"{"Name":"a","Value":"{,[\",{"},"#.repeat(29) + r#"{"Name":"a","Value":"b"}"#;
    let values = "1.5,".repeat(149) + "1.5";
    let datum = format!(
        r#"{{"MetricName":"m","Dimensions":[{dimension}],"Timestamp":1,"Unit":"None","StorageResolution":1,"Values":[{values}],"Counts":[{values}]}}"#
    );
    let largest = format!(r#"{{"Namespace":"n","MetricData":[{}{datum}]}}"#, format!("{datum},").repeat(999));
    let input = put_metric_data(Protocol::Json10, largest.as_bytes()).unwrap();
    assert_eq!(input["MetricData"].as_array().unwrap().len(), 1000);
    let commas = serde_json::json!({ "Namespace": "n", "Text": ",[{".repeat(1_000_000) });
    put_metric_data(Protocol::Json10, commas.to_string().as_bytes()).unwrap();
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    // Texts, bytes, arrays and maps of 2^62 items.
    for head in [0x7b, 0x5b, 0x9b, 0xbb_u8] {
        let body = [&[head, 0x40][..], &[0; 7]].concat();
        assert_eq!(put_metric_data(Protocol::Cbor, &body).unwrap_err().code, "SerializationException");
    }
}

#[test]
fn the_number_of_fields_of_a_form_is_bounded() {
    let form = (0..100_001).map(|number| format!("a{number}=")).collect::<Vec<_>>().join("&");
    assert_eq!(put_metric_data(Protocol::Query, form.as_bytes()).unwrap_err().code, "MalformedInput");
}

#[test]
fn a_field_that_is_no_number_is_named() {
    let error = put_metric_data(Protocol::Query, b"Namespace=n&MetricData.member.2.Value=x").unwrap_err();
    assert_eq!(error.code, "MalformedInput");
    assert!(error.message.contains("MetricData.member.2.Value"), "{error}");
}

#[test]
fn items_of_a_list_stand_in_the_order_of_their_numbers() {
    let form = b"AlarmNames.member.10=c&AlarmNames.member.2=b&AlarmNames.member.1=a";
    let input = decoded(Service::CloudWatch, "DeleteAlarms", Protocol::Query, form, false).unwrap();
    assert_eq!(input["AlarmNames"], serde_json::json!(["a", "b", "c"]));
}

proptest! {
    #[test]
    fn no_body_is_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200), gzip: bool) {
        for protocol in [Protocol::Json10, Protocol::Json11, Protocol::Query, Protocol::Cbor] {
            let _ = decoded(Service::CloudWatch, "PutMetricData", protocol, &body, gzip);
        }
    }

    #[test]
    fn no_form_is_a_panic(form in "(MetricData|Namespace|\\.|member|[0-9]|Dimensions|=|&|%|\\+|[a-f])*") {
        let _ = put_metric_data(Protocol::Query, form.as_bytes());
    }

    #[test]
    fn no_request_is_a_panic(path in "/(endpoints|service|operation|invocations|[a-z]|/|%2F){0,6}", target in "[ -~]{0,20}") {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_str(&target).unwrap());
        let uri: Uri = path.parse().unwrap();
        let request = Request { method: &Method::POST, uri: &uri, headers: &headers, body: b"" };
        for scope in [None, Some("s3"), Some("sagemaker"), Some("other")] {
            let _ = route(&request, scope);
        }
    }
}
