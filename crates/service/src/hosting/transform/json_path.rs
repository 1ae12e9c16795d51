//! The filters of batch transform jobs: the part of `JSONPath` that the real service has, on JSON values and CSV records.
//!
//! Values are taken out of the text as they stand there, so a number or a text keeps its spelling; only blank space between
//! them goes. A path that names one place gives what is there; `['a','b']` at the end of a path gives an object of these
//! members; everything else that selects several gives an array. Ranges exclude their end, as in `JSONPath`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A filter that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Members of an object; one of them, unless there are more.
    Names(Vec<String>),
    /// Elements of an array; one of them, unless there are more or a range.
    Elements(Vec<Elements>),
    /// All members or elements.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elements {
    Index(i64),
    Range(Option<i64>, Option<i64>),
}

impl JsonPath {
    /// Reads a filter; no text is the root.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = if text.is_empty() { "$" } else { text };
        let steps = steps_of(text).map_err(|reason| format!("Invalid JsonPath: {text}: {reason}"))?;
        Ok(Self { text: text.to_owned(), steps })
    }

    /// Whether it selects everything, unchanged.
    pub(super) fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// What it selects of a JSON text, as compact JSON.
    pub(super) fn of_json(&self, json: &str) -> Result<String, String> {
        let mut found = Vec::new();
        self.collect(json, &self.steps, true, &mut found)?;
        if self.names_one_place() { Ok(found.swap_remove(0)) } else { Ok(format!("[{}]", found.join(","))) }
    }

    /// What it selects of the fields of a CSV record.
    pub(super) fn of_fields<'a>(&self, fields: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, String> {
        let failed = |reason: String| format!("Invalid JsonPath: {}: {reason}", self.text);
        match self.steps.as_slice() {
            [] | [Step::All] => Ok(fields.to_vec()),
            [Step::Elements(elements)] => {
                let places = places(elements, fields.len()).map_err(|reason| failed(reason.of("fields")))?;
                Ok(places.into_iter().map(|place| fields[place]).collect())
            }
            _ => Err(failed("a CSV record is an array of fields: select them by number, such as $[0,2:]".to_owned())),
        }
    }

    fn names_one_place(&self) -> bool {
        self.steps.iter().enumerate().all(|(number, step)| match step {
            Step::Names(names) => names.len() == 1 || number + 1 == self.steps.len(),
            Step::Elements(elements) => matches!(elements.as_slice(), [Elements::Index(_)]),
            Step::All => false,
        })
    }

    /// Collects what the steps lead to. Where several ways were open, those that lead nowhere are left out.
    fn collect(&self, json: &str, steps: &[Step], is_only: bool, found: &mut Vec<String>) -> Result<(), String> {
        let Some((step, rest)) = steps.split_first() else {
            found.push(compact(json));
            return Ok(());
        };
        let failed = |reason: String| if is_only { Err(format!("{} {reason}", self.text)) } else { Ok(()) };
        match step {
            Step::Names(names) => {
                let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
                    return failed(format!("looks for {} in what is no JSON object", quoted(names)));
                };
                let present: Vec<_> = names.iter().filter_map(|name| members.get_key_value(name)).collect();
                if present.is_empty() {
                    return failed(format!("looks for {}, and there is no such member", quoted(names)));
                }
                if names.len() > 1 && rest.is_empty() {
                    let object: BTreeMap<_, _> = present.into_iter().map(|(name, value)| (name, value.get())).collect();
                    found.push(print_object(object.into_iter().map(|(name, value)| (name.as_str(), value))));
                    return Ok(());
                }
                let is_only = is_only && names.len() == 1;
                present.into_iter().try_for_each(|(_, value)| self.collect(value.get(), rest, is_only, found))
            }
            Step::Elements(elements) => {
                let Ok(array) = serde_json::from_str::<Vec<&RawValue>>(json) else {
                    return failed("looks for elements in what is no JSON array".to_owned());
                };
                let chosen = match places(elements, array.len()) {
                    Ok(chosen) => chosen,
                    Err(reason) => return failed(reason.of("elements")),
                };
                let is_only = is_only && matches!(elements.as_slice(), [Elements::Index(_)]);
                chosen.into_iter().try_for_each(|place| self.collect(array[place].get(), rest, is_only, found))
            }
            Step::All => {
                if let Ok(array) = serde_json::from_str::<Vec<&RawValue>>(json) {
                    return array.into_iter().try_for_each(|value| self.collect(value.get(), rest, false, found));
                }
                let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
                    return failed("looks for everything in what is neither object nor array".to_owned());
                };
                members.into_values().try_for_each(|value| self.collect(value.get(), rest, false, found))
            }
        }
    }
}

/// An element that there is not.
struct OutOfBounds {
    index: i64,
    length: usize,
}

impl OutOfBounds {
    fn of(self, what: &str) -> String {
        format!("selects number {}, and there are {} {what}", self.index, self.length)
    }
}

/// Which of so many elements are selected. Ranges take what there is.
fn places(elements: &[Elements], length: usize) -> Result<Vec<usize>, OutOfBounds> {
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = |number: i64| if number < 0 { number.saturating_add(end) } else { number };
    let mut found = Vec::new();
    for element in elements {
        match *element {
            Elements::Index(index) => {
                let place = usize::try_from(from_start(index)).ok().filter(|place| *place < length);
                found.push(place.ok_or(OutOfBounds { index, length })?);
            }
            Elements::Range(first, last) => {
                let bound = |number: i64| usize::try_from(from_start(number).clamp(0, end)).unwrap_or(length);
                found.extend(first.map_or(0, bound)..last.map_or(length, bound));
            }
        }
    }
    Ok(found)
}

/// An object of members whose values are JSON texts, compact.
pub(super) fn print_object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members = members.map(|(name, value)| {
        let name = serde_json::to_string(name).expect("a text is JSON");
        format!("{name}:{}", compact(value))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// JSON without the blank space between its parts. What is no JSON comes out as something that is none either.
pub(super) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_text, mut is_escaped) = (false, false);
    for character in json.chars() {
        if in_text {
            in_text = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            in_text = character == '"';
        }
        text.push(character);
    }
    text
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn steps_of(text: &str) -> Result<Vec<Step>, String> {
    let mut rest = text.strip_prefix('$').ok_or("it must begin with $")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if rest.starts_with("..") {
            return Err("descent by .. is not supported".to_owned());
        }
        // `$.a.['b']` is in use as well as `$.a['b']`.
        if let Some(inside) = rest.strip_prefix(".[").or_else(|| rest.strip_prefix('[')) {
            let (step, behind) = bracket(inside)?;
            steps.push(step);
            rest = behind;
            continue;
        }
        let named = rest.strip_prefix('.').ok_or_else(|| format!("a . or [ was expected before {rest}"))?;
        let end = named.find(['.', '[']).unwrap_or(named.len());
        let (name, behind) = named.split_at(end);
        if name.is_empty() || name.contains([']', '\'', '"', '?', '(', '@', ',']) {
            return Err(format!("`{name}` is no name of a member: put it into ['…']"));
        }
        steps.push(if name == "*" { Step::All } else { Step::Names(vec![name.to_owned()]) });
        rest = behind;
    }
    Ok(steps)
}

/// The step between brackets, and what is behind them.
fn bracket(text: &str) -> Result<(Step, &str), String> {
    let text = text.trim_start();
    if !text.starts_with(['\'', '"']) {
        let (inside, behind) = text.split_once(']').ok_or("a ] is missing")?;
        if inside.trim() == "*" {
            return Ok((Step::All, behind));
        }
        let elements = inside.split(',').map(|part| elements(part.trim())).collect::<Result<_, _>>()?;
        return Ok((Step::Elements(elements), behind));
    }
    let (mut names, mut rest) = (Vec::new(), text);
    loop {
        let quote =
            rest.chars().next().filter(|quote| matches!(quote, '\'' | '"')).ok_or("a quoted name is missing")?;
        let (name, behind) = quoted_name(&rest[1..], quote)?;
        names.push(name);
        let behind = behind.trim_start();
        if let Some(behind) = behind.strip_prefix(']') {
            return Ok((Step::Names(names), behind));
        }
        rest = behind.strip_prefix(',').ok_or("a , or ] is missing after a name")?.trim_start();
    }
}

/// A name up to its closing quote, and what is behind it. A backslash takes what follows as it is.
fn quoted_name(text: &str, quote: char) -> Result<(String, &str), String> {
    let (mut name, mut is_escaped) = (String::new(), false);
    for (place, character) in text.char_indices() {
        match character {
            _ if is_escaped => {
                name.push(character);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            _ if character == quote => return Ok((name, &text[place + 1..])),
            _ => name.push(character),
        }
    }
    Err(format!("a name lacks its closing {quote}"))
}

fn elements(text: &str) -> Result<Elements, String> {
    let number = |text: &str| {
        let text = text.trim();
        text.parse::<i64>().map_err(|_| format!("`{text}` is neither a number nor a range such as 1:5"))
    };
    let bound = |text: &str| if text.trim().is_empty() { Ok(None) } else { number(text).map(Some) };
    match text.split_once(':') {
        None => Ok(Elements::Index(number(text)?)),
        Some((first, last)) => Ok(Elements::Range(bound(first)?, bound(last)?)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn json(path: &str, json: &str) -> Result<String, String> {
        JsonPath::parse(path)?.of_json(json)
    }

    fn csv(path: &str, fields: &[&str]) -> Result<String, String> {
        let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
        let chosen = JsonPath::parse(path)?.of_fields(&fields)?;
        Ok(String::from_utf8(chosen.join(&b',')).unwrap())
    }

    #[test]
    fn of_json() {
        let record = r#"{ "id": 7, "a": {"b": [1.50, "x y", {"c": 1e400}], "c d": null}, "é": "\"]" }"#;
        for (path, expected) in [
            ("$", r#"{"id":7,"a":{"b":[1.50,"x y",{"c":1e400}],"c d":null},"é":"\"]"}"#),
            ("$.id", "7"),
            ("$.a.b", r#"[1.50,"x y",{"c":1e400}]"#),
            ("$.a.b[-1].c", "1e400"),
            ("$['a']['c d']", "null"),
            ("$.a.['c d', \"b\"]", r#"{"b":[1.50,"x y",{"c":1e400}],"c d":null}"#),
            ("$['é','id']", r#"{"id":7,"é":"\"]"}"#),
            ("$['id','gone']", r#"{"id":7}"#),
            ("$.a.b[0, -2]", r#"[1.50,"x y"]"#),
            ("$.a.b[1:]", r#"["x y",{"c":1e400}]"#),
            ("$.a.b[:1]", "[1.50]"),
            ("$.a.b[0,1:]", r#"[1.50,"x y",{"c":1e400}]"#),
            ("$.a.*", r#"[[1.50,"x y",{"c":1e400}],null]"#),
            ("$.a.b[*].c", "[1e400]"),
        ] {
            assert_eq!(json(path, record).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn of_csv() {
        let fields = ["a", "\"b,b\"", "", "d"];
        for (path, expected) in [
            ("$", "a,\"b,b\",,d"),
            ("", "a,\"b,b\",,d"),
            ("$[1:]", "\"b,b\",,d"),
            ("$[-1]", "d"),
            ("$[0,2:]", "a,,d"),
            ("$[0, -1]", "a,d"),
            ("$[-2:]", ",d"),
            ("$[1:3]", "\"b,b\","),
            ("$[9:]", ""),
            ("$[3,3,0]", "d,d,a"),
        ] {
            assert_eq!(csv(path, &fields).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (path, expected) in [
            ("id", "Invalid JsonPath: id: it must begin with $"),
            ("$..id", "Invalid JsonPath: $..id: descent by .. is not supported"),
            ("$[0", "Invalid JsonPath: $[0: a ] is missing"),
            ("$[]", "Invalid JsonPath: $[]: `` is neither a number nor a range such as 1:5"),
            ("$['a'", "Invalid JsonPath: $['a': a , or ] is missing after a name"),
            ("$['a]", "Invalid JsonPath: $['a]: a name lacks its closing '"),
            ("$[?(@.a)]", "Invalid JsonPath: $[?(@.a)]: `?(@.a)` is neither a number nor a range such as 1:5"),
            ("$[0:4:2]", "Invalid JsonPath: $[0:4:2]: `4:2` is neither a number nor a range such as 1:5"),
            ("$id", "Invalid JsonPath: $id: a . or [ was expected before id"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err(), expected);
        }
        assert_eq!(json("$.b", r#"{"a":1}"#).unwrap_err(), "$.b looks for `b`, and there is no such member");
        assert_eq!(json("$[2]", "[1]").unwrap_err(), "$[2] selects number 2, and there are 1 elements");
        assert_eq!(json("$.b", "[1]").unwrap_err(), "$.b looks for `b` in what is no JSON object");
        assert_eq!(
            csv("$[4]", &["a"]).unwrap_err(),
            "Invalid JsonPath: $[4]: selects number 4, and there are 1 fields"
        );
        assert!(csv("$.a", &["a"]).unwrap_err().contains("select them by number"));
    }
}
