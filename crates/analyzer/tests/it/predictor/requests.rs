//! What a model server gets.

use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::{Value, json};
use watchkeeper_analyzer::predictor::{ModelPlace, Records};
use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::table::{Column, ColumnBuilder};
use watchkeeper_formats::clarify::{PredictorConfig, Template};

use super::server::{Server, ok, refuse};
use super::{ask, csv_column, json, json_lines, numbered, open, records_of, table};

/// One answer of 0.5 for each line or record.
fn halves() -> Server {
    Server::start(|request| {
        let count = match serde_json::from_str::<Value>(&request.body) {
            Ok(Value::Object(body)) if body.contains_key("records") => {
                return ok(json!(vec![0.5; body["records"].as_array().unwrap().len()]).to_string());
            }
            _ if request.headers["content-type"] == "text/csv" => {
                csv::ReaderBuilder::new().has_headers(false).from_reader(request.body.as_bytes()).records().count()
            }
            _ => request.lines().len(),
        };
        ok(vec!["0.5"; count].join("\n"))
    })
}

/// Age, name, share, whether: a row of all that a CSV file can hold, and one with nothing but a number.
fn columns() -> Vec<Column> {
    vec![
        csv_column("Age", &["39", "40"]),
        csv_column("Full \"Name\"", &["Ann, \"the\"\nfirst €", ""]),
        csv_column("share", &["1.50", ""]),
        csv_column("whether", &["TRUE", "NA"]),
    ]
}

const NAMES: [&str; 4] = ["Age", "Full \"Name\"", "share", "whether"];

/// The bodies of the requests for two rows of [`columns`].
fn bodies(config: &PredictorConfig) -> Vec<String> {
    let server = halves();
    let model = open(config, &ModelPlace::Url(server.url()), &NAMES).unwrap();
    let answers = ask(&model, &Records::of_table(&model, &table(columns()))).unwrap();
    assert_eq!(answers.answers.len(), 2);
    server.received().into_iter().map(|request| request.body).collect()
}

#[test]
fn csv_has_texts_in_quotes_numbers_as_written_and_nothing_for_missing_cells() {
    let bodies = bodies(&PredictorConfig::default());
    assert_eq!(bodies, ["39,\"Ann, \"\"the\"\"\nfirst €\",1.50,TRUE\n40,,,"]);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bodies[0].as_bytes());
    let rows: Vec<Vec<String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows, [vec!["39", "Ann, \"the\"\nfirst €", "1.50", "TRUE"], vec!["40", "", "", ""]]);
}

#[test]
fn a_request_is_a_post_with_the_headers_of_the_configuration() {
    let server = halves();
    let config = PredictorConfig {
        accept_type: Some("text/csv; charset=utf-8".to_owned()),
        custom_attributes: Some("tenant=7".to_owned()),
        target_model: Some("b.tar.gz".to_owned()),
        ..PredictorConfig::default()
    };
    let model = open(&config, &ModelPlace::Url(server.url()), &["x"]).unwrap();
    ask(&model, &numbered(1)).unwrap();
    let [request] = &server.received()[..] else { panic!("one request was expected") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/invocations?of=model"));
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("content-type"), "text/csv");
    assert_eq!(header("accept"), "text/csv; charset=utf-8");
    assert_eq!(header("x-amzn-sagemaker-custom-attributes"), "tenant=7");
    assert_eq!(header("x-amzn-sagemaker-target-model"), "b.tar.gz");
}

#[test]
fn json_lines_are_templates_with_arrays_of_values_that_keep_their_kind() {
    let bodies =
        bodies(&PredictorConfig { accept_type: Some("text/csv".to_owned()), ..json_lines("{\"features\":$features}") });
    let lines: Vec<Value> = bodies[0].split('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [json!({"features": [39, "Ann, \"the\"\nfirst €", 1.50, true]}), json!({"features": [40, null, null, null]}),]
    );
    assert!(bodies[0].starts_with("{\"features\":[39,\""), "compact, no blanks: {}", bodies[0]);
    assert!(bodies[0].contains(",1.50,true]"), "numbers as written: {}", bodies[0]);
}

#[test]
fn a_template_of_several_lines_becomes_one_line() {
    let config = PredictorConfig {
        accept_type: Some("text/csv".to_owned()),
        ..json_lines("{\n  \"features\": $features,\r\n  \"version\": 1\n}")
    };
    let bodies = bodies(&config);
    assert_eq!(bodies[0].lines().count(), 2);
    let first: Value = serde_json::from_str(bodies[0].lines().next().unwrap()).unwrap();
    assert_eq!(first["version"], 1);
}

#[test]
fn json_is_built_of_two_templates() {
    let records = |record_template: &str| {
        let bodies = bodies(&json("{\"records\":$records,\"names\":$feature_names}", record_template));
        let [body] = &bodies[..] else { panic!("one request was expected, there were {}", bodies.len()) };
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["names"], json!(NAMES));
        body["records"].clone()
    };
    assert_eq!(records("$features")[1], json!([40, null, null, null]));
    assert_eq!(
        records("{\"row\":$features_kvp}")[0],
        json!({"row": {"Age": 39, "Full \"Name\"": "Ann, \"the\"\nfirst €", "share": 1.50, "whether": true}})
    );
    assert_eq!(
        records("{\"name\":\"${Full \\\"Name\\\"}\",\"of\":{\"age\":\"${Age}\"},\"price\":\"$5\"}")[0],
        json!({"name": "Ann, \"the\"\nfirst €", "of": {"age": 39}, "price": "$5"})
    );
    assert_eq!(
        records("{\"names\":$feature_names,\"values\":$features}")[1],
        json!({"names": NAMES, "values": [40, null, null, null]})
    );
}

#[test]
fn placeholders_of_a_template_that_is_an_object_lose_their_quotes() {
    let bodies = bodies(&json("{\"records\":\"$records\"}", "{\"values\":\"$features\"}"));
    let body: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(body["records"][1]["values"], json!([40, null, null, null]));
}

#[test]
fn a_template_of_one_record_makes_a_request_of_each() {
    let bodies = bodies(&json("{\"instance\":$record}", "$features"));
    assert_eq!(bodies.len(), 2);
    let mut ages: Vec<i64> = bodies
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["instance"][0].as_i64().unwrap())
        .collect();
    ages.sort_unstable();
    assert_eq!(ages, [39, 40]);
}

#[test]
fn cells_of_json_data_keep_the_kind_that_each_has() {
    let mut mixed = ColumnBuilder::new(true);
    mixed.push(CellKind::Number, "1.0");
    mixed.push(CellKind::Text, "1.0");
    mixed.push(CellKind::Boolean, "false");
    mixed.push_missing();
    let server = halves();
    let config = PredictorConfig { accept_type: Some("text/csv".to_owned()), ..json_lines("$features") };
    let model = open(&config, &ModelPlace::Url(server.url()), &["mixed"]).unwrap();
    ask(&model, &Records::of_table(&model, &table(vec![mixed.finish("mixed".to_owned())]))).unwrap();
    assert_eq!(server.received()[0].body, "[1.0]\n[\"1.0\"]\n[false]\n[null]");
}

#[test]
fn numbers_that_only_csv_can_write_are_written_as_json_does() {
    let column = csv_column("x", &["+5.5", ".5", "5.", "-0", "1e3", "007"]);
    let server = halves();
    let config = PredictorConfig { accept_type: Some("text/csv".to_owned()), ..json_lines("$features") };
    let model = open(&config, &ModelPlace::Url(server.url()), &["x"]).unwrap();
    ask(&model, &Records::of_table(&model, &table(vec![column]))).unwrap();
    let numbers: Vec<f64> =
        server.received()[0].lines().iter().map(|line| serde_json::from_str::<[f64; 1]>(line).unwrap()[0]).collect();
    assert_eq!(numbers, [5.5, 0.5, 5.0, 0.0, 1000.0, 7.0]);
}

#[test]
fn computed_columns_are_encoded_by_their_values() {
    let mut column = csv_column("x", &["0.1", "3"]);
    column.written = None;
    let server = halves();
    let model = open(&PredictorConfig::default(), &ModelPlace::Url(server.url()), &["x"]).unwrap();
    ask(&model, &Records::of_table(&model, &table(vec![column]))).unwrap();
    assert_eq!(server.received()[0].body, "0.1\n3.0");
}

#[test]
fn bodies_stay_under_five_megabytes_and_lose_no_record() {
    let server = Server::start(|request| {
        ok(request.lines().iter().map(|line| line[..3].to_owned()).collect::<Vec<_>>().join("\n"))
    });
    let model = open(&PredictorConfig::default(), &ModelPlace::Url(server.url()), &["x"]).unwrap();
    let records = records_of((100..220).map(|number| format!("{number}{}", "0".repeat(200_000))));
    let answers = ask(&model, &records).unwrap();
    assert_eq!(super::scores(&answers), (100..220).map(f64::from).collect::<Vec<_>>());
    let lengths: Vec<usize> = server.received().iter().map(|request| request.body.len()).collect();
    assert!(lengths.iter().all(|length| *length < 5_000_000), "{lengths:?}");
    assert_eq!(lengths.len() as u64, model.requests_for(120, 120 * 200_003), "the estimate is what it takes");
}

#[test]
fn templates_that_cannot_be_rendered_are_refused_with_what_is_wrong() {
    let template = |text: &str| Some(Template(text.to_owned()));
    let cases = [
        (json_lines("{\"features\":[1]}"), "content_template has no placeholder for a record's values"),
        (json_lines("{\"features\":$features"), "content_template does not give JSON when it is filled"),
        (json_lines("{\"age\":\"${age}\"}"), "content_template asks for \"${age}\", the features are Age, Sex"),
        (json_lines("{\"rows\":$records}"), "content_template: $records and $record have no place in it"),
        (json("{\"rows\":[]}", "$features"), "content_template must have the placeholder $records"),
        (json("$records", "{\"a\":1}"), "record_template has no placeholder"),
        (json("{\"rows\":$records", "$features"), "content_template does not give JSON"),
        (PredictorConfig { record_template: None, ..json("$records", "") }, "record_template is missing"),
        (PredictorConfig { content_template: None, ..json("", "$features") }, "content_template is missing"),
        (PredictorConfig { content_template: None, ..json_lines("") }, "content_template is missing"),
        (
            PredictorConfig { content_type: Some("image/png".to_owned()), ..PredictorConfig::default() },
            "content_type \"image/png\" is not supported",
        ),
        (
            PredictorConfig { accept_type: Some("application/x-npy".to_owned()), ..PredictorConfig::default() },
            "accept_type \"application/x-npy\" is not supported",
        ),
        (PredictorConfig { content_template: template("$features"), ..json_lines("") }, ""),
    ];
    for (config, expected) in cases {
        let opened = open(&config, &ModelPlace::Url("http://127.0.0.1:1".to_owned()), &["Age", "Sex"]);
        match opened.map(drop) {
            Ok(()) => assert_eq!(expected, "", "{config:?} was expected to be refused"),
            Err(error) => assert!(
                !expected.is_empty()
                    && error.to_string().starts_with("predictor: ")
                    && error.to_string().contains(expected),
                "{error}"
            ),
        }
    }
}

/// The bodies that a model gets for rows of texts.
fn bodies_of(config: &PredictorConfig, names: &[String], texts: &[Vec<String>]) -> Vec<String> {
    let server = Server::start(|_| refuse(400, "seen"));
    let features: Vec<&str> = names.iter().map(String::as_str).collect();
    let model = open(config, &ModelPlace::Url(server.url()), &features).unwrap();
    let columns = names.iter().enumerate().map(|(place, name)| {
        let mut column = ColumnBuilder::new(true);
        for row in texts {
            column.push(CellKind::Text, &row[place]);
        }
        column.finish(name.clone())
    });
    ask(&model, &Records::of_table(&model, &table(columns.collect()))).unwrap();
    server.received().into_iter().map(|request| request.body).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever texts and names are, readers of CSV and of JSON read them back. The first request holds all records.
    #[test]
    fn any_texts_come_through(
        texts in prop::collection::vec(prop::collection::vec(any::<String>(), 3), 1..4),
        names in prop::collection::hash_set("[^{}\\\\\"$]{1,8}", 3),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let mut distinct: Vec<&Vec<String>> = Vec::new();
        for row in &texts {
            if !distinct.contains(&row) {
                distinct.push(row);
            }
        }
        let bodies = bodies_of(&PredictorConfig::default(), &names, &texts);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bodies[0].as_bytes());
        let read: Vec<Vec<String>> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), distinct);

        let template = format!("{{\"all\":$features,\"named\":$features_kvp,\"last\":{}}}", json!(format!("${{{}}}", names[2])));
        let bodies = bodies_of(&json_lines(&template), &names, &texts);
        let lines: Vec<Value> = bodies[0].split('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), distinct.len());
        for (line, row) in lines.iter().zip(distinct) {
            assert_eq!(line["all"], json!(row));
            assert_eq!(&line["last"], &json!(row[2]));
            for (name, cell) in names.iter().zip(row) {
                assert_eq!(line["named"][name], json!(cell));
            }
        }
    }
}
