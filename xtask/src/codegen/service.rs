//! The trait of a service and the function that finds its methods by name.

use std::fmt::Write as _;

use anyhow::Result;

use super::model::Model;
use super::names::{snake_case, type_name};

fn unit_or_type(shape: Option<&String>) -> String {
    shape.map_or_else(|| "()".to_owned(), |shape| type_name(shape))
}

pub fn interface(model: &Model) -> Result<String> {
    let name = model.selection.interface;
    let mut text = format!(
        "/// The operations of {name}. One that an implementation leaves out answers `UnknownOperationException`.\n\
         pub trait {name}: Send + Sync {{\n"
    );
    for operation in &model.operations {
        let (method, wire) = (snake_case(&operation.name), &operation.name);
        let (input, output) = (unit_or_type(operation.input.as_ref()), unit_or_type(operation.output.as_ref()));
        write!(
            text,
            "    fn {method}(&self, call: &Call, input: {input}) -> impl Future<Output = Result<{output}, Error>> + Send {{\n        \
             let _ = (call, input);\n        ready(Err(Error::unknown_operation(\"{wire}\")))\n    }}\n"
        )?;
    }
    text.push_str("}\n\n");
    Ok(text)
}

pub fn dispatch(model: &Model) -> Result<String> {
    let interface = model.selection.interface;
    let mut text = format!(
        "/// Checks the input, calls the operation of that name and gives its output; none where it has none.\n\
         pub async fn dispatch<S: {interface}>(\n    service: &S,\n    call: &Call,\n    operation: &str,\n    input: serde_json::Value,\n\
         ) -> Result<Option<serde_json::Value>, Error> {{\n    \
         let input = dispatch::checked(&SERVICE, operation, input)?;\n    match operation {{\n"
    );
    for operation in &model.operations {
        let (method, wire) = (snake_case(&operation.name), &operation.name);
        let input = if operation.input.is_some() { "dispatch::read(input)?" } else { "()" };
        let awaited = format!("Box::pin(service.{method}(call, {input})).await?");
        if operation.output.is_some() {
            writeln!(text, "        \"{wire}\" => dispatch::write(&{awaited}),")?;
        } else {
            writeln!(text, "        \"{wire}\" => {{\n            {awaited};\n            Ok(None)\n        }}")?;
        }
    }
    text.push_str("        _ => Err(Error::unknown_operation(operation)),\n    }\n}\n\n");
    Ok(text)
}
