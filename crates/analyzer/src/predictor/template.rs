//! Templates of JSON requests: texts with places for the values of a record.
//!
//! A placeholder that is all of a JSON text, `"$features"` or `"${Age}"`, is replaced together with its quotes: a template that is given
//! as an object can have placeholders in no other way. A template is read once, and tried on a record of nulls.

use serde_json::Value;

use super::cells::json_cells;

/// Longer names first: `$features_kvp` is not `$features` with something behind it.
const PLACEHOLDERS: [&str; 5] = ["features_kvp", "feature_names", "features", "records", "record"];

/// A template, cut at its placeholders.
#[derive(Clone, Debug)]
pub(super) struct Template {
    segments: Vec<Segment>,
    /// What stands before each value in an object of names and values: `{"name":`, `,"name":`.
    keys: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Vec<u8>),
    /// `$features`.
    Features,
    /// `$features_kvp`.
    FeaturesByName,
    /// `"${Name}"`: which feature.
    Feature(usize),
    /// `$records`.
    Records,
    /// `$record`.
    Record,
}

impl Template {
    /// Reads the template of a record; `name` is the key of the configuration that it stands in.
    pub(super) fn of_record(name: &str, text: &str, features: &[String]) -> Result<Self, String> {
        let template = Self::parse(name, text, features)?;
        if template.segments.iter().any(|segment| matches!(segment, Segment::Records | Segment::Record)) {
            return Err(format!("{name}: $records and $record have no place in it, it makes a single record"));
        }
        if !template.segments.iter().any(|segment| !matches!(segment, Segment::Literal(_))) {
            return Err(format!(
                "{name} has no placeholder for a record's values: $features, $features_kvp, or \"${{Name}}\" for single ones"
            ));
        }
        let mut sample = Vec::new();
        template.render_record(&mut sample, &vec!["null"; features.len()].join(",").into_bytes());
        template.check(name, &sample)
    }

    /// Reads the template of a whole body around its records.
    pub(super) fn of_content(name: &str, text: &str, features: &[String]) -> Result<Self, String> {
        let template = Self::parse(name, text, features)?;
        let places = |wanted: &Segment| template.segments.iter().filter(|segment| *segment == wanted).count();
        if places(&Segment::Records) + places(&Segment::Record) != 1 {
            return Err(format!(
                "{name} must have the placeholder $records (all records of a request) or $record (one record a request), once"
            ));
        }
        if template
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::Features | Segment::FeaturesByName | Segment::Feature(_)))
        {
            return Err(format!("{name}: values of a record belong into record_template"));
        }
        let mut sample = template.before_records().to_vec();
        sample.extend_from_slice(if template.takes_one_record() { b"null" } else { b"[null]" });
        sample.extend_from_slice(template.after_records());
        template.check(name, &sample)
    }

    /// As a line: blanks for line breaks, which can only stand between values.
    pub(super) fn in_one_line(mut self) -> Self {
        for segment in &mut self.segments {
            if let Segment::Literal(literal) = segment {
                literal.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
            }
        }
        self
    }

    /// Whether a body of it holds a single record.
    pub(super) fn takes_one_record(&self) -> bool {
        self.segments.contains(&Segment::Record)
    }

    /// Appends a record.
    pub(super) fn render_record(&self, body: &mut Vec<u8>, record: &[u8]) {
        let needs_cells =
            self.segments.iter().any(|segment| matches!(segment, Segment::FeaturesByName | Segment::Feature(_)));
        let cells = if needs_cells { json_cells(record) } else { Vec::new() };
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => body.extend_from_slice(literal),
                Segment::Features => {
                    body.push(b'[');
                    body.extend_from_slice(record);
                    body.push(b']');
                }
                Segment::FeaturesByName => {
                    for (key, cell) in self.keys.iter().zip(&cells) {
                        body.extend_from_slice(key);
                        body.extend_from_slice(cell);
                    }
                    body.push(b'}');
                }
                Segment::Feature(place) => body.extend_from_slice(cells.get(*place).copied().unwrap_or(b"null")),
                Segment::Records | Segment::Record => {}
            }
        }
    }

    /// What stands before the records of a body.
    pub(super) fn before_records(&self) -> &[u8] {
        match self.segments.first() {
            Some(Segment::Literal(literal)) => literal,
            _ => b"",
        }
    }

    /// What stands behind the records of a body.
    pub(super) fn after_records(&self) -> &[u8] {
        match self.segments.last() {
            Some(Segment::Literal(literal)) => literal,
            _ => b"",
        }
    }

    fn parse(name: &str, text: &str, features: &[String]) -> Result<Self, String> {
        let mut parts = Parts { segments: Vec::new(), literal: Vec::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((placeholder, length)) = placeholder(rest) {
                parts.push(name, placeholder, features)?;
                rest = &rest[length..];
            } else {
                parts.literal.extend_from_slice(&rest.as_bytes()[..first.len_utf8()]);
                rest = &rest[first.len_utf8()..];
            }
        }
        parts.end_literal();
        let keys = features.iter().enumerate().map(|(place, feature)| {
            let start = if place == 0 { '{' } else { ',' };
            format!("{start}{}:", Value::from(feature.as_str())).into_bytes()
        });
        Ok(Self { segments: parts.segments, keys: keys.collect() })
    }

    fn check(self, name: &str, sample: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice::<Value>(sample) {
            Ok(_) => Ok(self),
            Err(error) => {
                Err(format!("{name} does not give JSON when it is filled ({error}): {}", super::excerpt(sample)))
            }
        }
    }
}

/// What a placeholder is replaced by.
#[derive(Clone, Copy)]
enum Placeholder<'a> {
    Named(&'a str),
    /// The name between the braces of `"${Name}"`.
    Feature(&'a str),
}

/// The placeholder at the start of a text, and how many bytes it takes.
fn placeholder(text: &str) -> Option<(Placeholder<'_>, usize)> {
    if let Some(inner) = text.strip_prefix("\"$") {
        if let Some(braced) = inner.strip_prefix('{') {
            let end = braced.find("}\"")?;
            return Some((Placeholder::Feature(&braced[..end]), "\"${".len() + end + "}\"".len()));
        }
        let named = PLACEHOLDERS
            .iter()
            .find(|named| inner.strip_prefix(**named).is_some_and(|behind| behind.starts_with('"')))?;
        return Some((Placeholder::Named(named), "\"$\"".len() + named.len()));
    }
    let inner = text.strip_prefix('$')?;
    let named = PLACEHOLDERS.iter().find(|named| inner.starts_with(**named))?;
    Some((Placeholder::Named(named), "$".len() + named.len()))
}

struct Parts {
    segments: Vec<Segment>,
    literal: Vec<u8>,
}

impl Parts {
    fn push(&mut self, name: &str, placeholder: Placeholder<'_>, features: &[String]) -> Result<(), String> {
        let segment = match placeholder {
            Placeholder::Named("features") => Segment::Features,
            Placeholder::Named("features_kvp") => Segment::FeaturesByName,
            Placeholder::Named("records") => Segment::Records,
            Placeholder::Named("record") => Segment::Record,
            Placeholder::Named(_) => {
                let names = serde_json::to_vec(features).expect("names are written to memory");
                self.literal.extend_from_slice(&names);
                return Ok(());
            }
            Placeholder::Feature(feature) => {
                let unescaped = serde_json::from_str::<String>(&format!("\"{feature}\"")).unwrap_or_default();
                let place = features.iter().position(|known| known == feature || *known == unescaped);
                Segment::Feature(place.ok_or_else(|| {
                    format!("{name} asks for \"${{{feature}}}\", the features are {}", features.join(", "))
                })?)
            }
        };
        self.end_literal();
        self.segments.push(segment);
        Ok(())
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.segments.push(Segment::Literal(std::mem::take(&mut self.literal)));
        }
    }
}
