//! From botocore's service models to the small ones that are kept in the repository.
//!
//! A reduced model has botocore's layout (`metadata`, `operations`, `shapes`) with what the selected operations reach.
//! Documentation goes, shapes that are opaque to us have the type `opaque`, and of errors the codes alone stay.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::selection::{LARGEST_ENUMERATION, SELECTIONS, Selection};

/// Writes the reduced model of every service below `models`.
pub fn reduce_all(botocore: &Path, models: &Path) -> Result<()> {
    for selection in SELECTIONS {
        let path = botocore.join("data").join(selection.folder).join(selection.version).join("service-2.json.gz");
        let reduced = reduced(&read(&path)?, selection).with_context(|| format!("reducing {}", path.display()))?;
        let mut text = serde_json::to_string_pretty(&reduced)?;
        text.push('\n');
        std::fs::write(models.join(format!("{}.json", selection.module)), text)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

fn reduced(model: &Value, selection: &Selection) -> Result<Value> {
    let mut shapes = Shapes { model, opaque: selection.opaque, kept: BTreeMap::new() };
    let mut operations = Map::new();
    for name in selection.operations {
        let operation = &model["operations"][name];
        if operation.is_null() {
            bail!("the model has no operation {name}");
        }
        let mut kept = Map::new();
        for direction in ["input", "output"] {
            if let Some(shape) = operation[direction]["shape"].as_str() {
                shapes.keep(shape)?;
                kept.insert(direction.to_owned(), shape.into());
            }
        }
        if let Some(uri) = operation["http"]["requestUri"].as_str().filter(|uri| *uri != "/") {
            kept.insert("requestUri".to_owned(), uri.into());
        }
        for error in operation["errors"].as_array().into_iter().flatten().filter_map(|error| error["shape"].as_str()) {
            shapes.keep_error(error);
        }
        operations.insert((*name).to_owned(), Value::Object(kept));
    }
    let metadata: Map<String, Value> = [
        "apiVersion",
        "jsonVersion",
        "protocols",
        "serviceId",
        "signingName",
        "endpointPrefix",
        "targetPrefix",
        "xmlNamespace",
    ]
    .iter()
    .filter_map(|key| Some(((*key).to_owned(), model["metadata"].get(*key)?.clone())))
    .collect();
    Ok(json!({"metadata": metadata, "operations": operations, "shapes": shapes.kept}))
}

struct Shapes<'a> {
    model: &'a Value,
    opaque: &'a [&'a str],
    kept: BTreeMap<String, Value>,
}

impl Shapes<'_> {
    fn keep(&mut self, name: &str) -> Result<()> {
        if self.kept.contains_key(name) {
            return Ok(());
        }
        if self.opaque.contains(&name) {
            self.kept.insert(name.to_owned(), json!({"type": "opaque"}));
            return Ok(());
        }
        let shape = &self.model["shapes"][name];
        let kind = shape["type"].as_str().with_context(|| format!("the model has no shape {name}"))?;
        // Held before the members are walked, so that a shape that contains itself ends the walk.
        self.kept.insert(name.to_owned(), Value::Null);
        let mut kept = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        for key in ["required", "min", "max", "pattern"] {
            if let Some(value) = shape.get(key) {
                kept.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(values) = shape["enum"].as_array().filter(|values| values.len() <= LARGEST_ENUMERATION) {
            kept.insert("enum".to_owned(), values.clone().into());
        }
        if let Some(members) = shape["members"].as_object() {
            let mut kept_members = Map::new();
            for (member, reference) in members {
                kept_members.insert(member.clone(), self.reference(reference)?);
            }
            kept.insert("members".to_owned(), kept_members.into());
        }
        for key in ["member", "key", "value"] {
            if let Some(reference) = shape.get(key) {
                kept.insert(key.to_owned(), self.reference(reference)?);
            }
        }
        self.kept.insert(name.to_owned(), kept.into());
        Ok(())
    }

    /// What one shape says of another that it holds.
    fn reference(&mut self, reference: &Value) -> Result<Value> {
        let name = reference["shape"].as_str().context("a member without a shape")?;
        self.keep(name)?;
        let mut kept = Map::from_iter([("shape".to_owned(), Value::from(name))]);
        for key in ["location", "locationName"] {
            if let Some(value) = reference.get(key) {
                kept.insert(key.to_owned(), value.clone());
            }
        }
        Ok(kept.into())
    }

    fn keep_error(&mut self, name: &str) {
        let error = &self.model["shapes"][name]["error"];
        let mut kept = Map::from_iter([("type".to_owned(), Value::from("error"))]);
        for key in ["code", "httpStatusCode"] {
            if let Some(value) = error.get(key) {
                kept.insert(key.to_owned(), value.clone());
            }
        }
        self.kept.insert(name.to_owned(), kept.into());
    }
}
