//! Where a value is in a record: by the name of a column or member, by its index, or by a path (section 2.2 of model quality).
//!
//! A path is what the guides write: names, `"quoted names"` or `['names']`, `.`, `[0]`, `[-1]`, `[1:3]`, `[*]` and `[]`, with `$` in front or
//! without. It means what it means in `JMESPath` but for one thing: an element that lacks what is asked for is a missing value instead of
//! none, or else the values behind it would meet the labels of others.
//!
//! Decided against a library of `JMESPath`: it works on trees of values, and building one for every record costs several times what
//! finding three values in its text does.

use crate::members::{BadRecord, elements, raw_members};

/// An attribute as users name it: `prediction`, `_c0`, `0`, `predictions[*].score`, `$.label`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    text: String,
    /// The text as a path, or why it is none.
    path: Result<Vec<Step>, String>,
    /// What it means in an array: an element's index, or a path.
    in_array: Option<Vec<Step>>,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// To a member of an object.
    Member(String),
    /// To an element of an array, from its end where negative.
    Element(i64),
    /// To all elements of an array.
    Each,
    /// To some elements of an array: from, to, and how far apart, as Python slices lists.
    Slice(Option<i64>, Option<i64>, i64),
    /// To all elements, those of arrays within it in their place.
    Flatten,
}

/// What is at a place. Texts are JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// Nothing.
    Missing,
    Json(&'a str),
    /// What a path with `[*]` or `[]` leads to.
    Many(Vec<Found<'a>>),
}

impl Attribute {
    /// An attribute by its text. What it means depends on the records it meets.
    pub fn new(text: &str) -> Self {
        let path = PathParser::parse(text);
        let in_array = match text.trim_ascii().parse() {
            Ok(index) => Some(vec![Step::Element(index)]),
            Err(_) => path.clone().ok(),
        };
        Self { text: text.to_owned(), path, in_array }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The column of a table that it means: the first of that name, else, where columns go `by_index`, that of its number.
    pub(crate) fn column_of(&self, names: &[String], by_index: bool) -> Option<usize> {
        let by_name = || names.iter().position(|name| *name == self.text);
        by_name().or_else(|| self.index().filter(|_| by_index)).filter(|&index| index < names.len())
    }

    /// The column of its number: `_c3`, `3`.
    pub(crate) fn index(&self) -> Option<usize> {
        let digits = self.text.strip_prefix("_c").unwrap_or(&self.text).trim_ascii();
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    }

    /// The name of the column that nested JSON has at this place once it is made flat: `a[0].b` is `a.0.b` there.
    pub(crate) fn flat_name(&self) -> Option<String> {
        let names = self.path.as_ref().ok()?.iter().map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Element(index) => u64::try_from(*index).ok().map(|index| index.to_string()),
            Step::Each | Step::Slice(..) | Step::Flatten => None,
        });
        Some(names.collect::<Option<Vec<_>>>()?.join("."))
    }

    /// Why it can be nothing but the plain name of a column or member.
    pub(crate) fn not_a_path(&self) -> Option<&str> {
        self.path.as_ref().err().map(String::as_str)
    }
}

/// What each of some attributes leads to in a record, which is a JSON object or array.
pub(crate) fn locate<'a, const N: usize>(
    record: &'a str,
    attributes: [Option<&Attribute>; N],
) -> Result<[Found<'a>; N], BadRecord> {
    let record = record.trim_ascii();
    let mut found = [const { Found::Missing }; N];
    if record.starts_with('[') {
        elements(record)?;
        for (found, attribute) in found.iter_mut().zip(attributes) {
            if let Some(steps) = attribute.and_then(|attribute| attribute.in_array.as_deref()) {
                *found = follow(record, steps);
            }
        }
        return Ok(found);
    }
    // The member of the attribute's very text, and the one that its path begins with.
    let mut plain = [None; N];
    let mut heads = [None; N];
    raw_members(record, |name, value| {
        for (place, attribute) in attributes.iter().enumerate() {
            let Some(attribute) = attribute else { continue };
            if attribute.text == name {
                plain[place] = Some(value);
            } else if let Ok([Step::Member(head), ..]) = attribute.path.as_deref()
                && *head == name
            {
                heads[place] = Some(value);
            }
        }
    })?;
    for (place, found) in found.iter_mut().enumerate() {
        let Some(attribute) = attributes[place] else { continue };
        *found = match (plain[place], heads[place], &attribute.path) {
            (Some(value), ..) => Found::Json(value),
            (None, Some(value), Ok(path)) => follow(value, &path[1..]),
            _ => Found::Missing,
        };
    }
    Ok(found)
}

/// What a path leads to. Flattening works on all that has been found before it.
fn follow<'a>(value: &'a str, path: &[Step]) -> Found<'a> {
    let mut parts = path.split(|step| *step == Step::Flatten);
    let mut found = project(value, parts.next().unwrap_or_default());
    for part in parts {
        let Some(list) = found.into_elements() else { return Found::Missing };
        let mut flat = Vec::with_capacity(list.len());
        for element in list {
            match element.as_elements() {
                Some(elements) => flat.extend(elements),
                None => flat.push(element),
            }
        }
        found = Found::Many(flat.into_iter().map(|element| element.project(part)).collect());
    }
    found
}

/// What a path without flattening leads to.
fn project<'a>(value: &'a str, path: &[Step]) -> Found<'a> {
    let Some((step, rest)) = path.split_first() else { return Found::Json(value) };
    let each = |list: Option<Vec<&'a str>>| {
        list.map_or(Found::Missing, |list| {
            Found::Many(list.into_iter().map(|element| project(element, rest)).collect())
        })
    };
    let next = match step {
        Step::Member(name) => member(value, name),
        Step::Element(index) => element(value, *index),
        Step::Each => return each(list_of(value)),
        Step::Slice(from, to, step) => return each(list_of(value).map(|list| slice(&list, *from, *to, *step))),
        Step::Flatten => None,
    };
    next.map_or(Found::Missing, |value| project(value, rest))
}

fn member<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    if value.starts_with('{') {
        raw_members(value, |key, value| {
            if key == name {
                found = Some(value);
            }
        })
        .ok()?;
    }
    found
}

fn element(value: &str, index: i64) -> Option<&str> {
    let list = list_of(value)?;
    let place = if index < 0 { list.len() as i64 + index } else { index };
    usize::try_from(place).ok().and_then(|place| list.get(place).copied())
}

/// The elements of a slice, as Python takes them.
fn slice<'a>(list: &[&'a str], from: Option<i64>, to: Option<i64>, step: i64) -> Vec<&'a str> {
    let count = list.len() as i64;
    let (first, last) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let place = |index: i64| if index < 0 { index.saturating_add(count) } else { index }.clamp(first, last);
    let (begin, end) = if step > 0 { (first, last) } else { (last, first) };
    let mut at = from.map_or(begin, place);
    let to = to.map_or(end, place);
    let mut taken = Vec::new();
    while if step > 0 { at < to } else { at > to } {
        taken.push(list[at as usize]);
        at = at.saturating_add(step);
    }
    taken
}

/// Levels of lists and objects that are followed, as many as serde reads of JSON: every one reads all below it once more.
pub(crate) const DEEPEST: usize = 128;

/// The elements of a value that is an array.
pub(crate) fn list_of(value: &str) -> Option<Vec<&str>> {
    if !value.starts_with('[') {
        return None;
    }
    Some(elements(value).ok()?.into_iter().map(serde_json::value::RawValue::get).collect())
}

impl Found<'_> {
    /// Its elements, when it is a list.
    pub(crate) fn as_elements(&self) -> Option<Vec<Self>> {
        match self {
            Self::Missing => None,
            Self::Json(value) => Some(list_of(value)?.into_iter().map(Found::Json).collect()),
            Self::Many(elements) => Some(elements.clone()),
        }
    }

    fn into_elements(self) -> Option<Vec<Self>> {
        match self {
            Self::Many(elements) => Some(elements),
            other => other.as_elements(),
        }
    }

    fn project(self, path: &[Step]) -> Self {
        match self {
            Self::Json(value) => project(value, path),
            Self::Many(elements) if path.is_empty() => Self::Many(elements),
            _ => Self::Missing,
        }
    }

    /// True when there is something, be it null.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Json(_) => true,
            Self::Many(elements) => elements.iter().any(Self::is_there),
        }
    }

    /// A list of one element counts as that element.
    pub(crate) fn unwrapped(self) -> Self {
        let mut found = self;
        for _ in 0..DEEPEST {
            let single = match &found {
                Found::Json(value) => list_of(value).filter(|list| list.len() == 1).map(|list| Found::Json(list[0])),
                Found::Many(elements) if elements.len() == 1 => Some(elements[0].clone()),
                _ => None,
            };
            match single {
                Some(single) => found = single,
                None => return found,
            }
        }
        Found::Missing
    }
}

/// Reads a path.
struct PathParser<'a> {
    text: &'a str,
    at: usize,
}

impl PathParser<'_> {
    fn parse(text: &str) -> Result<Vec<Step>, String> {
        let trimmed = text.trim_ascii();
        let path = match trimmed.strip_prefix('$') {
            None => trimmed,
            Some(rest) => rest.strip_prefix('.').unwrap_or(rest),
        };
        let mut parser = PathParser { text: path, at: 0 };
        let mut steps = Vec::new();
        while parser.at < path.len() {
            let step = match parser.peek() {
                Some('[') => parser.bracket()?,
                Some('.') if parser.at > 0 => {
                    parser.at += 1;
                    Step::Member(parser.name()?)
                }
                _ if parser.at == 0 => Step::Member(parser.name()?),
                _ => return Err(parser.unexpected()),
            };
            steps.push(step);
        }
        if steps.is_empty() { Err("it is empty".to_owned()) } else { Ok(steps) }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            None => format!("`{}` ends too early", self.text),
            Some(character) => format!("`{character}` stands at byte {} of `{}`", self.at, self.text),
        }
    }

    fn expect(&mut self, character: char) -> Result<(), String> {
        if self.peek() != Some(character) {
            return Err(self.unexpected());
        }
        self.at += character.len_utf8();
        Ok(())
    }

    /// A name, plain or in double quotes.
    fn name(&mut self) -> Result<String, String> {
        if self.peek() == Some('"') {
            return self.quoted('"');
        }
        let rest = &self.text[self.at..];
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.unexpected());
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    /// A name between quotes; a backslash takes the character behind it as it is.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.expect(quote)?;
        let mut name = String::new();
        while let Some(character) = self.peek() {
            self.at += character.len_utf8();
            if character == quote {
                return Ok(name);
            }
            if character == '\\' {
                let escaped = self.peek().ok_or_else(|| self.unexpected())?;
                self.at += escaped.len_utf8();
                name.push(escaped);
            } else {
                name.push(character);
            }
        }
        Err(self.unexpected())
    }

    /// An index, or a slice: `0`, `-1`, `1:3`, `::2`.
    fn element(text: &str) -> Option<Step> {
        if !text.contains(':') {
            return text.parse().ok().map(Step::Element);
        }
        let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        let mut bounds = text.splitn(3, ':').map(bound);
        let (from, to) = (bounds.next()??, bounds.next()??);
        let step = bounds.next().unwrap_or(Some(None))?.unwrap_or(1);
        (step != 0).then_some(Step::Slice(from, to, step))
    }

    /// What stands in brackets: an index, a slice, a quoted name, `*` or nothing.
    fn bracket(&mut self) -> Result<Step, String> {
        self.expect('[')?;
        let step = match self.peek() {
            Some(']') => Step::Flatten,
            Some('*') => {
                self.at += 1;
                Step::Each
            }
            Some(quote @ ('\'' | '"')) => Step::Member(self.quoted(quote)?),
            _ => {
                let rest = &self.text[self.at..];
                let is_part = |character: char| character.is_ascii_digit() || matches!(character, '-' | ':');
                let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
                let step = Self::element(&rest[..length]).ok_or_else(|| self.unexpected())?;
                self.at += length;
                step
            }
        };
        self.expect(']')?;
        Ok(step)
    }
}
