//! A model's shapes as data, for validation and for the protocols that need types.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::model::{Kind, Member, Model, Shape};
use super::names::{snake_case, type_name};
use super::patterns::expression;

pub fn tables(model: &Model) -> Result<String> {
    let patterns = patterns(model);
    let selection = model.selection;
    let signing_name = match model.metadata("signingName") {
        "" => model.metadata("endpointPrefix"),
        name => name,
    };
    let mut text = format!(
        "/// What the model says.\npub static SERVICE: ServiceModel = ServiceModel {{\n    name: {:?},\n    version: {:?},\n    \
         signing_name: {signing_name:?},\n    target_prefix: {:?},\n    xml_namespace: {:?},\n    validation_code: {:?},\n    \
         operations: shapes::OPERATIONS,\n    errors: shapes::ERRORS,\n}};\n\n",
        selection.interface,
        selection.version,
        model.metadata("targetPrefix"),
        model.metadata("xmlNamespace"),
        selection.validation_code,
    );
    text.push_str(
        "mod shapes {\n    use crate::model::{ErrorModel, Limits, Location, Member, Operation, Pattern, Shape};\n\n",
    );
    operations(&mut text, model)?;
    errors(&mut text, model)?;
    for (name, shape) in &model.shapes {
        if let Some(value) = shape_value(name, shape, &patterns)? {
            writeln!(text, "    static {}: Shape = {value};", constant(name))?;
        }
    }
    for (pattern, constant) in &patterns {
        writeln!(text, "    static {constant}: Pattern = Pattern::new({pattern:?}, {:?});", expression(pattern)?)?;
    }
    text.push_str(
        "\n    /// For the test that compiles them.\n    #[cfg(test)]\n    pub static PATTERNS: &[&Pattern] = &[",
    );
    let all: Vec<String> = patterns.values().map(|constant| format!("&{constant}")).collect();
    writeln!(text, "{}];\n}}\n", all.join(", "))?;
    text.push_str("#[cfg(test)]\npub(crate) use shapes::PATTERNS;\n");
    Ok(text)
}

fn constant(shape: &str) -> String {
    snake_case(shape).to_uppercase()
}

/// Every pattern with the name of its constant.
fn patterns(model: &Model) -> BTreeMap<String, String> {
    let texts = model.shapes.values().filter_map(|shape| match &shape.kind {
        Kind::Text { pattern, .. } => pattern.clone(),
        _ => None,
    });
    let distinct: std::collections::BTreeSet<String> = texts.collect();
    distinct.into_iter().enumerate().map(|(index, text)| (text, format!("PATTERN_{}", index + 1))).collect()
}

fn operations(text: &mut String, model: &Model) -> Result<()> {
    text.push_str("    pub static OPERATIONS: &[Operation] = &[\n");
    let reference = |shape: &Option<String>| match shape {
        Some(shape) => format!("Some(&{})", constant(shape)),
        None => "None".to_owned(),
    };
    for operation in &model.operations {
        let (input, output) = (reference(&operation.input), reference(&operation.output));
        writeln!(text, "        Operation {{ name: {:?}, input: {input}, output: {output} }},", operation.name)?;
    }
    text.push_str("    ];\n\n");
    Ok(())
}

fn errors(text: &mut String, model: &Model) -> Result<()> {
    text.push_str("    pub static ERRORS: &[ErrorModel] = &[\n");
    for (name, shape) in &model.shapes {
        if let Kind::Error { code, status } = &shape.kind {
            let (code, status) = (code.as_ref().unwrap_or(name), status.unwrap_or(400));
            writeln!(text, "        ErrorModel {{ shape: {name:?}, code: {code:?}, status: {status} }},")?;
        }
    }
    text.push_str("    ];\n\n");
    Ok(())
}

fn shape_value(name: &str, shape: &Shape, patterns: &BTreeMap<String, String>) -> Result<Option<String>> {
    let limits = limits(shape);
    Ok(Some(match &shape.kind {
        Kind::Structure(members) => structure(name, members)?,
        Kind::List(member) => format!("Shape::List {{ member: &{}, size: {limits} }}", constant(member)),
        Kind::Map { key, value } => {
            format!("Shape::Map {{ key: &{}, value: &{}, size: {limits} }}", constant(key), constant(value))
        }
        Kind::Text { pattern, values } => {
            let pattern =
                pattern.as_ref().map_or_else(|| "None".to_owned(), |text| format!("Some(&{})", patterns[text]));
            let values =
                if values.is_empty() { "&[]".to_owned() } else { format!("super::{}::TEXTS", type_name(name)) };
            format!("Shape::Text {{ length: {limits}, pattern: {pattern}, values: {values} }}")
        }
        Kind::Integer => format!("Shape::Integer({limits})"),
        Kind::Long => format!("Shape::Long({limits})"),
        Kind::Double => format!("Shape::Double({limits})"),
        Kind::Boolean => "Shape::Boolean".to_owned(),
        Kind::Time => "Shape::Time".to_owned(),
        Kind::Blob => format!("Shape::Blob({limits})"),
        Kind::Opaque => "Shape::Opaque".to_owned(),
        Kind::Error { .. } => return Ok(None),
    }))
}

fn structure(name: &str, members: &[Member]) -> Result<String> {
    let mut text = format!("Shape::Structure {{ name: {name:?}, members: &[");
    for member in members {
        let location = match &member.location {
            None => "Location::Body".to_owned(),
            Some((location, name)) => match location.as_str() {
                "header" => format!("Location::Header({:?})", name.to_lowercase()),
                "uri" => "Location::Path".to_owned(),
                "statusCode" => "Location::Status".to_owned(),
                other => bail!("{name}: the location {other} is not known"),
            },
        };
        write!(
            text,
            "\n        Member {{ name: {:?}, required: {}, shape: &{}, location: {location} }},",
            member.name,
            member.required,
            constant(&member.shape)
        )?;
    }
    text.push_str(if members.is_empty() { "] }" } else { "\n    ] }" });
    Ok(text)
}

fn limits(shape: &Shape) -> String {
    match (shape.minimum, shape.maximum) {
        (None, None) => "Limits::NONE".to_owned(),
        (minimum, maximum) => format!("Limits {{ minimum: {minimum:?}, maximum: {maximum:?} }}"),
    }
}
