//! Where values are in JSON records: paths of `JMESPath`, in full.
//!
//! A plain path (names, indices, `[*]`, `[]`) is followed in the record's text, as [`crate::locate`] does; there an element that lacks what
//! is asked for is a missing value, so that labels stay with their records. Whatever else `JMESPath` has is evaluated on a tree of the
//! record. What is found keeps the text of its numbers either way: `1.50` is given to a model as `1.50`.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use jmespath::{Context, Expression, Rcvar, Variable, interpret};

use super::expression::compile_path;
use crate::locate::{Attribute, DEEPEST, Found, locate};
use crate::members::{BadRecord, each_member, elements};

/// A place in records.
pub(super) struct Place {
    attribute: Attribute,
    /// What a plain path cannot say.
    expression: Option<Expression<'static>>,
}

impl Place {
    /// A place by its path. What is no path is the name of a member.
    pub(super) fn new(path: &str) -> Self {
        let attribute = Attribute::new(path);
        // To JMESPath the quoted name in brackets is a list of one value, as features in a member of their own are given.
        let is_plain = attribute.not_a_path().is_none() && !path.trim_ascii().starts_with("[\"");
        let expression = if is_plain { None } else { compile_path(path.trim_ascii()).ok() };
        Self { attribute, expression }
    }

    /// What it means to readers that know no `JMESPath`.
    pub(super) fn attribute(&self) -> &Attribute {
        &self.attribute
    }

    /// The path as it was given.
    pub(super) fn as_str(&self) -> &str {
        self.attribute.as_str()
    }

    /// What to say beside that nothing is there: why it is no path.
    pub(super) fn hint(&self) -> String {
        match (self.attribute.not_a_path(), &self.expression) {
            (Some(reason), None) => {
                format!(" (it cannot be a path either: {reason}; a path is like `instances[*].label`)")
            }
            _ => String::new(),
        }
    }
}

/// Some places, looked up together.
pub(super) struct Places<const N: usize> {
    places: [Option<Place>; N],
}

/// The memory of what is found on trees: [`Found`] is a piece of a text.
pub(super) type Scratch<const N: usize> = [String; N];

impl<const N: usize> Places<N> {
    pub(super) fn new(paths: [Option<&str>; N]) -> Self {
        Self { places: paths.map(|path| path.map(Place::new)) }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Place> {
        self.places[index].as_ref()
    }

    /// What each place leads to in a record; `scratch` is written over. `Err` says what is wrong with the record.
    pub(super) fn find<'a>(&self, record: &'a str, scratch: &'a mut Scratch<N>) -> Result<[Found<'a>; N], String> {
        let plain = self
            .places
            .each_ref()
            .map(|place| place.as_ref().filter(|place| place.expression.is_none()).map(|place| &place.attribute));
        let mut found = [const { Found::Missing }; N];
        if plain.iter().any(Option::is_some) {
            found = locate(record, plain).map_err(reason)?;
        }
        if self.places.iter().flatten().all(|place| place.expression.is_none()) {
            return Ok(found);
        }
        let mut tree = Tree::default();
        let root = tree.grow(record.trim_ascii(), 0)?;
        for ((place, found), scratch) in self.places.iter().zip(&mut found).zip(scratch) {
            let Some(expression) = place.as_ref().and_then(|place| place.expression.as_ref()) else { continue };
            let mut context = Context::new(expression.as_str(), &jmespath::DEFAULT_RUNTIME);
            let value = interpret(&root, expression.as_ast(), &mut context).map_err(|error| {
                let error = error.to_string();
                let error = error.lines().next().unwrap_or_default();
                format!("`{}` cannot be evaluated: {error}", expression.as_str())
            })?;
            if value.is_null() {
                continue;
            }
            scratch.clear();
            tree.write(&value, scratch);
            *found = Found::Json(scratch);
        }
        Ok(found)
    }
}

/// What is wrong with a record that is cut into members or elements.
fn reason(problem: BadRecord) -> String {
    let BadRecord::Malformed(problem) = problem else { unreachable!("places have no other problem") };
    problem
}

/// The tree of a record, and the texts of its numbers: what an expression selects are nodes of the tree, and known by their address.
#[derive(Default)]
struct Tree<'a> {
    numbers: HashMap<*const Variable, &'a str>,
}

impl<'a> Tree<'a> {
    /// The tree of a JSON text, which so many levels are above.
    fn grow(&mut self, json: &'a str, level: usize) -> Result<Rcvar, String> {
        if level > DEEPEST {
            return Err(format!("it nests more than {DEEPEST} levels deep"));
        }
        let malformed = |error: serde_json::Error| format!("not JSON: {error}");
        let variable = match json.as_bytes().first() {
            Some(b'{') => {
                let mut members = Vec::new();
                each_member(json, |name, value| members.push((name.into_owned(), value))).map_err(malformed)?;
                let members = members.into_iter().map(|(name, value)| Ok((name, self.grow(value, level + 1)?)));
                Variable::Object(members.collect::<Result<BTreeMap<_, _>, String>>()?)
            }
            Some(b'[') => {
                let list = elements(json).map_err(reason)?;
                Variable::Array(
                    list.into_iter().map(|element| self.grow(element.get(), level + 1)).collect::<Result<_, _>>()?,
                )
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = Rc::new(Variable::Number(serde_json::from_str(json).map_err(malformed)?));
                self.numbers.insert(Rc::as_ptr(&number), json);
                return Ok(number);
            }
            _ => match serde_json::from_str(json).map_err(malformed)? {
                serde_json::Value::Bool(value) => Variable::Bool(value),
                serde_json::Value::String(text) => Variable::String(text),
                _ => Variable::Null,
            },
        };
        Ok(Rc::new(variable))
    }

    /// Writes a value as JSON.
    fn write(&self, value: &Rcvar, to: &mut String) {
        match &**value {
            Variable::Array(elements) => {
                to.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        to.push(',');
                    }
                    self.write(element, to);
                }
                to.push(']');
            }
            Variable::Object(members) => {
                to.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        to.push(',');
                    }
                    to.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    to.push(':');
                    self.write(member, to);
                }
                to.push('}');
            }
            Variable::Number(number) => match self.numbers.get(&Rc::as_ptr(value)) {
                Some(text) => to.push_str(text),
                None => to.push_str(&number.to_string()),
            },
            Variable::String(text) => to.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Variable::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Variable::Null | Variable::Expref(_) => to.push_str("null"),
        }
    }
}
