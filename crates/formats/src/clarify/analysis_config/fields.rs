//! Taking a JSON object apart, field by field, so that what is left over is known to be unknown.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{ConfigError, ConfiguredValue, Reference};

/// An object of the configuration whose fields are taken out one after the other.
pub(super) struct Fields {
    /// Where it stands, such as `methods.shap`; empty for the whole configuration.
    path: String,
    members: Map<String, Value>,
    /// The names that were asked for, in order.
    known: Vec<&'static str>,
}

/// A value with the place where it stands.
pub(super) struct Field {
    /// Such as `facet[0].name_or_index`.
    pub(super) path: String,
    pub(super) value: Value,
}

impl Fields {
    pub(super) fn new(path: &str, members: Map<String, Value>) -> Self {
        Self { path: path.to_owned(), members, known: Vec::new() }
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Field> {
        self.known.push(name);
        let value = self.members.shift_remove(name)?;
        Some(Field { path: self.path_of(name), value })
    }

    /// Takes a field that must be there.
    pub(super) fn require(&mut self, name: &'static str) -> Result<Field, ConfigError> {
        self.take(name).ok_or_else(|| ConfigError::Schema(format!("`{}` is missing", self.path_of(name))))
    }

    /// Takes a field of text out.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ConfigError> {
        self.take(name).map(Field::text).transpose()
    }

    /// Takes a list of texts out.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        self.take(name).map(|list| list.list_of(Field::text)).transpose()
    }

    /// Takes the name or index of a column out.
    pub(super) fn reference(&mut self, name: &'static str) -> Result<Option<Reference>, ConfigError> {
        self.take(name).map(Field::reference).transpose()
    }

    /// Takes a list of names and indices out.
    pub(super) fn references(&mut self, name: &'static str) -> Result<Option<Vec<Reference>>, ConfigError> {
        self.take(name).map(|list| list.list_of(Field::reference)).transpose()
    }

    /// Takes a list of values out, or a single one in place of it; empty where there is none.
    pub(super) fn values(&mut self, name: &'static str) -> Result<Vec<ConfiguredValue>, ConfigError> {
        let Some(field) = self.take(name) else { return Ok(Vec::new()) };
        if field.value.is_array() {
            return field.list_of(Field::configured_value);
        }
        Ok(vec![field.configured_value()?])
    }

    /// Takes true or false out; false where there is none.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, ConfigError> {
        self.take(name).map_or(Ok(false), Field::flag)
    }

    /// Takes a whole number from `least` out.
    pub(super) fn whole<N: TryFrom<u64>>(&mut self, name: &'static str, least: u64) -> Result<Option<N>, ConfigError> {
        self.take(name).map(|field| field.whole(least)).transpose()
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some(unknown) = self.members.keys().next() else { return Ok(()) };
        let known = self.known.join(", ");
        Err(ConfigError::Schema(format!("unknown field `{}`; the fields there are {known}", self.path_of(unknown))))
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

impl Field {
    /// The error of a value that is not what it should be.
    pub(super) fn is_not(&self, expected: &str) -> ConfigError {
        let found = match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("the text `{text}`"),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        ConfigError::Schema(format!("`{}` is {found}, expected {expected}", self.path))
    }

    pub(super) fn text(self) -> Result<String, ConfigError> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.is_not("a text")),
        }
    }

    /// A word of a fixed set, in any letter case.
    pub(super) fn word<T: FromStr>(self, expected: &str) -> Result<T, ConfigError> {
        let word = self.value.as_str().and_then(|text| text.parse().ok());
        word.ok_or_else(|| self.is_not(expected))
    }

    pub(super) fn flag(self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.is_not("true or false"))
    }

    pub(super) fn number(self) -> Result<f64, ConfigError> {
        self.value.as_f64().ok_or_else(|| self.is_not("a number"))
    }

    pub(super) fn whole<N: TryFrom<u64>>(self, least: u64) -> Result<N, ConfigError> {
        let number = self.value.as_u64().filter(|&number| number >= least).and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| self.is_not(&format!("a whole number from {least}")))
    }

    pub(super) fn reference(self) -> Result<Reference, ConfigError> {
        let index = self.value.as_u64().and_then(|index| usize::try_from(index).ok());
        match (index, self.value) {
            (Some(index), _) => Ok(Reference::Index(index)),
            (None, Value::String(name)) => Ok(Reference::Name(name)),
            (None, value) => Err(Self { path: self.path, value }.is_not("a name or an index from 0")),
        }
    }

    pub(super) fn configured_value(self) -> Result<ConfiguredValue, ConfigError> {
        match self.value {
            Value::Bool(value) => Ok(ConfiguredValue::Boolean(value)),
            Value::String(text) => Ok(ConfiguredValue::Text(text)),
            Value::Number(ref number) => {
                let whole = number.as_i64().map(ConfiguredValue::Integer);
                whole.or_else(|| number.as_f64().map(ConfiguredValue::Float)).ok_or_else(|| self.is_not("a number"))
            }
            _ => Err(self.is_not("a number, a text, true or false")),
        }
    }

    pub(super) fn list(self) -> Result<Vec<Field>, ConfigError> {
        match self.value {
            Value::Array(values) => {
                let fields = values.into_iter().enumerate();
                Ok(fields.map(|(index, value)| Self { path: format!("{}[{index}]", self.path), value }).collect())
            }
            _ => Err(self.is_not("a list")),
        }
    }

    pub(super) fn list_of<T>(self, read: impl Fn(Self) -> Result<T, ConfigError>) -> Result<Vec<T>, ConfigError> {
        self.list()?.into_iter().map(read).collect()
    }

    pub(super) fn object(self) -> Result<Fields, ConfigError> {
        match self.value {
            Value::Object(members) => Ok(Fields::new(&self.path, members)),
            _ => Err(self.is_not("an object")),
        }
    }
}
