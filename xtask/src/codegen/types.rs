//! The structures and enumerations of a model as types of Rust.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::model::{Kind, Member, Model};
use super::names::{field_name, type_name, variant_name};

pub fn types(model: &Model) -> Result<String> {
    let mut text = String::new();
    for (name, shape) in &model.shapes {
        match &shape.kind {
            Kind::Structure(members) => structure(&mut text, model, name, members)?,
            Kind::Text { values, .. } if !values.is_empty() => enumeration(&mut text, name, values)?,
            _ => {}
        }
    }
    Ok(text)
}

fn structure(text: &mut String, model: &Model, name: &str, members: &[Member]) -> Result<()> {
    let default = if members.iter().any(|member| member.required) { "" } else { "Default, " };
    writeln!(text, "#[derive(Clone, Debug, {default}PartialEq, Serialize, Deserialize)]")?;
    if members.is_empty() {
        writeln!(text, "pub struct {} {{}}\n", type_name(name))?;
        return Ok(());
    }
    writeln!(text, "pub struct {} {{", type_name(name))?;
    for member in members {
        let wire = &member.name;
        let of_rust = rust_type(model, &member.shape)?;
        let blob = matches!(model.shape(&member.shape)?.kind, Kind::Blob);
        if member.required {
            let with = if blob { ", with = \"crate::blob\"" } else { "" };
            writeln!(text, "    #[serde(rename = \"{wire}\"{with})]")?;
            writeln!(text, "    pub {}: {of_rust},", field_name(wire))?;
        } else {
            let with = if blob { ", default, with = \"crate::blob::optional\"" } else { "" };
            writeln!(text, "    #[serde(rename = \"{wire}\", skip_serializing_if = \"Option::is_none\"{with})]")?;
            writeln!(text, "    pub {}: Option<{of_rust}>,", field_name(wire))?;
        }
    }
    text.push_str("}\n\n");
    Ok(())
}

pub fn rust_type(model: &Model, name: &str) -> Result<String> {
    Ok(match &model.shape(name)?.kind {
        Kind::List(member) => format!("Vec<{}>", rust_type(model, member)?),
        Kind::Map { value, .. } => format!("BTreeMap<String, {}>", rust_type(model, value)?),
        Kind::Text { values, .. } if values.is_empty() => "String".to_owned(),
        Kind::Structure(_) | Kind::Text { .. } => type_name(name),
        Kind::Integer => "i32".to_owned(),
        Kind::Long => "i64".to_owned(),
        Kind::Double => "f64".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Time => "crate::Time".to_owned(),
        Kind::Blob => "Vec<u8>".to_owned(),
        Kind::Opaque => "serde_json::Value".to_owned(),
        Kind::Error { .. } => bail!("the error {name} is a member"),
    })
}

fn enumeration(text: &mut String, name: &str, values: &[String]) -> Result<()> {
    let variants: BTreeSet<String> = values.iter().map(|value| variant_name(value)).collect();
    if variants.len() != values.len() {
        bail!("two values of {name} have the same name in Rust");
    }
    writeln!(text, "enumeration! {{\n    {} {{", type_name(name))?;
    for value in values {
        writeln!(text, "        {} = {value:?},", variant_name(value))?;
    }
    text.push_str("    }\n}\n\n");
    Ok(())
}
