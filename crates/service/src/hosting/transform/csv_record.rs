//! The fields of a CSV record as they stand in the text, quotes included: what is selected and joined keeps its spelling.

/// The fields of a line without its end. A quote that is never closed takes the rest of the line.
pub(super) fn fields(line: &[u8]) -> Vec<&[u8]> {
    let (mut fields, mut start, mut in_quotes) = (Vec::new(), 0, false);
    for (place, byte) in line.iter().enumerate() {
        match byte {
            // Only a quote at its start makes a field a quoted one; a doubled quote then closes and opens again.
            b'"' if line[start] == b'"' => in_quotes = !in_quotes,
            b',' if !in_quotes => {
                fields.push(&line[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    fields.push(&line[start..]);
    fields
}

/// Fields as one line, without an end.
pub(super) fn line(fields: &[&[u8]]) -> Vec<u8> {
    fields.join(&b',')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The `csv` crate writes a record, and reads every field of it as it was.
        #[test]
        fn as_the_csv_crate_has_them(texts in prop::collection::vec("[a, \"'.x]{0,6}", 1..6)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&texts).unwrap();
            let written = writer.into_inner().unwrap();
            let record = written.strip_suffix(b"\n").unwrap();
            let found = fields(record);
            prop_assert_eq!(line(&found), record);
            prop_assert_eq!(found.len(), texts.len());
            for (field, text) in found.into_iter().zip(&texts) {
                // Behind another field, so that an empty one is a record, too.
                let alone = [b"x,", field].concat();
                let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(alone.as_slice());
                let read = reader.records().next().unwrap().unwrap();
                prop_assert_eq!((read.len(), &read[1]), (2, text.as_str()));
            }
        }
    }

    fn texts(line: &str) -> Vec<&str> {
        fields(line.as_bytes()).into_iter().map(|field| std::str::from_utf8(field).unwrap()).collect()
    }

    #[test]
    fn fields_as_they_stand() {
        for (line, expected) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            ("a,,b ", vec!["a", "", "b "]),
            (r#""a,b",c"#, vec![r#""a,b""#, "c"]),
            (r#""a ""x"", b",c"#, vec![r#""a ""x"", b""#, "c"]),
            (r#""""","","#, vec![r#""""""#, r#""""#, ""]),
            ("5\"\"6,7", vec!["5\"\"6", "7"]),
            (r#"5" x,6",7"#, vec!["5\" x", "6\"", "7"]),
            ("\"open,1", vec!["\"open,1"]),
        ] {
            assert_eq!(texts(line), expected, "{line}");
        }
    }
}
