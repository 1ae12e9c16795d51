//! The walk beside parsers: what it finds is what they find.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;
use watchkeeper_formats::CaptureRecord;
use watchkeeper_formats::ground_truth::records;

use super::*;
use crate::merge::labels::{Label, LabelKind};
use crate::merge::shape::{CaptureScan, LabelScan};

fn padded(line: &str) -> Vec<u8> {
    [line.as_bytes(), &[0; PADDING]].concat()
}

/// Lines that are nearly right: pieces of right ones, put together and broken.
fn lines() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        3 => "[a-z0-9]{0,20}",
        1 => r#"(\\n|\\"|\\\\|\\u00e4|\\ud800|\\q|\t|ä|\\u12|[a-z]){0,5}"#,
    ];
    let value = prop_oneof![
        4 => text.clone().prop_map(|text| format!("\"{text}\"")),
        1 => prop::sample::select(vec!["null", "true", "tru", "0", "-1.5e+3", "01", "1.", "-", "[]", "[1,{}]", "[1,]", "{\"a\":[2]}", "{,}", "NaN", ""])
            .prop_map(str::to_owned),
    ];
    let key = prop::sample::select(vec![
        "captureData",
        "eventMetadata",
        "groundTruthData",
        "eventVersion",
        "eventId",
        "inferenceId",
        "inferenceTime",
        "data",
        "encoding",
        "\\u0065ventId",
    ]);
    let encoding =
        prop::sample::select(vec!["\"CSV\"", "\"JSON\"", "\"csv\"", "\"BASE64\"", "null"]).prop_map(str::to_owned);
    let member = (key, prop_oneof![3 => value, 1 => encoding]).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let object = prop::collection::vec(member.clone(), 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    let part = prop_oneof![
        2 => member,
        3 => object.clone().prop_map(|object| format!("\"captureData\":{object}")),
        4 => object.clone().prop_map(|object| format!(" \"eventMetadata\" : {object}")),
        3 => object.prop_map(|object| format!("\"groundTruthData\":{object}")),
    ];
    let line = prop::collection::vec(part, 0..5).prop_map(|parts| format!("{{{}}}", parts.join(",")));
    (line, prop::option::weighted(0.1, 0_usize..200), prop::sample::select(vec!["", " ", "\r", "x", "}"])).prop_map(
        |(line, cut, end)| {
            let cut = cut.map_or(line.len(), |cut| line.floor_char_boundary(cut.min(line.len())));
            format!("{}{end}", &line[..cut])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_label_that_is_found_is_the_one_that_a_parser_finds(line in lines()) {
        let bytes = padded(&line);
        if let Some(found) = label(&bytes, 0, &mut Varying::default()) {
            let mut parsed = Vec::new();
            records(&line, &mut |record| parsed.push(record.unwrap()));
            prop_assert_eq!(parsed.len(), 1);
            prop_assert_eq!(&line[found.id], &*parsed[0].event_id);
            let kind = if found.is_json { LabelKind::Json } else { LabelKind::Csv };
            let data = line[found.data].as_bytes();
            prop_assert_eq!(Label::of_json(&parsed[0].ground_truth_data), Some(Label { kind, data }));
            prop_assert_eq!(found.end, line.len());
        }
    }

    #[test]
    fn a_capture_that_is_found_is_the_one_that_a_parser_finds(line in lines()) {
        let bytes = padded(&line);
        if let Some(found) = capture(&bytes, 0, &mut Varying::default()) {
            let value: Value = serde_json::from_str(&line.replace("\\ud800", "x")).unwrap();
            prop_assert!(value["captureData"].is_object() && value.get("groundTruthData").is_none());
            let text = |name: &str| value["eventMetadata"][name].as_str().filter(|id| !id.is_empty());
            prop_assert_eq!(Some(&line[found.id]), text("inferenceId").or(text("eventId")));
            prop_assert_eq!(&line[found.time], text("inferenceTime").unwrap_or_default());
            prop_assert_eq!(line[found.close..].trim_end(), "}");
        }
    }

    /// Lines like the ones before, or nearly so: they are walked over as if none had come before.
    #[test]
    fn what_came_before_makes_no_difference(
        lines in prop::collection::vec(lines(), 1..3),
        texts in prop::collection::vec(prop_oneof!["[a-z]{0,3}", r#"(\\n|\\u00e4|\\q|"|\t){0,2}"#], 1..9),
    ) {
        let (mut captures, mut labels) = (CaptureScan::default(), LabelScan::default());
        let usual = [
            r#"{"captureData":{"endpointInput":{"data":"0"},"endpointOutput":{"data":"1"}},"eventMetadata":{"eventId":"2","inferenceId":"3","inferenceTime":"4"}}"#,
            r#"{"groundTruthData":{"data":"0","encoding":"CSV"},"eventMetadata":{"eventId":"2"}}"#,
        ];
        let mut like: Vec<String> = usual.iter().map(|&line| line.to_owned()).collect();
        for text in &texts {
            like.extend(usual.iter().enumerate().map(|(kind, line)| {
                let digit = text.len() * 7 % 5;
                line.replace(&format!("\"{digit}\""), &format!("\"{text}\"")) + if kind == text.len() % 3 { "}" } else { "" }
            }));
        }
        like.extend(lines);
        for line in like.iter().chain(&like) {
            let bytes = padded(line);
            prop_assert_eq!(captures.capture(&bytes, 0), capture(&bytes, 0, &mut Varying::default()));
            prop_assert_eq!(labels.label(&bytes, 0), label(&bytes, 0, &mut Varying::default()));
        }
    }

    #[test]
    fn what_is_a_value_is_json(line in lines()) {
        prop_assert_eq!(is_value(&padded(&line), 0) && !line.contains("\\u0065ventId"),
            serde_json::from_str::<serde::de::IgnoredAny>(&line).is_ok() && !line.contains("\\u0065ventId"));
    }
}

#[test]
fn usual_lines_are_found() {
    let line = r#"{"captureData":{"endpointOutput":{"data":"0.5\n","encoding":"CSV"}},"eventMetadata":{"eventId":"e","inferenceTime":"t"},"eventVersion":"0"}"#;
    assert!(capture(&padded(line), 0, &mut Varying::default()).is_some() && CaptureRecord::parse(line).is_ok());
    let line =
        r#"{"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"57"},"eventVersion":"0"}"#;
    assert!(label(&padded(line), 0, &mut Varying::default()).is_some());
}
