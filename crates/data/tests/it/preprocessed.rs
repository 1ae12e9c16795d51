//! Captured data through a preprocessor.

use std::fmt;

use serde_json::json;
use watchkeeper_data::{Error, Preprocess, Preprocessed, Reading, ScriptFailure, list};

use crate::capture::{exchange, part, record};
use crate::table::{Folder, Table, boolean, capture, number, read, text};

/// A preprocessor that is a function of one line.
struct Script<F> {
    function: F,
    calls: Vec<usize>,
}

impl<F: FnMut(&str) -> Result<Preprocessed, ScriptFailure>> Preprocess for Script<F> {
    fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptFailure> {
        self.calls.push(lines.len());
        lines.iter().map(|line| (self.function)(line)).collect()
    }
}

fn run(content: &str, reading: &Reading, mut function: impl FnMut(&str) -> Preprocessed) -> Result<Table, String> {
    let folder = Folder::with("data", content);
    let mut script = Script { function: |line: &str| Ok(function(line)), calls: Vec::new() };
    read(list(folder.path()).unwrap(), reading, Some(&mut script))
        .map_err(|error| folder.without_folder(&error.to_string()))
}

/// The number that a line of [`numbered`] was made of.
fn number_of(line: &str) -> usize {
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    record["captureData"]["endpointInput"]["data"].as_str().unwrap().parse().unwrap()
}

fn numbered(count: usize) -> String {
    (0..count).map(|number| exchange(&number.to_string(), "1")).collect()
}

#[test]
fn records_may_be_skipped() {
    let table = run(&numbered(5), &capture(), |line| match number_of(line) % 2 {
        0 => Preprocessed::Skipped,
        _ => Preprocessed::Csv(number_of(line).to_string()),
    });
    assert_eq!(table.unwrap().texts(), [["1"], ["3"]]);
    assert!(run(&numbered(5), &capture(), |_| Preprocessed::Skipped).unwrap().rows.is_empty());
}

#[test]
fn records_may_come_back_as_they_were() {
    let lines = exchange("a,\"b\"\n", "1") + &exchange("c,d\ne,f", "2,3") + &exchange("g,h", "4");
    let expected = crate::table::read_text(&lines, &capture());
    assert_eq!(run(&lines, &capture(), |line| Preprocessed::Record(line.to_owned())).unwrap(), expected);
}

#[test]
fn records_may_come_back_with_other_payloads() {
    let table = run(&numbered(2), &capture(), |line| {
        let number = number_of(line);
        let payload = json!({"number": number, "text": "é\""}).to_string();
        Preprocessed::Record(record(&[("endpointInput", part(&payload, "JSON"))]).to_string())
    });
    let table = table.unwrap();
    assert_eq!(table.names, ["number", "text"]);
    assert_eq!(table.rows, [[number("0"), text("é\"")], [number("1"), text("é\"")]]);
}

#[test]
fn a_preprocessor_reads_what_the_analyzer_cannot() {
    let side = json!({"observedContentType": "application/x-image", "data": "aGk=", "encoding": "BASE64"});
    let line = record(&[("endpointInput", side), ("endpointOutput", part("{\"p\":1}", "JSON"))]).to_string();
    let table = run(&line, &capture(), |_| Preprocessed::Csv("1,2\n".to_owned()));
    assert_eq!(table.unwrap().texts(), [["1", "2"]]);
}

#[test]
fn objects_are_rows_with_sorted_keys() {
    let table = run(&numbered(3), &capture(), |line| {
        Preprocessed::Rows(match number_of(line) {
            0 => r#"[{"b":1,"a":"x"}]"#.to_owned(),
            1 => r#"[{"b":true},{"c":null,"a":2.50}]"#.to_owned(),
            _ => "[]".to_owned(),
        })
    });
    let table = table.unwrap();
    assert_eq!(table.names, ["a", "b", "c"]);
    assert!(table.has_own_names);
    assert_eq!(
        table.rows,
        [[text("x"), number("1"), None], [None, boolean(true), None], [number("2.50"), None, None],]
    );
}

/// A row with the keys 0 to `keys`, each with itself as value.
fn row_of_numbers(keys: usize) -> Preprocessed {
    let members: Vec<String> = (0..keys).rev().map(|key| format!("\"{key}\":{key}")).collect();
    Preprocessed::Rows(format!("[{{{}}}]", members.join(",")))
}

#[test]
fn keys_that_are_numbers_are_sorted_as_numbers() {
    let table = run(&numbered(1), &capture(), |_| row_of_numbers(12)).unwrap();
    let names: Vec<String> = (0..12).map(|key| key.to_string()).collect();
    assert_eq!(table.names, names);
    assert_eq!(table.texts(), [names]);
    assert_eq!(
        table.notes,
        ["keys of the preprocessor's rows are numbers: sorted as numbers, where AWS sorts them as text \
             (WATCHKEEPER_STRICT_KEY_ORDER=1 does too)"]
    );
    // Both orders are the same for ten.
    assert!(run(&numbered(1), &capture(), |_| row_of_numbers(10)).unwrap().notes.is_empty());
}

#[test]
fn keys_are_sorted_as_text_on_demand() {
    let reading = Reading { strict_key_order: true, ..capture() };
    let table = run(&numbered(1), &reading, |_| row_of_numbers(12)).unwrap();
    assert_eq!(table.names, ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(table.texts()[0], table.names);
    assert!(table.notes.is_empty());
}

#[test]
fn keys_that_are_not_all_plain_numbers_are_sorted_as_text() {
    for (other, names) in
        [("a", ["10", "9", "a"]), ("09", ["09", "10", "9"]), ("-1", ["-1", "10", "9"]), ("", ["", "10", "9"])]
    {
        let row = format!("[{{\"9\":1,\"10\":2,\"{other}\":3}}]");
        assert_eq!(run(&numbered(1), &capture(), |_| Preprocessed::Rows(row.clone())).unwrap().names, names);
    }
    // Nor are those of a payload: there they are the client's.
    let lines = record(&[("endpointInput", part("{\"9\":1,\"10\":2}", "JSON"))]).to_string();
    let table = run(&lines, &capture(), |line| Preprocessed::Record(line.to_owned())).unwrap();
    assert_eq!(table.names, ["10", "9"]);
}

#[test]
fn lists_of_scalars_are_rows_in_their_order() {
    let table = run(&numbered(3), &capture(), |line| {
        Preprocessed::Row(match number_of(line) {
            0 => "[]".to_owned(),
            1 => r#"[1.50,"a,b",true,null,""]"#.to_owned(),
            _ => "[2]".to_owned(),
        })
    });
    let table = table.unwrap();
    assert_eq!(table.names, ["_c0", "_c1", "_c2", "_c3", "_c4"]);
    assert!(!table.has_own_names);
    assert_eq!(
        table.rows,
        [[number("1.50"), text("a,b"), boolean(true), None, text("")], [number("2"), None, None, None, None]]
    );
}

#[test]
fn texts_are_lines_of_csv() {
    let table = run(&numbered(4), &capture(), |line| {
        Preprocessed::Csv(match number_of(line) {
            0 => "a,\"b\nc\"".to_owned(),
            1 => "d,e\nf,g\r\n".to_owned(),
            2 => String::new(),
            _ => "\"\"\"é\",\n".to_owned(),
        })
    });
    assert_eq!(table.unwrap().texts(), [["a", "b\nc"], ["d", "e"], ["f", "g"], ["\"é", ""]]);
}

#[test]
fn only_records_within_the_window_are_seen() {
    let window = Some(("2020-01-01T00:00:00Z".parse().unwrap(), "2020-01-02T00:00:00Z".parse().unwrap()));
    let reading = Reading { window, ..capture() };
    let table = run(&(numbered(3) + "junk\n"), &reading, |line| panic!("{line} is outside"));
    assert_eq!(
        table.unwrap().notes,
        ["1 of 4 lines skipped: not a capture record", "3 records outside the window skipped"]
    );
}

#[test]
fn records_are_seen_in_order_and_in_lots() {
    let folder = Folder::with("1", numbered(1_000));
    folder.write("2", numbered(10));
    let mut seen = Vec::new();
    let mut script = Script {
        function: |line: &str| {
            seen.push(number_of(line));
            Ok(Preprocessed::Csv(number_of(line).to_string()))
        },
        calls: Vec::new(),
    };
    let table = read(list(folder.path()).unwrap(), &capture(), Some(&mut script)).unwrap();
    assert!(script.calls.iter().all(|count| (1..=256).contains(count)), "{:?}", script.calls);
    assert!(script.calls.len() < 20, "{:?}", script.calls);
    let expected: Vec<usize> = (0..1_000).chain(0..10).collect();
    assert_eq!(seen, expected);
    assert!(table.texts().iter().map(|row| row[0].parse::<usize>().unwrap()).eq(expected));
}

#[test]
fn a_record_may_become_very_many_rows() {
    let rows = 20_000;
    let mut calls = 0;
    let table = run(&numbered(3), &capture(), |line| {
        calls += 1;
        let number = number_of(line);
        Preprocessed::Csv((0..rows).map(|row| format!("{number},\"{row}\"\n")).collect())
    });
    assert_eq!(calls, 3);
    let table = table.unwrap();
    assert_eq!(table.rows.len(), 3 * rows);
    for (index, row) in table.texts().iter().enumerate() {
        assert_eq!(*row, [(index / rows).to_string(), (index % rows).to_string()]);
    }
}

#[test]
fn new_keys_in_every_row() {
    let table = run(&numbered(1_000), &capture(), |line| {
        let number = number_of(line);
        Preprocessed::Rows(format!("[{{\"key {number:04}\":{number}}}]"))
    });
    let table = table.unwrap();
    assert_eq!((table.rows.len(), table.names.len()), (1_000, 1_000));
    for (index, row) in table.rows.iter().enumerate() {
        assert!(row.iter().enumerate().all(|(column, value)| value.is_some() == (column == index)));
    }
}

#[test]
fn the_row_of_a_bad_result_is_that_of_its_record() {
    let content = format!("\n{}", numbered(600));
    for (result, message) in [
        (
            Preprocessed::Rows("[{\"a\":[1]}]".to_owned()),
            "Only flat JSON is supported. Column a holds an object or array. (data, row 302)",
        ),
        (
            Preprocessed::Row("[1,{}]".to_owned()),
            "Only flat JSON is supported. Column 1 holds an object or array. (data, row 302)",
        ),
    ] {
        let first = match result {
            Preprocessed::Rows(_) => Preprocessed::Rows("[{\"a\":1}]".to_owned()),
            _ => Preprocessed::Row("[1,2]".to_owned()),
        };
        let found =
            run(&content, &capture(), |line| if number_of(line) == 300 { result.clone() } else { first.clone() });
        assert_eq!(found.unwrap_err(), message);
    }
    let found = run(&content, &capture(), |line| match number_of(line) {
        300 => Preprocessed::Record("{}".to_owned()),
        _ => Preprocessed::Skipped,
    });
    assert!(found.unwrap_err().starts_with("data, row 302: the preprocessor returned a record that is none: "));
    let found = run(&content, &capture(), |line| match number_of(line) {
        299 => Preprocessed::Rows("[{\"a\":1}]".to_owned()),
        300 => Preprocessed::Csv("1,2".to_owned()),
        _ => Preprocessed::Skipped,
    });
    assert_eq!(
        found.unwrap_err(),
        "data, row 302: this record has numbered columns (CSV), those before it have named columns (JSON)"
    );
}

#[derive(Debug, PartialEq)]
struct Broken(u32);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "it broke: {}", self.0)
    }
}

impl std::error::Error for Broken {}

#[test]
fn a_failure_comes_through_as_it_was() {
    let folder = Folder::with("data", numbered(3));
    let mut script = Script { function: |_: &str| Err(Broken(7).into()), calls: Vec::new() };
    let error = read(list(folder.path()).unwrap(), &capture(), Some(&mut script)).unwrap_err();
    assert_eq!(error.to_string(), "it broke: 7");
    let Error::Preprocessor(failure) = error else { panic!("{error}") };
    assert_eq!(*failure.downcast::<Broken>().unwrap(), Broken(7));
}

#[test]
fn results_for_some_of_the_records_are_refused() {
    struct Forgetful;
    impl Preprocess for Forgetful {
        fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptFailure> {
            Ok(vec![Preprocessed::Skipped; lines.len() - 1])
        }
    }
    let folder = Folder::with("data", numbered(3));
    let error = read(list(folder.path()).unwrap(), &capture(), Some(&mut Forgetful)).unwrap_err();
    assert_eq!(error.to_string(), "the preprocessor returned 2 results for 3 records");
}
