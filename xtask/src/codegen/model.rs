//! A reduced model, read.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::selection::Selection;

/// One service's reduced model.
pub struct Model {
    pub selection: &'static Selection,
    pub metadata: Value,
    pub operations: Vec<Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

pub struct Operation {
    pub name: String,
    pub input: Option<String>,
    pub output: Option<String>,
}

/// A shape; what refers to another shape holds that one's name.
pub struct Shape {
    pub kind: Kind,
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
}

pub enum Kind {
    Structure(Vec<Member>),
    List(String),
    Map { key: String, value: String },
    Text { pattern: Option<String>, values: Vec<String> },
    Integer,
    Long,
    Double,
    Boolean,
    Time,
    Blob,
    Opaque,
    Error { code: Option<String>, status: Option<u64> },
}

pub struct Member {
    pub name: String,
    pub shape: String,
    pub required: bool,
    /// `location` and `locationName` of REST.
    pub location: Option<(String, String)>,
}

impl Model {
    pub fn read(selection: &'static Selection, text: &str) -> Result<Self> {
        let model: Value = serde_json::from_str(text)?;
        let operations = model["operations"].as_object().context("a model without operations")?.iter();
        let operations = operations.map(|(name, operation)| Operation {
            name: name.clone(),
            input: text_of(&operation["input"]),
            output: text_of(&operation["output"]),
        });
        let shapes = model["shapes"].as_object().context("a model without shapes")?.iter();
        let shapes = shapes.map(|(name, shape)| Ok((name.clone(), Shape::read(shape).with_context(|| name.clone())?)));
        Ok(Self {
            selection,
            metadata: model["metadata"].clone(),
            operations: operations.collect(),
            shapes: shapes.collect::<Result<_>>()?,
        })
    }

    pub fn metadata(&self, key: &str) -> &str {
        self.metadata[key].as_str().unwrap_or_default()
    }

    pub fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("the model has no shape {name}"))
    }
}

impl Shape {
    fn read(shape: &Value) -> Result<Self> {
        let reference = |key: &str| text_of(&shape[key]["shape"]).with_context(|| format!("no `{key}`"));
        let kind = match shape["type"].as_str().context("a shape without a type")? {
            "structure" => Kind::Structure(members(shape)?),
            "list" => Kind::List(reference("member")?),
            "map" => Kind::Map { key: reference("key")?, value: reference("value")? },
            "string" => Kind::Text { pattern: text_of(&shape["pattern"]), values: texts(&shape["enum"]) },
            "integer" => Kind::Integer,
            "long" => Kind::Long,
            "float" | "double" => Kind::Double,
            "boolean" => Kind::Boolean,
            "timestamp" => Kind::Time,
            "blob" => Kind::Blob,
            "opaque" => Kind::Opaque,
            "error" => Kind::Error { code: text_of(&shape["code"]), status: shape["httpStatusCode"].as_u64() },
            other => bail!("shapes of type {other} are not known"),
        };
        let limit = |key: &str| shape[key].as_i64().or_else(|| shape[key].as_f64().map(|limit| limit as i64));
        Ok(Self { kind, minimum: limit("min"), maximum: limit("max") })
    }
}

fn members(shape: &Value) -> Result<Vec<Member>> {
    let required: BTreeSet<String> = texts(&shape["required"]).into_iter().collect();
    let members = shape["members"].as_object().into_iter().flatten();
    members
        .map(|(name, reference)| {
            let location = text_of(&reference["location"])
                .map(|location| (location, text_of(&reference["locationName"]).unwrap_or_else(|| name.clone())));
            Ok(Member {
                name: name.clone(),
                shape: text_of(&reference["shape"]).with_context(|| format!("member {name} has no shape"))?,
                required: required.contains(name),
                location,
            })
        })
        .collect()
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text_of).collect()
}
