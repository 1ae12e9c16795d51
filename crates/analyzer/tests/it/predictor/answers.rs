//! What the answers of a model are taken for.

use watchkeeper_analyzer::predictor::{ModelPlace, PredictorError};
use watchkeeper_engine::prediction::{Answer, Item, Scalar};
use watchkeeper_formats::clarify::{PredictorConfig, Reference, Template};

use super::server::{Server, ok};
use super::{ask, numbered, open};

/// What a model that says this is understood to say to so many records.
fn understood(config: &PredictorConfig, answer: &'static str, records: usize) -> Result<Vec<Answer>, PredictorError> {
    let server = Server::start(move |_| ok(answer));
    let model = open(config, &ModelPlace::Url(server.url()), &["x"])?;
    let answers = ask(&model, &numbered(records))?;
    assert!(answers.failures.is_empty() && !answers.gave_up);
    Ok(answers.answers.into_iter().map(Option::unwrap).collect())
}

fn answers_of(accept_type: &str) -> PredictorConfig {
    PredictorConfig { accept_type: Some(accept_type.to_owned()), ..PredictorConfig::default() }
}

fn at(accept_type: &str, label: Option<Reference>, probability: Option<Reference>) -> PredictorConfig {
    PredictorConfig { label, probability, ..answers_of(accept_type) }
}

fn path(path: &str) -> Reference {
    Reference::Name(path.to_owned())
}

fn number(value: f64) -> Scalar {
    Scalar::Number { value, is_whole: false }
}

fn whole(value: f64) -> Scalar {
    Scalar::Number { value, is_whole: true }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn probability(item: Item) -> Answer {
    Answer { label: None, probability: Some(item) }
}

fn label(item: Item) -> Answer {
    Answer { label: Some(item), probability: None }
}

#[test]
fn csv_has_a_line_a_record_and_columns_by_index() {
    let csv = answers_of("text/csv");
    let expected = [probability(Item::One(number(0.25))), probability(Item::One(whole(1.0)))];
    assert_eq!(understood(&csv, "0.25\n1\n", 2).unwrap(), expected);
    assert_eq!(understood(&csv, "0.25\r\n1", 2).unwrap(), expected);
    assert_eq!(understood(&csv, "0.25,1", 2).unwrap(), expected, "a single line with a cell a record");

    let several = understood(&csv, "0.25,0.75\n1e-3,\"no, never\"", 2).unwrap();
    assert_eq!(several[0], probability(Item::List(vec![number(0.25), number(0.75)])));
    assert_eq!(several[1], probability(Item::List(vec![number(0.001), text("no, never")])));
    let one = understood(&csv, "0.25,0.75", 1).unwrap();
    assert_eq!(one, [probability(Item::List(vec![number(0.25), number(0.75)]))]);

    let both = at("text/csv", Some(Reference::Index(0)), Some(path("1")));
    let answers = understood(&both, "yes,0.75\nno,0.5", 2).unwrap();
    assert_eq!(answers[1], Answer { label: Some(Item::One(text("no"))), probability: Some(Item::One(number(0.5))) });

    let lists = understood(&both, "\"['cat','dog']\",\"[0.75, 0.25]\"", 1).unwrap();
    assert_eq!(lists[0].label, Some(Item::List(vec![text("cat"), text("dog")])));
    assert_eq!(lists[0].probability, Some(Item::List(vec![number(0.75), number(0.25)])));
}

#[test]
fn json_lines_have_a_path_a_line_or_the_line_itself() {
    let lines = "{\"label\":\"yes\",\"scores\":{\"all\":[0.75,0.25]}}\n{\"label\":\"no\",\"scores\":{\"all\":[0.5]}}\n";
    let both = at("application/jsonlines", Some(path("label")), Some(path("scores.all")));
    let answers = understood(&both, lines, 2).unwrap();
    assert_eq!(answers[0].label, Some(Item::One(text("yes"))));
    assert_eq!(answers[0].probability, Some(Item::List(vec![number(0.75), number(0.25)])));
    assert_eq!(answers[1].probability, Some(Item::List(vec![number(0.5)])));

    let first = at("application/jsonlines", Some(path("scores.all[0]")), None);
    assert_eq!(understood(&first, lines, 2).unwrap()[1], label(Item::One(number(0.5))));
    let last = at("application/jsonlines", Some(path("scores.all[-1]")), None);
    assert_eq!(understood(&last, lines, 2).unwrap()[0], label(Item::One(number(0.25))));
    let expression = at("application/jsonlines", Some(path("max(scores.all)")), None);
    assert_eq!(understood(&expression, lines, 2).unwrap()[0], label(Item::One(number(0.75))));

    let whole_line = answers_of("application/jsonlines");
    let answers = understood(&whole_line, "0.75\n[1, 0.5]", 2).unwrap();
    assert_eq!(answers[0], probability(Item::One(number(0.75))));
    assert_eq!(answers[1], probability(Item::List(vec![whole(1.0), number(0.5)])));
}

#[test]
fn json_has_a_list_with_an_item_a_record() {
    let document = "{\"predictions\":[{\"score\":0.75,\"label\":\"yes\"},{\"score\":0.5,\"label\":\"no\"}]}";
    let config = at("application/json", Some(path("predictions[*].label")), Some(path("predictions[*].score")));
    let answers = understood(&config, document, 2).unwrap();
    assert_eq!(answers[1], Answer { label: Some(Item::One(text("no"))), probability: Some(Item::One(number(0.5))) });
    let quoted = at("application/json", None, Some(path("\"predictions\"[].score")));
    assert_eq!(understood(&quoted, document, 2).unwrap()[0], probability(Item::One(number(0.75))));

    let whole_document = answers_of("application/json");
    let answers = understood(&whole_document, "[[0.75],[0.5]]", 2).unwrap();
    assert_eq!(answers[1], probability(Item::List(vec![number(0.5)])));

    // One record: a list of one element holds its item, all else is its item.
    assert_eq!(understood(&whole_document, "[0.75]", 1).unwrap(), [probability(Item::One(number(0.75)))]);
    assert_eq!(understood(&whole_document, "0.75", 1).unwrap(), [probability(Item::One(number(0.75)))]);
    let scores = [probability(Item::List(vec![number(0.75), number(0.25)]))];
    assert_eq!(understood(&whole_document, "[0.75,0.25]", 1).unwrap(), scores);
    assert_eq!(understood(&whole_document, "[[0.75,0.25]]", 1).unwrap(), scores);
    let single = at("application/json", Some(path("score")), None);
    assert_eq!(understood(&single, "{\"score\":0.75}", 1).unwrap(), [label(Item::One(number(0.75)))]);
}

#[test]
fn a_request_for_json_can_have_answers_of_another_kind() {
    let config = PredictorConfig {
        content_template: Some(Template("{\"instances\":$records}".to_owned())),
        record_template: Some(Template("$features".to_owned())),
        content_type: Some("application/json".to_owned()),
        ..answers_of("text/csv")
    };
    assert_eq!(understood(&config, "0.75\n0.5", 2).unwrap()[1], probability(Item::One(number(0.5))));
}

#[test]
fn answers_that_cannot_be_understood_are_shown_with_what_was_asked() {
    let lines = "application/jsonlines";
    let cases = [
        (answers_of("text/csv"), "0.5", 2, "2 records were asked for and 1 lines came back"),
        (answers_of("text/csv"), "0.5\n0.5\n0.5", 2, "2 records were asked for and 3 lines came back"),
        (answers_of("text/csv"), "0.5\n,", 2, "record 2 of the request: an empty cell"),
        (
            at("text/csv", Some(Reference::Index(1)), None),
            "0.5\n0.5",
            2,
            "column 1 is asked for and there are 1: \"0.5\"",
        ),
        (answers_of(lines), "0.5", 2, "2 records were asked for and 1 lines came back"),
        (answers_of(lines), "0.5\n<html>", 2, "line 2 is no JSON"),
        (
            answers_of(lines),
            "0.5\nnull",
            2,
            "record 2 of the request: a number, a text or a list of those is expected, and there is nothing (null)",
        ),
        (
            at(lines, Some(path("score")), None),
            "{\"score\":1}\n{\"scores\":1}",
            2,
            "at \"score\", record 2 of the request",
        ),
        (answers_of(lines), "{\"score\":1}", 1, "there is an object with score"),
        (answers_of(lines), "true", 1, "there is true"),
        (answers_of(lines), "[]", 1, "there is an empty list"),
        (answers_of(lines), "[[1]]", 1, "there is a list of 1 within it"),
        (answers_of("application/json"), "[1]", 2, "2 records were asked for and 1 items came back"),
        (
            answers_of("application/json"),
            "0.5",
            2,
            "a list with one item for each of 2 records is expected, and there is the value 0.5",
        ),
        (
            at("application/json", None, Some(path("scores"))),
            "{\"score\":[1,2]}",
            2,
            "is expected at \"scores\", and there is nothing (null)",
        ),
        (answers_of("application/json"), "not JSON", 2, "it is no JSON"),
    ];
    for (config, answer, records, expected) in cases {
        let error = understood(&config, answer, records).map(drop).unwrap_err();
        assert!(matches!(error, PredictorError::Answer(_)), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error:?}");
        let request = if records == 1 { "`0`" } else { "`0 1`" };
        assert!(error.contains(&format!("the request begins {request}")), "{error:?}");
        assert!(error.contains(&format!("the answer `{}`", answer.replace('\n', " "))), "{error:?}");
    }
}

#[test]
fn of_a_long_answer_two_hundred_characters_are_shown() {
    let error =
        understood(&answers_of("application/json"), Box::leak("é".repeat(300).into_boxed_str()), 1).unwrap_err();
    assert!(error.to_string().contains(&format!("`{}…`", "é".repeat(200))), "{error}");
}

#[test]
fn places_that_no_answer_can_have_are_refused_at_once() {
    let cases = [
        (
            at("text/csv", Some(path("score")), None),
            "label: the answers are CSV, where a column is named by its index (0, 1, …), and \"score\" is none",
        ),
        (at("application/json", None, Some(path("a["))), "probability: \"a[\" is no JMESPath"),
    ];
    for (config, expected) in cases {
        let error = understood(&config, "1", 1).map(drop).unwrap_err();
        assert!(matches!(error, PredictorError::Configuration(_)) && error.to_string().contains(expected), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}
