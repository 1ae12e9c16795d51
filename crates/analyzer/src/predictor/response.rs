//! Answers, cut into one item a record (section 2.3 of the bias specification).

use std::borrow::Cow;

use serde_json::Value;
use watchkeeper_engine::prediction::{Answer, Item, Scalar};
use watchkeeper_formats::clarify::Reference;

use super::path::Path;
use super::request::ContentKind;

/// How answers are read.
#[derive(Clone, Debug)]
pub(super) struct ResponseFormat {
    kind: ContentKind,
    label: Option<Place>,
    probability: Option<Place>,
}

/// Where something is in an answer.
#[derive(Clone, Debug)]
enum Place {
    Column(usize),
    Path(Path),
}

/// The items of one place, record after record.
type Items = Vec<Item>;

impl ResponseFormat {
    pub(super) fn new(
        kind: ContentKind,
        label: Option<&Reference>,
        probability: Option<&Reference>,
    ) -> Result<Self, String> {
        let place = |key: &str, reference: Option<&Reference>| {
            reference
                .map(|reference| Place::new(kind, reference))
                .transpose()
                .map_err(|error| format!("{key}: {error}"))
        };
        Ok(Self { kind, label: place("label", label)?, probability: place("probability", probability)? })
    }

    /// The answers for so many records, or what is wrong with them.
    pub(super) fn answers(&self, body: &[u8], records: usize) -> Result<Vec<Answer>, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8 text".to_owned())?;
        let places = match (&self.label, &self.probability) {
            (None, None) => [None, Some(None)],
            (label, probability) => [label.as_ref().map(Some), probability.as_ref().map(Some)],
        };
        let parsed = Parsed::of(self.kind, text, records)?;
        let [labels, probabilities] = places.map(|place| place.map(|place| parsed.items(place, records)).transpose());
        let mut labels = labels?.map(Vec::into_iter);
        let mut probabilities = probabilities?.map(Vec::into_iter);
        let next = |items: &mut Option<std::vec::IntoIter<Item>>| items.as_mut().and_then(Iterator::next);
        Ok((0..records).map(|_| Answer { label: next(&mut labels), probability: next(&mut probabilities) }).collect())
    }
}

impl Place {
    fn new(kind: ContentKind, reference: &Reference) -> Result<Self, String> {
        match (kind, reference) {
            (ContentKind::Csv, Reference::Index(index)) => Ok(Self::Column(*index)),
            (ContentKind::Csv, Reference::Name(name)) => name.trim().parse().map(Self::Column).map_err(|_| {
                format!("the answers are CSV, where a column is named by its index (0, 1, …), and {name:?} is none")
            }),
            (ContentKind::JsonLines, Reference::Index(index)) => Path::new(&format!("[{index}]")).map(Self::Path),
            (ContentKind::Json, Reference::Index(index)) => Path::new(&format!("[*][{index}]")).map(Self::Path),
            (_, Reference::Name(path)) => Path::new(path).map(Self::Path),
        }
    }
}

/// An answer, as far as it can be read without knowing what is looked for.
enum Parsed<'a> {
    Lines(Vec<Vec<Cow<'a, str>>>),
    JsonLines(Vec<Value>),
    Json(Value),
}

impl<'a> Parsed<'a> {
    fn of(kind: ContentKind, text: &'a str, records: usize) -> Result<Self, String> {
        match kind {
            ContentKind::Csv => csv_answer(text, records).map(Self::Lines),
            ContentKind::JsonLines => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                let values = lines.enumerate().map(|(line, text)| {
                    serde_json::from_str(text).map_err(|error| format!("line {} is no JSON: {error}", line + 1))
                });
                let values = values.collect::<Result<Vec<Value>, String>>()?;
                expect_count(values.len(), records, "lines")?;
                Ok(Self::JsonLines(values))
            }
            ContentKind::Json => {
                serde_json::from_str(text).map(Self::Json).map_err(|error| format!("it is no JSON: {error}"))
            }
        }
    }

    /// The items at a place, or the whole of each record's answer.
    fn items(&self, place: Option<&Place>, records: usize) -> Result<Items, String> {
        let path = match place {
            Some(Place::Path(path)) => Some(path),
            Some(Place::Column(_)) | None => None,
        };
        let named = |record: usize, problem: String| match path {
            Some(path) => format!("at {:?}, record {} of the request: {problem}", path.as_str(), record + 1),
            None => format!("record {} of the request: {problem}", record + 1),
        };
        match self {
            Self::Lines(lines) => {
                let column = match place {
                    Some(Place::Column(column)) => Some(*column),
                    Some(Place::Path(_)) | None => None,
                };
                let item = |(record, cells): (usize, &Vec<Cow<'_, str>>)| {
                    csv_item(cells, column).map_err(|problem| named(record, problem))
                };
                lines.iter().enumerate().map(item).collect()
            }
            Self::JsonLines(values) => {
                let item = |(record, value): (usize, &Value)| {
                    found_at(path, value).and_then(|found| json_item(&found)).map_err(|problem| named(record, problem))
                };
                values.iter().enumerate().map(item).collect()
            }
            Self::Json(document) => {
                let found = found_at(path, document)?;
                let elements = match &*found {
                    Value::Array(elements) if records != 1 || elements.len() == 1 => elements.as_slice(),
                    // The answer to a single record may be its item itself.
                    item if records == 1 => std::slice::from_ref(item),
                    other => {
                        let at = path.map_or_else(String::new, |path| format!(" at {:?}", path.as_str()));
                        return Err(format!(
                            "a list with one item for each of {records} records is expected{at}, and there is {}",
                            described(other)
                        ));
                    }
                };
                expect_count(elements.len(), records, "items")?;
                let item =
                    |(record, value): (usize, &Value)| json_item(value).map_err(|problem| named(record, problem));
                elements.iter().enumerate().map(item).collect()
            }
        }
    }
}

/// What is at a path of an answer; all of it without one.
fn found_at<'v>(path: Option<&Path>, value: &'v Value) -> Result<Cow<'v, Value>, String> {
    path.map_or(Ok(Cow::Borrowed(value)), |path| path.find(value).map(Cow::Owned))
}

fn expect_count(found: usize, records: usize, what: &str) -> Result<(), String> {
    if found == records {
        return Ok(());
    }
    Err(format!(
        "{records} {} were asked for and {found} {what} came back",
        if records == 1 { "record" } else { "records" }
    ))
}

/// The cells of each record's line. A single line of as many cells as there are records has one for each.
fn csv_answer(text: &str, records: usize) -> Result<Vec<Vec<Cow<'_, str>>>, String> {
    let mut lines = csv_lines(text);
    if lines.len() == 1 && records > 1 && lines[0].len() == records {
        return Ok(lines.swap_remove(0).into_iter().map(|cell| vec![cell]).collect());
    }
    expect_count(lines.len(), records, "lines")?;
    Ok(lines)
}

fn csv_item(cells: &[Cow<'_, str>], column: Option<usize>) -> Result<Item, String> {
    if let Some(column) = column {
        let cell = cells.get(column).ok_or_else(|| {
            format!("column {column} is asked for and there are {}: {:?}", cells.len(), cells.join(","))
        })?;
        return csv_cell(cell);
    }
    match cells {
        [cell] => csv_cell(cell),
        cells => cells.iter().map(|cell| csv_scalar(cell)).collect::<Result<_, _>>().map(Item::List),
    }
}

/// A cell: a number, a text, or a list of those in brackets.
fn csv_cell(cell: &str) -> Result<Item, String> {
    let trimmed = cell.trim();
    if let Some(list) = trimmed.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        if let Ok(list @ Value::Array(_)) = serde_json::from_str(trimmed) {
            return json_item(&list);
        }
        // As Python prints a list of texts.
        let unquoted = |cell: &str| {
            let cell = cell.trim();
            let inner = cell.strip_prefix('\'').and_then(|cell| cell.strip_suffix('\''));
            inner.unwrap_or(cell).to_owned()
        };
        return list.split(',').map(|cell| csv_scalar(&unquoted(cell))).collect::<Result<_, _>>().map(Item::List);
    }
    csv_scalar(cell).map(Item::One)
}

fn csv_scalar(cell: &str) -> Result<Scalar, String> {
    let trimmed = cell.trim();
    if trimmed.is_empty() {
        return Err("an empty cell where a number or a text is expected".to_owned());
    }
    Ok(Scalar::number(trimmed).unwrap_or_else(|| Scalar::Text(cell.to_owned())))
}

fn json_item(value: &Value) -> Result<Item, String> {
    match value {
        Value::Array(elements) if !elements.is_empty() => {
            elements.iter().map(json_scalar).collect::<Result<_, _>>().map(Item::List)
        }
        value => json_scalar(value).map(Item::One),
    }
}

fn json_scalar(value: &Value) -> Result<Scalar, String> {
    match value {
        Value::Number(number) => {
            Ok(Scalar::Number { value: number.as_f64().unwrap_or(f64::NAN), is_whole: !number.is_f64() })
        }
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        other => Err(format!("a number, a text or a list of those is expected, and there is {}", described(other))),
    }
}

/// What a value is, for messages.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) | Value::String(_) => format!("the value {}", super::excerpt(value.to_string().as_bytes())),
        Value::Array(elements) if elements.is_empty() => "an empty list".to_owned(),
        Value::Array(elements) => format!("a list of {} within it", elements.len()),
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().take(5).map(String::as_str).collect();
            format!("an object with {}", names.join(", "))
        }
    }
}

/// Lines of cells, blank ones left out; in double quotes a cell may hold commas, line ends, and quotes as two.
fn csv_lines(text: &str) -> Vec<Vec<Cow<'_, str>>> {
    if !text.contains('"') {
        let lines = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty());
        return lines.map(|line| line.split(',').map(Cow::Borrowed).collect()).collect();
    }
    let (mut lines, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut in_quotes = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if in_quotes && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' if in_quotes || cell.trim().is_empty() => in_quotes = !in_quotes,
            ',' if !in_quotes => cells.push(Cow::Owned(std::mem::take(&mut cell))),
            '\n' | '\r' if !in_quotes => end_line(&mut cells, &mut cell, &mut lines),
            character => cell.push(character),
        }
    }
    end_line(&mut cells, &mut cell, &mut lines);
    lines
}

fn end_line<'a>(cells: &mut Vec<Cow<'a, str>>, cell: &mut String, lines: &mut Vec<Vec<Cow<'a, str>>>) {
    let last = std::mem::take(cell);
    if !cells.is_empty() || !last.trim().is_empty() {
        cells.push(Cow::Owned(last));
        lines.push(std::mem::take(cells));
    }
}
