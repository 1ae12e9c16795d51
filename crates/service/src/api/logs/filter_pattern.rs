//! The patterns of `FilterLogEvents`: words that all have to be there, `"texts in quotes"`, `-word` that must not be there,
//! and `?a ?b` of which any will do. Letters count with their case; a word is found inside others, too.
//!
//! As on AWS, words with a question mark do not count beside words without one.

use watchkeeper_aws::Error;

/// A pattern that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FilterPattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

/// More words than any pattern of a person has.
const MOST_TERMS: usize = 100;

impl FilterPattern {
    /// Reads a pattern; an empty one matches everything.
    ///
    /// # Errors
    /// The forms for JSON, columns and regular expressions, and a quote that is not closed.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let invalid =
            |what: &str| Err(Error::new("InvalidParameterException", format!("Invalid filter pattern: {what}")));
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        if rest.starts_with(['{', '[']) || rest.starts_with('%') {
            return invalid("only words, texts in quotes, -word and ?word are supported");
        }
        while !rest.is_empty() {
            let (terms, after_sign) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let Some((term, after_term)) = term(after_sign) else {
                return invalid("a quote is not closed");
            };
            if !term.is_empty() {
                terms.push(term);
            }
            rest = after_term.trim_start();
        }
        if pattern.all.len() + pattern.any.len() + pattern.none.len() > MOST_TERMS {
            return invalid("it has too many words");
        }
        Ok(pattern)
    }

    /// Whether a message is wanted.
    pub(super) fn matches(&self, message: &str) -> bool {
        let holds = |term: &String| message.contains(term.as_str());
        let any = !self.all.is_empty() || self.any.is_empty() || self.any.iter().any(holds);
        any && self.all.iter().all(holds) && !self.none.iter().any(holds)
    }

    /// Whether every message is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.any.is_empty() && self.none.is_empty()
    }
}

/// The term at the start of a text, and what follows it; None when its quote is not closed.
fn term(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut term = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((term, &quoted[at + 1..])),
            '\\' => term.push(characters.next()?.1),
            character => term.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// The examples of AWS's page on filter patterns, and the corners between them.
    #[test]
    fn patterns_mean_what_they_do_on_aws() {
        let bad = "[ERROR 400] BAD REQUEST";
        let unauthorized = "[ERROR 401] UNAUTHORIZED REQUEST";
        let warning = "[WARN 419] MISSING ARGUMENTS";
        for (pattern, matching) in [
            ("", vec![bad, unauthorized, warning]),
            ("  ", vec![bad, unauthorized, warning]),
            ("ERROR", vec![bad, unauthorized]),
            ("error", vec![]),
            ("ERROR REQUEST", vec![bad, unauthorized]),
            ("ERROR 401", vec![unauthorized]),
            ("?ERROR ?WARN", vec![bad, unauthorized, warning]),
            ("?400 ?419", vec![bad, warning]),
            ("\"BAD REQUEST\"", vec![bad]),
            ("\"REQUEST BAD\"", vec![]),
            ("ERROR -400", vec![unauthorized]),
            ("-ERROR", vec![warning]),
            ("-\"BAD REQUEST\" -WARN", vec![unauthorized]),
            ("?\"BAD REQUEST\" ?MISSING", vec![bad, warning]),
            ("401 ?WARN", vec![unauthorized]),
            ("\"[ERROR\"", vec![bad, unauthorized]),
        ] {
            let read = FilterPattern::read(pattern).unwrap();
            let found: Vec<&str> =
                [bad, unauthorized, warning].into_iter().filter(|message| read.matches(message)).collect();
            assert_eq!(found, matching, "{pattern}");
            assert_eq!(read.is_empty(), pattern.trim().is_empty());
        }
        assert!(FilterPattern::read(r#""a \"b\"""#).unwrap().matches(r#"say a "b" c"#));
    }

    #[test]
    fn other_forms_are_refused() {
        for pattern in ["{ $.level = \"ERROR\" }", "[ip, user]", "%error%", "\"open", "a \"open\\", "-\""] {
            assert_eq!(FilterPattern::read(pattern).unwrap_err().code, "InvalidParameterException", "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "[-?\"\\\\ aéb]{0,20}", message in "[ aéb]{0,10}") {
            if let Ok(pattern) = FilterPattern::read(&pattern) {
                pattern.matches(&message);
            }
        }
    }
}
