//! Any text as CSV: against the `csv` crate where the dialects agree, against the rules read character by character
//! everywhere.
//!
//! Where they differ from the `csv` crate, and what [`Plain::differs`] notes:
//! - within quotes, a backslash before a quote makes it a quote here;
//! - a carriage return without a line feed ends a record there, and is text here;
//! - text behind a closing quote is joined to the field there, and makes the field stand as it is here;
//! - a quote that is never closed is closed by the end of the file there, and an error here.

use proptest::prelude::*;
use watchkeeper_data::Reading;

use crate::table::{Folder, csv};

/// A file by the rules of section 3.2, read in the plainest way.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    records: Vec<Vec<String>>,
    /// The last record's quote is not closed.
    is_open: bool,
    differs: bool,
}

impl Plain {
    fn read(text: &str) -> Self {
        let mut plain = Self::default();
        let mut rest = text;
        while !rest.is_empty() && !plain.is_open {
            let mut record = Vec::new();
            let start = text.len() - rest.len();
            rest = loop {
                let (field, behind) = plain.field(rest);
                record.push(field);
                match behind.strip_prefix(',') {
                    Some(next) => rest = next,
                    None => break behind,
                }
            };
            let is_blank = start + rest.len() == text.len();
            rest = line_end(rest).unwrap_or(rest);
            if !is_blank {
                plain.records.push(record);
            }
        }
        plain
    }

    /// A field and what follows it: a comma, a line end or nothing.
    fn field<'t>(&mut self, text: &'t str) -> (String, &'t str) {
        if let Some(mut rest) = text.strip_prefix('"') {
            let mut field = String::new();
            loop {
                let backslashes = rest.len() - rest.trim_start_matches('\\').len();
                let behind = &rest[backslashes..];
                if let Some(behind_quote) = behind.strip_prefix('"') {
                    self.differs |= backslashes > 0;
                    field.push_str(&"\\".repeat(backslashes / 2));
                    if backslashes % 2 == 1 {
                        field.push('"');
                        rest = behind_quote;
                    } else if let Some(doubled) = behind_quote.strip_prefix('"') {
                        field.push('"');
                        rest = doubled;
                    } else if behind_quote.is_empty()
                        || behind_quote.starts_with(',')
                        || line_end(behind_quote).is_some()
                    {
                        return (field, behind_quote);
                    } else {
                        self.differs = true;
                        rest = behind_quote;
                        break;
                    }
                } else if let Some(character) = behind.chars().next() {
                    field.push_str(&rest[..backslashes]);
                    field.push(character);
                    rest = &behind[character.len_utf8()..];
                } else {
                    self.differs = true;
                    self.is_open = true;
                    return (field, "");
                }
            }
            let (_, behind) = self.unquoted(rest);
            return (text[..text.len() - behind.len()].to_owned(), behind);
        }
        self.unquoted(text)
    }

    fn unquoted<'t>(&mut self, text: &'t str) -> (String, &'t str) {
        let ends = |(at, _): &(usize, char)| text[*at..].starts_with(',') || line_end(&text[*at..]).is_some();
        let end = text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
        self.differs |= text[..end].contains('\r');
        (text[..end].to_owned(), &text[end..])
    }

    /// As many fields in each record as the first has.
    fn table(&self) -> Vec<Vec<String>> {
        table(self.records.clone())
    }
}

/// What follows the line end that begins a text: `\n`, `\r\n`, or `\r` at the end of the file.
fn line_end(text: &str) -> Option<&str> {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).or_else(|| (text == "\r").then_some(""))
}

fn table(mut records: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let width = records.first().map_or(0, Vec::len);
    for record in &mut records {
        record.resize(width, String::new());
    }
    records
}

fn read_by_csv_crate(text: &str) -> Vec<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    table(reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect())
}

fn read(text: &str, reading: &Reading) -> Result<Vec<Vec<String>>, String> {
    let folder = Folder::with("data", text);
    match folder.read(reading) {
        Ok(table) => {
            let owned = |row: Vec<&str>| row.into_iter().map(str::to_owned).collect();
            Ok(table.texts().into_iter().map(owned).collect())
        }
        Err(error) => Err(folder.without_folder(&error.to_string())),
    }
}

fn check(text: &str) {
    let plain = Plain::read(text);
    let found = read(text, &csv(false));
    if plain.is_open {
        let row = format!("data, row {}: the quote that opens a field here is never closed", plain.records.len());
        assert!(found.as_ref().is_err_and(|message| message.starts_with(&row)), "{row}, found {found:?}");
        return;
    }
    assert_eq!(found, Ok(plain.table()), "{text:?}");
    if !plain.differs {
        assert_eq!(plain.table(), read_by_csv_crate(text), "{text:?}");
    }
}

/// Texts of the characters that mean something, and some that do not.
fn awkward_text() -> impl Strategy<Value = String> {
    let character = prop::sample::select(vec![',', '"', '\n', '\r', ' ', 'a', 'b', '\\', 'é']);
    // Mostly short ones, as few marks interact; some longer than the block of 64 bytes that is looked at at once.
    prop_oneof![
        3 => prop::collection::vec(character.clone(), 0..24),
        1 => prop::collection::vec(character, 0..400),
    ]
    .prop_map(String::from_iter)
}

/// Texts with quotes where they are apt to stand, so that most are closed.
fn quoted_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\"",
        "\"\"",
        "\\\"",
        "\\",
        "\\\\",
        ",",
        "\n",
        "\r\n",
        "a",
        "é",
        "\",\"",
        "\"\n\"",
        "\\\"\"",
        "\",",
        "\n\"",
        ",\"",
        "0123456789abcdef",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn awkward_texts(text in awkward_text()) {
        check(&text);
    }

    #[test]
    fn texts_with_many_quotes(text in quoted_text()) {
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What the `csv` crate writes is read as it was, whichever characters it is.
    #[test]
    fn what_the_csv_crate_writes(
        records in (1..6_usize).prop_flat_map(|width| prop::collection::vec(
            prop::collection::vec("[^\\\\\0]{0,12}", width),
            1..40,
        )),
        always in any::<bool>(),
        windows in any::<bool>(),
    ) {
        let style = if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
        let terminator = if windows { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().quote_style(style).terminator(terminator).from_writer(Vec::new());
        for record in &records {
            writer.write_record(record).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        prop_assume!(!text.starts_with('\u{feff}'));
        prop_assert_eq!(read(&text, &csv(false)), Ok(records));
    }
}
