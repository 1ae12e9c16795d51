//! Scored tables and JSON records as batches of prediction, probability and label (section 2.2 of model quality).

use std::sync::Arc;

use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
use serde_json::json;
use watchkeeper_data::locate::Attribute;
use watchkeeper_data::scored::{ListMeaning, RecordCounts, ScoredReading, open};
use watchkeeper_data::{Preprocess, Reading, list};
use watchkeeper_formats::DatasetFormat;

use crate::capture::{exchange, part, record};
use crate::table::{Folder, Table, boolean, capture, csv, json_document, json_lines, number, read_source, text};

/// How to read records whose attributes have these texts; an empty one is not given.
pub fn scored(reading: Reading, [inference, probability, ground_truth]: [&str; 3]) -> ScoredReading {
    let attribute = |text: &str| (!text.is_empty()).then(|| Attribute::new(text));
    ScoredReading {
        reading,
        inference: attribute(inference),
        probability: attribute(probability),
        ground_truth: attribute(ground_truth),
        lists: ListMeaning::None,
    }
}

impl Folder {
    /// The scored table, or the message that reading ends with.
    pub fn scored(&self, reading: &ScoredReading) -> Result<Table, String> {
        self.counted(reading, None).map(|(table, _)| table)
    }

    pub fn counted<'a>(
        &self,
        reading: &ScoredReading,
        preprocessor: Option<&'a mut (dyn Preprocess + 'a)>,
    ) -> Result<(Table, RecordCounts), String> {
        let files = list(self.path()).unwrap();
        let mut source = match preprocessor {
            Some(preprocessor) => open(files, reading, Some(preprocessor)),
            None => open(files, reading, None),
        };
        let table = read_source(&mut *source).map_err(|error| self.without_folder(&error.to_string()))?;
        assert_eq!(table.names, ["prediction", "probability", "label"]);
        let counts = source.counts();
        assert_eq!(counts.first_reason.is_some(), counts.dropped > 0);
        Ok((table, counts))
    }
}

/// The texts of a file's rows, a missing one empty.
fn rows(content: &str, reading: &ScoredReading) -> Vec<[String; 3]> {
    texts_of(&Folder::with("data", content).scored(reading).unwrap())
}

pub fn texts_of(table: &Table) -> Vec<[String; 3]> {
    table.texts().into_iter().map(|row| [row[0].to_owned(), row[1].to_owned(), row[2].to_owned()]).collect()
}

fn refused(content: &str, reading: &ScoredReading) -> String {
    Folder::with("data", content).scored(reading).expect_err("the dataset should have been refused")
}

fn with_lists(lists: ListMeaning, reading: ScoredReading) -> ScoredReading {
    ScoredReading { lists, ..reading }
}

const TABLE: &str = "age,score,guess,truth\n33,0.9,1,1\n41,\"0.2\",0,\n";

#[test]
fn columns_of_csv_go_by_name_or_number() {
    let expected = [["1", "0.9", "1"], ["0", "0.2", ""]];
    assert_eq!(rows(TABLE, &scored(csv(true), ["guess", "score", "truth"])), expected);
    assert_eq!(rows(TABLE, &scored(csv(true), ["2", "_c1", "truth"])), expected);
    let without_header = TABLE.split_once('\n').unwrap().1;
    assert_eq!(rows(without_header, &scored(csv(false), ["_c2", "1", "3"])), expected);
    // A name that is a number goes before the number.
    assert_eq!(rows("a,0\n1,2\n", &scored(csv(true), ["0", "", "a"])), [["2", "", "1"]]);
}

#[test]
fn a_column_that_is_not_given_is_missing() {
    assert_eq!(rows(TABLE, &scored(csv(true), ["guess", "", "truth"])), [["1", "", "1"], ["0", "", ""]]);
    assert_eq!(rows(TABLE, &scored(csv(true), ["", "score", "score"])), [["", "0.9", "0.9"], ["", "0.2", "0.2"]]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    assert_eq!(
        refused(TABLE, &scored(csv(true), ["guess", "", "label"])),
        "data: no record has the ground_truth_attribute `label`; the columns are `age`, `score`, `guess`, `truth`"
    );
    assert_eq!(
        refused("1,2\n", &scored(csv(false), ["2", "", "1"])),
        "data: no record has the inference_attribute `2`; the columns have no names: they are `_c0` to `_c1`, or 0 to 1"
    );
    let wide: Vec<String> = (0..60).map(|column| format!("c{column}")).collect();
    let message = refused(&format!("{}\n1\n", wide.join(",")), &scored(csv(true), ["x", "", "c1"]));
    assert!(message.ends_with("`c49` and 10 more"), "{message}");
}

#[test]
fn files_whose_columns_stand_in_another_order_are_read_by_name() {
    let folder = Folder::with("a.csv", "p,y\n1,2\n");
    folder.write("b.csv", "y,p\n4,3\n");
    let table = folder.scored(&scored(csv(true), ["p", "", "y"])).unwrap();
    assert_eq!(texts_of(&table), [["1", "", "2"], ["3", "", "4"]]);
}

/// A row whose label is read where another file has its prediction would be measured as if nothing were wrong.
#[test]
fn a_file_with_other_columns_is_read_by_its_own_header() {
    let folder = Folder::with("a.csv", "p,y\n1,2\n");
    folder.write("b.csv", "x,y,z,p\n9,4,\"9\n9\",3\n9,6,9,5\n");
    folder.write("c.csv", "y,q\n8,7\n");
    folder.write("d.csv", "p,y\n9,10\n");
    let by_name = folder.scored(&scored(csv(true), ["p", "", "y"])).unwrap();
    assert_eq!(texts_of(&by_name), [["1", "", "2"], ["3", "", "4"], ["5", "", "6"], ["", "", "8"], ["9", "", "10"]]);
    let notes: Vec<String> = by_name.notes.iter().map(|note| folder.without_folder(note)).collect();
    assert_eq!(notes, ["b.csv and 1 other file: the header is not that of the first file; columns are taken by name"]);
    // A number is a place in every file.
    let by_number = folder.scored(&scored(csv(true), ["0", "", "_c1"])).unwrap();
    assert_eq!(texts_of(&by_number)[1..4], [["9", "", "4"], ["9", "", "6"], ["8", "", "7"]]);
}

#[test]
fn a_dataset_without_rows_has_none() {
    assert!(rows("", &scored(csv(true), ["p", "", "y"])).is_empty());
    assert!(rows("a,b\n", &scored(csv(true), ["p", "", "y"])).is_empty());
    assert!(rows("", &scored(json_lines(), ["p", "", "y"])).is_empty());
}

#[test]
fn members_of_json_are_found_by_name_and_path() {
    let lines = json!({"a.b": 1, "a": {"b": 2, "c d": [3, {"e": true}]}, "y": "x\"y"}).to_string() + "\n";
    let table = |attribute: &str| {
        Folder::with("data", &lines).scored(&scored(json_lines(), [attribute, "", "y"])).unwrap().rows.remove(0)
    };
    for (attribute, value) in [
        ("a.b", number("1")),
        ("$.a.b", number("2")),
        ("$a.b", number("2")),
        ("a['b']", number("2")),
        ("a.\"b\"", number("2")),
        ("a.\"c d\"[0]", number("3")),
        ("a['c d'][-1].e", boolean(true)),
        ("a['c d'][1]['e']", boolean(true)),
        ("y", text("x\"y")),
    ] {
        assert_eq!(table(attribute), [value, None, text("x\"y")], "{attribute}");
    }
    // An object, a list of more than one element, and what is not there.
    for attribute in ["a", "a['c d']", "a['c d'][*]"] {
        assert_eq!(table(attribute), [None, None, text("x\"y")], "{attribute}");
    }
}

#[test]
fn lists_are_followed_and_flattened() {
    let document = json!({
        "deep": [{"p": [[0.1], [0.2]]}, {"p": [[0.3], [0.4]]}],
        "flat": [[{"p": 1}, {"p": 2}], {"p": 3}, [{"p": 4}]],
        "y": [1, 2, 3, 4],
    });
    let read = |attribute: &str| {
        let rows = rows(&document.to_string(), &scored(json_document(), [attribute, "", "y"]));
        rows.into_iter().map(|[value, ..]| value).collect::<Vec<_>>()
    };
    assert_eq!(read("deep[].p[]"), ["0.1", "0.2", "0.3", "0.4"]);
    assert_eq!(read("deep[*].p[]"), ["0.1", "0.2", "0.3", "0.4"]);
    assert_eq!(read("flat[].p"), ["1", "2", "3", "4"]);
    // One row: the attributes are not lists of one length.
    assert_eq!(read("deep[*].p"), [""]);
}

#[test]
fn an_element_without_the_member_keeps_its_place() {
    let document = r#"{"predictions": [{"score": 0.9}, {}, {"score": null}, {"score": 0.1}], "y": [1, 0, 1, 0]}"#;
    let read = rows(document, &scored(json_document(), ["", "predictions[*].score", "y"]));
    assert_eq!(read, [["", "0.9", "1"], ["", "", "0"], ["", "", "1"], ["", "0.1", "0"]]);
}

#[test]
fn documents_are_arrays_objects_or_lists_of_one_length() {
    let reading = scored(json_document(), ["p", "", "y"]);
    assert_eq!(rows(r#"[{"p": 1, "y": 2}, {"p": 3}]"#, &reading), [["1", "", "2"], ["3", "", ""]]);
    assert_eq!(rows(r#"{"p": 1, "y": 2}"#, &reading), [["1", "", "2"]]);
    assert_eq!(rows(r#"{"p": [1, 2], "y": [3, 4]}"#, &reading), [["1", "", "3"], ["2", "", "4"]]);
    assert_eq!(rows(r#"{"p": [[1]], "y": 2}"#, &reading), [["1", "", "2"]]);
    assert_eq!(rows(r#"{"p": [1, 2], "y": [3]}"#, &reading), [["", "", "3"]]);
    // A record that is an array, with a path that begins with one.
    let by_index = scored(json_document(), ["0", "", "[1].y"]);
    assert_eq!(rows(r#"[[1, {"y": 2}], [3, {"y": 4}]]"#, &by_index), [["1", "", "2"], ["3", "", "4"]]);
    assert_eq!(rows("[1, 2]\n[3, 4]\n", &scored(json_lines(), ["0", "", "-1"])), [["1", "", "2"], ["3", "", "4"]]);
}

#[test]
fn an_attribute_that_no_record_has_is_said_with_the_members() {
    assert_eq!(
        refused("{\"p\":1,\"y\":2}\n{\"q\":1,\"y\":2}\n", &scored(json_lines(), ["score", "", "y"])),
        "data: no record has the inference_attribute `score`; the first one has the members `p`, `y`"
    );
    // One record has it: the other's value is missing.
    assert_eq!(rows("{\"y\":2}\n{\"p\":1,\"y\":2}\n", &scored(json_lines(), ["p", "", "y"]))[0], ["", "", "2"]);
    // So is null.
    assert_eq!(rows("{\"p\":null,\"y\":2}\n", &scored(json_lines(), ["p", "", "y"])), [["", "", "2"]]);
    assert_eq!(
        refused("[1,2]\n", &scored(json_lines(), ["0", "", "y[*]"])),
        "data: no record has the ground_truth_attribute `y[*]`; the first one is a list of 2"
    );
    assert_eq!(
        refused("{}\n", &scored(json_lines(), ["p", "", "y"])),
        "data: no record has the inference_attribute `p`; the first one has no members"
    );
}

#[test]
fn what_is_no_path_can_be_a_name() {
    let lines = "{\"a b?\":1,\"y\":2}\n";
    assert_eq!(rows(lines, &scored(json_lines(), ["a b?", "", "y"])), [["1", "", "2"]]);
    for (attribute, reason) in [
        ("a[?b]", "`?` stands at byte 2 of `a[?b]`"),
        ("a | b", "` ` stands at byte 1 of `a | b`"),
        ("a.", "`a.` ends too early"),
        ("a['b", "`a['b` ends too early"),
        ("$", "it is empty"),
        ("a[1:2:0]", "`1` stands at byte 2 of `a[1:2:0]`"),
    ] {
        assert_eq!(
            refused(lines, &scored(json_lines(), ["y", "", attribute])),
            format!(
                "data: no record has the ground_truth_attribute `{attribute}`; the first one has the members `a b?`, `y` (it \
                 cannot be a path either: {reason}; a path is like `predictions[*].score`)"
            )
        );
    }
}

#[test]
fn a_list_of_probabilities_is_that_of_the_second_class() {
    let reading = with_lists(ListMeaning::SecondOfTwo, scored(json_lines(), ["", "p", "y"]));
    let lines =
        "{\"p\":[0.2,0.8],\"y\":1}\n{\"p\":[[0.9]],\"y\":0}\n{\"p\":[[0.3,\"0.7\"]],\"y\":1}\n{\"p\":0.4,\"y\":[1]}\n";
    assert_eq!(rows(lines, &reading), [["", "0.8", "1"], ["", "0.9", "0"], ["", "0.7", "1"], ["", "0.4", "1"]]);
    assert_eq!(
        refused("{\"p\":0.4,\"y\":1}\n{\"p\":[0.2,0.7,0.1],\"y\":1}\n", &reading),
        "data, row 2: the probability is a list of 3 values; of a binary classification it is a number, or a list of two of \
         which the second is the probability of class 1"
    );
}

#[test]
fn the_index_of_the_largest_is_the_prediction() {
    let reading = with_lists(ListMeaning::IndexOfLargest, scored(json_lines(), ["", "p", "y"]));
    let lines = "{\"p\":[0.2,0.7,0.1],\"y\":1}\n{\"p\":[1,1,0],\"y\":0}\n{\"p\":null,\"y\":0}\n{\"p\":[0.1,null],\"y\":0}\n{\"p\":[\"1e-3\",\" 2e-3 \"],\"y\":0}\n";
    assert_eq!(rows(lines, &reading), [["1", "", "1"], ["0", "", "0"], ["", "", "0"], ["", "", "0"], ["1", "", "0"]]);
    assert_eq!(
        refused("{\"p\":0.5,\"y\":1}\n", &reading),
        "data, row 1: the probability `0.5` is no list: of a multiclass classification without inference_attribute it is a list \
         with the probability of each class, the largest of which is the prediction"
    );
    // With a prediction, it is the prediction.
    let reading = with_lists(ListMeaning::IndexOfLargest, scored(json_lines(), ["c", "p", "y"]));
    assert_eq!(rows("{\"c\":\"cat\",\"p\":[0.2,0.7],\"y\":1}\n", &reading), [["cat", "", "1"]]);
}

#[test]
fn lists_in_cells_of_csv_are_lists() {
    let content = "p,y\n\"[0.2,0.7,0.1]\",1\n\"[ 1, 0 ]\",0\n,0\n";
    let reading = with_lists(ListMeaning::IndexOfLargest, scored(csv(true), ["", "p", "y"]));
    assert_eq!(rows(content, &reading), [["1", "", "1"], ["0", "", "0"], ["", "", "0"]]);
    assert_eq!(
        &refused("p,y\n\"[0,1]\",1\n0.5,1\n", &reading)[..50],
        "data, row 3: the probability `0.5` is no list: of "
    );
    let reading = with_lists(ListMeaning::SecondOfTwo, scored(csv(true), ["", "p", "y"]));
    assert_eq!(rows("p,y\n\"[0.2,0.8]\",1\n0.5,0\n", &reading), [["", "0.8", "1"], ["", "0.5", "0"]]);
    assert!(refused(content, &reading).starts_with("data, row 2: the probability is a list of 3 values"));
    // Elsewhere a list is a text.
    let reading = scored(csv(true), ["", "p", "y"]);
    assert_eq!(rows("p,y\n\"[0.2,0.8]\",1\n", &reading), [["", "[0.2,0.8]", "1"]]);
}

/// A column that is not asked for may be of any type, and columns may be asked for in any order or twice.
#[test]
fn parquet_is_read_by_name_or_number() {
    let nested = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.0)]), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("y", Arc::new(StringArray::from(vec![Some("cat"), None]))),
        ("nested", Arc::new(nested)),
        ("score", Arc::new(Float64Array::from(vec![0.25, 1.0]))),
        ("guess", Arc::new(Int64Array::from(vec![1, 0]))),
    ];
    let folder = Folder::new();
    crate::parquet::write(&folder.path().join("data.parquet"), columns, 1_000);
    let read = |attributes| folder.scored(&scored(Reading::of(DatasetFormat::Parquet), attributes));
    let expected = [["1", "0.25", "cat"], ["0", "1.0", ""]];
    assert_eq!(texts_of(&read(["guess", "score", "y"]).unwrap()), expected);
    assert_eq!(texts_of(&read(["3", "_c2", "0"]).unwrap()), expected);
    assert_eq!(texts_of(&read(["score", "", "score"]).unwrap()), [["0.25", "", "0.25"], ["1.0", "", "1.0"]]);
    assert_eq!(
        read(["guess", "", "label"]).unwrap_err(),
        "data.parquet: no record has the ground_truth_attribute `label`; the columns are `y`, `nested`, `score`, `guess`"
    );
    let message = read(["nested", "", "y"]).unwrap_err();
    assert!(message.starts_with("data.parquet: column `nested` is of the type List("), "{message}");
}

#[test]
fn captures_without_labels_are_tables() {
    let lines = exchange("33,1", "0.9") + &exchange("41,0", "0.2");
    assert_eq!(rows(&lines, &scored(capture(), ["", "0", "_c2"])), [["", "0.9", "1"], ["", "0.2", "0"]]);
    assert_eq!(
        refused(&lines, &scored(capture(), ["", "0", "3"])),
        "data: no record has the ground_truth_attribute `3`; the columns have no names: they are `_c0` to `_c2`, or 0 to 2"
    );
    let json = |payload: serde_json::Value| {
        record(&[("endpointOutput", part(&payload.to_string(), "JSON"))]).to_string() + "\n"
    };
    // The member comes up after the first record.
    let lines = json(json!({"y": 1})) + &json(json!({"out": {"score": [0.9]}, "y": 0}));
    assert_eq!(rows(&lines, &scored(capture(), ["", "out.score[0]", "y"])), [["", "", "1"], ["", "0.9", "0"]]);
    assert_eq!(
        refused(&lines, &scored(capture(), ["", "out.score", "y"])),
        "data: no record has the probability_attribute `out.score`; the columns are `y`, `out.score.0`"
    );
}

#[test]
fn captures_that_give_no_row_are_counted() {
    let lines = exchange("33,1", "0.9\n0.8\n0.7");
    let (table, counts) = Folder::with("data", lines).counted(&scored(capture(), ["", "0", "1"]), None).unwrap();
    let first_reason = Some("1 record skipped: request and answer have different numbers of lines".to_owned());
    assert_eq!((table.rows.len(), counts), (0, RecordCounts { read: 1, outside_window: 0, dropped: 1, first_reason }));
}

#[test]
fn batches_of_any_number_follow_each_other() {
    let content: String = (0..20_000).map(|row| format!("{row},{},{}\n", row * 2, "x".repeat(row % 50))).collect();
    let read = rows(&content, &scored(csv(false), ["0", "1", "2"]));
    assert_eq!(read.len(), 20_000);
    for (row, values) in read.into_iter().enumerate() {
        assert_eq!(values, [row.to_string(), (row * 2).to_string(), "x".repeat(row % 50)]);
    }
    let content: String = (0..20_000).map(|row| format!("{{\"p\":{row},\"y\":{}}}\n", row * 2)).collect();
    let read = rows(&content, &scored(json_lines(), ["p", "", "y"]));
    assert!(read.iter().enumerate().all(|(row, [p, _, y])| *p == row.to_string() && *y == (row * 2).to_string()));
    assert_eq!(read.len(), 20_000);
}

#[test]
fn what_is_no_json_is_said_with_its_row() {
    let message = refused("{\"p\":1,\"y\":2}\n{\"p\":1\n", &scored(json_lines(), ["p", "", "y"]));
    assert!(message.starts_with("data, row 2: not a JSON object: EOF"), "{message}");
    let message = refused("[{\"p\":1,\"y\":2}, [1, 2]", &scored(json_document(), ["p", "", "y"]));
    assert_eq!(message, "data, row 3: the document ends within its array: it is cut off");
}
