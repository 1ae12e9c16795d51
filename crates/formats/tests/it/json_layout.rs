//! The layout of Jackson's default pretty printer. Referee: its documented rules as seen in the goldens, and for the
//! content any JSON reader.

use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_formats::json;

#[test]
fn empty_containers_have_a_space() {
    assert_eq!(json::to_string(&json!([])), "[ ]");
    assert_eq!(json::to_string(&json!({})), "{ }");
    assert_eq!(
        json::to_string(&json!({"a": {}, "b": [], "c": [[]]})),
        "{\n  \"a\" : { },\n  \"b\" : [ ],\n  \"c\" : [ [ ] ]\n}"
    );
}

#[test]
fn scalars_stay_on_one_line() {
    let document = json!({"data": [[1.0, 2.0], [3.0]], "domains": ["a", "b"], "none": null, "yes": true});
    let expected = r#"{
  "data" : [ [ 1.0, 2.0 ], [ 3.0 ] ],
  "domains" : [ "a", "b" ],
  "none" : null,
  "yes" : true
}"#;
    assert_eq!(json::to_string(&document), expected);
}

#[test]
fn objects_open_on_the_line_of_their_array() {
    let document = json!({"violations": [{"a": 1}, {"b": {"c": -2}}]});
    let expected = r#"{
  "violations" : [ {
    "a" : 1
  }, {
    "b" : {
      "c" : -2
    }
  } ]
}"#;
    assert_eq!(json::to_string(&document), expected);
}

#[test]
fn texts_are_escaped_as_little_as_possible() {
    let text = "\" \\ / \u{8} \t \n \u{c} \r \u{0} \u{1f} \u{7f} é € 𝄞 <>&'";
    let expected = "\"\\\" \\\\ / \\b \\t \\n \\f \\r \\u0000 \\u001F \u{7f} é € 𝄞 <>&'\"";
    assert_eq!(json::to_string(&text), expected);
}

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_reads_back(document in any_json()) {
        let read: Value = serde_json::from_str(&json::to_string(&document)).unwrap();
        prop_assert_eq!(read, document);
    }
}
