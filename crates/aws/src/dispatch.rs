//! What the generated `dispatch` functions have in common: from JSON to an input and from an output to JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::model::ServiceModel;
use crate::validation::validate;

/// The input after a look at every rule of the model, or the error that names what breaks them.
pub(crate) fn checked(service: &ServiceModel, operation: &str, input: Value) -> Result<Value, Error> {
    let model = service.operation(operation).ok_or_else(|| Error::unknown_operation(operation))?;
    let input = if input.is_null() { Value::Object(serde_json::Map::new()) } else { input };
    if let Some(shape) = model.input {
        validate(service, shape, &input)?;
    }
    Ok(input)
}

pub(crate) fn read<T: DeserializeOwned>(input: Value) -> Result<T, Error> {
    serde_json::from_value(input).map_err(|error| Error::serialization(error.to_string()))
}

/// An output of ours that JSON cannot hold is a fault of ours.
pub(crate) fn write<T: Serialize>(output: &T) -> Result<Option<Value>, Error> {
    serde_json::to_value(output).map(Some).map_err(|_| Error::internal())
}
