//! JSON lines, JSON documents and Parquet as tables, and joins.

use watchkeeper_data::table::{JsonPlaces, TableReading, join};
use watchkeeper_engine::table::ColumnKind::{Boolean, Float, Integer, Text};
use watchkeeper_engine::table::{Column, ColumnKind, Table};
use watchkeeper_formats::clarify::DatasetType;

use crate::table::Folder;
use crate::table_csv::{column_names, name, names, read_folder, read_one, reading, refusal, row, rows};

fn json(dataset_type: DatasetType, features: &str, label: Option<&str>, predicted: Option<&str>) -> TableReading {
    let places = JsonPlaces {
        features: Some(features.to_owned()),
        label: label.map(str::to_owned),
        predicted_label: predicted.map(str::to_owned),
    };
    TableReading { places, ..reading(dataset_type) }
}

fn lines(features: &str, label: Option<&str>) -> TableReading {
    json(DatasetType::JsonLines, features, label, None)
}

fn document(features: &str, label: Option<&str>) -> TableReading {
    json(DatasetType::Json, features, label, None)
}

#[test]
fn lines_are_features_then_label_then_predicted_label() {
    let content = "{\"features\":[1,\"a\",0.5],\"label\":1,\"p\":{\"s\":[0.9]}}\n\n{\"p\":{\"s\":0.1},\"label\":0,\"features\":[2,\"b\",1]}\r\n";
    let reading = json(DatasetType::JsonLines, "features", Some("label"), Some("p.s"));
    let read = read_one(content, &reading);
    assert_eq!(column_names(&read.table), ["column_0", "column_1", "column_2", "label", "p.s"]);
    assert_eq!(rows(&read.table), [["1", "\"a\"", "0.5", "1", "0.9"], ["2", "\"b\"", "1.0", "0", "0.1"]]);
    let headers = Some(names(&["x", "y", "z", "truth", "score"]));
    let read = read_one(content, &TableReading { headers, ..reading.clone() });
    assert_eq!(column_names(&read.table), ["x", "y", "z", "truth", "score"]);
    let headers = Some(names(&["x", "y", "z", "truth"]));
    assert_eq!(
        refusal(content, &TableReading { headers, ..reading }),
        "Headers in config do not match with the number of columns in the dataset. `headers` has 4 names, the records have 3 \
         features and a label and a predicted_label"
    );
}

#[test]
fn kinds_are_those_of_json() {
    let content = "{\"f\":[1,1,1,\"1\",true,1,null]}\n{\"f\":[2,2.0,null,\"2\",false,\"x\",null]}\n";
    let table = read_one(content, &lines("f", None)).table;
    let kinds: Vec<ColumnKind> = table.columns.iter().map(Column::kind).collect();
    assert_eq!(kinds[..6], [Integer, Float, Float, Text, Boolean, Text]);
    assert_eq!(row(&table, 1), ["2", "2.0", "-", "\"2\"", "false", "\"x\"", "-"]);
}

#[test]
fn numbers_and_texts_are_kept_as_they_were_written_on_either_way() {
    let content = "{\"f\":[1.50,1e2,12345678901234567890,\"a\\\"\\u00e9\",null,true]}";
    // A plain path, and one that only the whole of JMESPath has.
    for path in ["f", "f[0:6]", "f || g", "[f[0],f[1],f[2],f[3],f[4],f[5]]"] {
        let read = read_one(content, &TableReading { keeps_written: true, ..lines(path, None) });
        let written: Vec<&str> =
            read.table.columns.iter().map(|column| column.written.as_ref().unwrap().text(0)).collect();
        assert_eq!(written[..4], ["1.50", "1e2", "12345678901234567890", "a\"é"], "{path}");
        assert_eq!(written[5], "true", "{path}");
    }
}

#[test]
fn documents_have_a_list_a_record() {
    let content = "{\"instances\":[{\"f\":[1,2],\"y\":1},{\"f\":[3,4]},{\"f\":[5,null],\"y\":0}]}";
    // An element without a label has a missing one: the labels behind it stay with their records.
    let read = read_one(content, &document("instances[*].f", Some("instances[*].y")));
    assert_eq!(rows(&read.table), [["1", "2.0", "1.0"], ["3", "4.0", "-"], ["5", "-", "0.0"]]);
    assert_eq!(column_names(&read.table), ["column_0", "column_1", "instances[*].y"]);
    let folder = Folder::with("a.json", "[{\"f\":[1],\"y\":\"u\"}]");
    folder.write("b.json", "[\n {\"f\":[2],\"y\":\"v\"},\n {\"f\":[3],\"y\":\"w\"}\n]\n");
    let read = read_folder(&folder, &document("[*].f", Some("[*].y"))).unwrap();
    assert_eq!(rows(&read.table), [["1", "\"u\""], ["2", "\"v\""], ["3", "\"w\""]]);
    assert_eq!(read.rows_of_files, [1, 2]);
}

#[test]
fn paths_are_jmespath_in_full() {
    let content =
        "{\"rows\":[{\"age\":30,\"sex\":\"f\",\"y\":1},{\"age\":40,\"sex\":\"m\",\"y\":0}],\"n m\":{\"a.b\":7}}";
    let read = read_one(content, &document("rows[*].[sex, age]", Some("rows[].y")));
    assert_eq!(rows(&read.table), [["\"f\"", "30", "1"], ["\"m\"", "40", "0"]]);
    let read = read_one(content, &document("rows[?age > `35`].[age]", Some("rows[?sex == 'm'].y")));
    assert_eq!(rows(&read.table), [["40", "0"]]);
    let read = read_one(content, &document("[[\"n m\".\"a.b\"]]", None));
    assert_eq!(rows(&read.table), [["7"]]);
    // Null has its place in a slice, as everywhere.
    let read = read_one("[1,null,3,4]\n[5,6,7,8]", &lines("[:-1]", Some("[3]")));
    assert_eq!(rows(&read.table), [["1", "-", "3", "4"], ["5", "6.0", "7", "8"]]);
    let read = read_one("{\"f\":[0,1,2,3,4,5]}", &lines("f[5:0:-2]", Some("f[::4] | [1]")));
    assert_eq!(rows(&read.table), [["5", "3", "1", "4"]]);
    // What is no path is the name of a member.
    let read = read_one("{\"my features\":[1,2]}", &lines("my features", None));
    assert_eq!(rows(&read.table), [["1", "2"]]);
}

#[test]
fn what_is_wrong_with_json_is_said_with_its_place() {
    let text = "Data must contain features. The configuration has no `features`, the JMESPath of the features in JSON";
    assert_eq!(refusal("{}", &reading(DatasetType::JsonLines)), text);
    for (value, kind) in [("null", "null"), ("[]", "an empty array"), ("{}", "an object"), ("3", "a number")] {
        let content = format!("{{\"f\":[1]}}\n{{\"f\":{value}}}\n");
        assert_eq!(
            refusal(content, &lines("f", None)),
            format!(
                "Data must contain features. data, row 2: `f` gives {kind}, expected an array; the first one has the members `f`"
            )
        );
    }
    assert_eq!(
        refusal("{\"a\":1,\"b\":2}", &document("f x", None)),
        "Data must contain features. data: `f x` gives nothing, expected an array; the first one has the members `a`, `b` (it cannot be \
         a path either: ` ` stands at byte 1 of `f x`; a path is like `instances[*].label`)"
    );
    assert_eq!(
        refusal("{\"f\":[1,2]}\n{\"f\":[1]}", &lines("f", None)),
        "data, row 2: it has 1 feature, the records before it have 2"
    );
    assert_eq!(
        refusal("{\"f\":[1,[2]]}", &lines("f", None)),
        "data, row 1: feature 1 is an array; only numbers, texts, booleans and null can be analysed"
    );
    assert_eq!(
        refusal("{\"f\":[1]}", &lines("f", Some("y"))),
        "Headers must contain label. No record has the label `y`; the first one has the members `f`"
    );
    assert_eq!(
        refusal("{\"i\":[{\"f\":[1]},{\"f\":[2]}],\"y\":[1,2,3]}", &document("i[*].f", Some("y"))),
        "data: the label `y` gives 3 values, the features `i[*].f` are 2 records"
    );
    assert!(refusal("{\"f\":[1]}\n{\"f\":[1", &lines("f", None)).starts_with("data, row 2: not a JSON object: EOF"));
    assert!(refusal("{\"f\":[1]}\n{\"f\":[NaN]}", &lines("f || g", None)).starts_with("data, row 2: not JSON"));
    assert_eq!(refusal(" \n", &lines("f", None)), "The dataset has no rows: data holds none");
}

fn table_of(columns: &[&str], content: &str) -> Table {
    let headers = Some(names(columns));
    read_one(content, &TableReading { headers, ..reading(DatasetType::Csv) }).table
}

#[test]
fn tables_are_paired_by_position_or_by_equal_text() {
    let table = table_of(&["y", "id"], "1,a\n2,b\n3,c\n4,b\n5,\n");
    let other = table_of(&["id", "x"], "b,1\n,2\nz,3\na,4\n");
    let (kept, found) = join(&table, &other, Some((1, 0)), "facet dataset").unwrap();
    assert_eq!((kept, found), (vec![0, 1, 3], vec![3, 0, 0]));
    assert_eq!(join(&table, &table, None, "facet dataset").unwrap().1, [0, 1, 2, 3, 4]);
    assert_eq!(
        join(&table, &other, None, "facet dataset").unwrap_err().to_string(),
        "The facet dataset has 4 rows, the dataset 5: without joinsource_name_or_index rows are paired by their position"
    );
    assert_eq!(
        join(&other, &table, Some((0, 1)), "predicted label dataset").unwrap_err().to_string(),
        "The id `b` occurs twice in the column `id` of the predicted label dataset, in rows 2 and 4: it cannot be joined"
    );
    assert_eq!(
        join(&table, &other, Some((0, 0)), "facet dataset").unwrap_err().to_string(),
        "No row of the dataset can be joined with the facet dataset: the columns `y` and `id` have no common value"
    );
}

#[test]
fn ids_are_equal_though_missing_cells_make_one_side_floats() {
    let table = table_of(&["y", "id"], "1,10\n2,20\n");
    let other = table_of(&["id", "x"], "20,1\n,2\n10,3\n");
    assert_eq!(join(&table, &other, Some((1, 0)), "facet dataset").unwrap(), (vec![0, 1], vec![2, 0]));
}

#[test]
fn names_that_are_whole_numbers_are_indices_of_json_too() {
    let read = read_one("{\"f\":[1,2]}", &lines("f", None));
    assert_eq!(watchkeeper_data::table::column_of(&read.table, &name("1")), Some(1));
}

proptest::proptest! {
    /// Followed in the text, a plain path leads to where it leads on a tree by the library of JMESPath, as far as nothing is missing.
    #[test]
    fn plain_paths_are_those_of_jmespath(
        cells in proptest::collection::vec(proptest::collection::vec(-99..99, 4), 4),
        index in -4_i32..4,
        slice in "\\[(-[1-5]|[0-5])?:(-[1-5]|[0-5])?(:(-?[123])?)?\\]",
        form in proptest::sample::select(vec!["r[I].a S", "r S.b", "r S.a[I]", "[r][0] S.a[I]", "r[*].a[I]", "r[].a[] S", "r[*].a[] S"]),
    ) {
        let list: Vec<serde_json::Value> =
            cells.iter().map(|cells| serde_json::json!({"a": cells, "b": cells[0]})).collect();
        let record = serde_json::json!({ "r": list }).to_string();
        let path = form.replace('I', &index.to_string()).replace(" S", &slice);
        let expected = jmespath::compile(&path).unwrap().search(jmespath::Variable::from_json(&record).unwrap()).unwrap();
        let expected: Vec<f64> = expected.as_array().unwrap().iter().filter_map(|cell| cell.as_number()).collect();
        if !expected.is_empty() {
            let table = read_one(&record, &lines(&path, None)).table;
            let found: Vec<f64> = rows(&table)[0].iter().map(|cell| cell.parse().unwrap()).collect();
            proptest::prop_assert_eq!(found, expected, "{} in {}", path, record);
        }
    }
}

#[test]
fn a_quoted_name_in_brackets_is_a_list_of_one_feature() {
    let content = "{\"the age\":1,\"y\":0}\n{\"the age\":2,\"y\":1}\n";
    let read = read_one(content, &lines("[\"the age\"]", Some("[\"y\"]")));
    assert_eq!(rows(&read.table), [["1", "0"], ["2", "1"]]);
}

#[test]
fn records_and_paths_of_a_hundred_thousand_levels() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let content = format!("{{\"x\":[1],\"q\":{deep}}}\n");
    assert_eq!(rows(&read_one(&content, &lines("x", None)).table), [["1"]]);
    assert_eq!(refusal(&content, &lines("[x[0]]", None)), "data, row 1: it nests more than 128 levels deep");
    assert_eq!(refusal(&content, &document("[x[0]]", None)), "data, row 1: it nests more than 128 levels deep");
    let path = "(".repeat(100_000) + "x" + &")".repeat(100_000);
    let problem = refusal("{\"x\":[1]}\n", &lines(&path, None));
    assert!(problem.starts_with("Data must contain features. data, row 1: "), "{}", &problem[..100]);
}

#[test]
fn half_a_character_is_no_text() {
    let problem = "feature 1 is a text with an escape that stands for no character; only numbers, texts, booleans and null can be analysed";
    assert_eq!(refusal("{\"x\":[1,\"\\ud83d\"]}\n", &lines("x", None)), format!("data, row 1: {problem}"));
    let records = "an array in which not every record is an array of its own with a value in it, expected an array";
    let problem = format!("Data must contain features. data: `x` gives {records}; the first one has the members `x`");
    for features in ["[[1,2],3]", "[[1],[]]"] {
        assert_eq!(refusal(format!("{{\"x\":{features}}}"), &document("x", None)), problem);
    }
}
