//! The variable `dataset_format`.

use watchkeeper_formats::{CaptureIndexName, DatasetFormat, Error, OutputColumnsPosition};

const START: OutputColumnsPosition = OutputColumnsPosition::Start;
const END: OutputColumnsPosition = OutputColumnsPosition::End;

fn csv(header: bool, output_columns_position: OutputColumnsPosition) -> DatasetFormat {
    DatasetFormat::Csv { header, output_columns_position }
}

fn capture(names: Option<Vec<CaptureIndexName>>, position: Option<OutputColumnsPosition>) -> DatasetFormat {
    DatasetFormat::CaptureJson { capture_index_names: names, output_columns_position: position }
}

#[test]
fn accepted_forms() {
    let both = Some(vec![CaptureIndexName::EndpointInput, CaptureIndexName::EndpointOutput]);
    let table = [
        (r#"{"csv": {"header": true, "output_columns_position": "START"}}"#, csv(true, START)),
        (r#"{"csv": {"header": false, "output_columns_position": "end"}}"#, csv(false, END)),
        (r#"{"csv": {"header": "True"}}"#, csv(true, START)),
        (r#"{"csv": {"header": "FALSE", "output_columns_position": null}}"#, csv(false, START)),
        (r#"{"csv": {}}"#, csv(false, START)),
        ("\u{feff} {\"csv\": {\"header\": true}}\n", csv(true, START)),
        (r#"{"json": {"lines": true}}"#, DatasetFormat::Json { lines: true }),
        (r#"{"json": {"line": "true"}}"#, DatasetFormat::Json { lines: true }),
        (r#"{"json": {"line": false}}"#, DatasetFormat::Json { lines: false }),
        (r#"{"json": {}}"#, DatasetFormat::Json { lines: false }),
        (r#"{"parquet": {}}"#, DatasetFormat::Parquet),
        (r#"{"sagemakerCaptureJson": {}}"#, capture(None, None)),
        (r#"{"sagemakerCaptureJson": {"captureIndexNames": []}}"#, capture(None, None)),
        (r#"{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#, capture(both, None)),
        (
            r#"{"sagemakerCaptureJson": {"captureIndexNames": ["batchTransformOutput"], "output_columns_position": "END"}}"#,
            capture(Some(vec![CaptureIndexName::BatchTransformOutput]), Some(END)),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(DatasetFormat::parse(text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(DatasetFormat::parse(&expected.to_json_text()), Ok(expected));
    }
}

#[test]
fn text_as_the_service_sends_it() {
    let table = [
        (csv(true, START), r#"{"csv":{"header":true,"output_columns_position":"START"}}"#),
        (DatasetFormat::Json { lines: true }, r#"{"json":{"lines":true}}"#),
        (DatasetFormat::Parquet, r#"{"parquet":{}}"#),
        (capture(None, None), r#"{"sagemakerCaptureJson":{}}"#),
        (
            capture(Some(vec![CaptureIndexName::EndpointInput, CaptureIndexName::EndpointOutput]), None),
            r#"{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#,
        ),
    ];
    for (format, expected) in table {
        assert_eq!(format.to_json_text(), expected);
    }
}

#[test]
fn refused_forms_say_what_is_accepted() {
    let forms =
        r#"{"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}}, {"sagemakerCaptureJson": {}}"#;
    let table = [
        ("{}", format!("expected exactly one key, as in {forms}")),
        (r#"{"csv": {}, "json": {}}"#, format!("expected exactly one key, as in {forms}")),
        (r#"{"xml": {}}"#, format!("unknown format `xml`, expected one of {forms}")),
        (r#"{"csv": true}"#, format!("`csv` holds true, expected an object, as in {forms}")),
        (r#"{"csv": {"header": "yes"}}"#, r#"`header` of `csv` is "yes", expected true or false"#.to_owned()),
        (
            r#"{"csv": {"headers": true}}"#,
            "unknown setting `headers` of `csv`, accepted settings: header, output_columns_position".to_owned(),
        ),
        (r#"{"parquet": {"a": 1}}"#, "unknown setting `a` of `parquet`, accepted settings: none".to_owned()),
        (
            r#"{"csv": {"output_columns_position": "LAST"}}"#,
            r#"`output_columns_position` of `csv` is "LAST", expected START or END"#.to_owned(),
        ),
        (
            r#"{"sagemakerCaptureJson": {"captureIndexNames": ["input"]}}"#,
            r#"`captureIndexNames` of `sagemakerCaptureJson` is ["input"], expected a list of endpointInput, endpointOutput, batchTransformOutput"#
                .to_owned(),
        ),
        (
            "csv",
            format!("expected value at line 1 column 1; accepted are {forms}"),
        ),
        (
            r#"["csv"]"#,
            format!("expected a JSON object, not an array; accepted are {forms}"),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(DatasetFormat::parse(text), Err(Error::DatasetFormat(expected)), "{text}");
    }
}
