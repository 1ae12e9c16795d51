//! The server's side of the protocols: from HTTP to a service, an operation and its input as JSON, and from an output or
//! an error back to HTTP.
//!
//! Inputs and outputs are JSON in one form whatever the protocol: members by their names on the wire, moments as seconds
//! since 1970 or ISO 8601 texts, bytes as base64. What the query protocol and CBOR write otherwise is brought into that
//! form with the service's model, and checked where all input is, in `dispatch`. The REST runtime and S3 pass their
//! bodies on as they are; of them this knows the route and the errors.
//!
//! Every body is bounded: what is unpacked, how many form fields there are, how deep things nest.

mod body;
mod cbor;
pub mod event_stream;
mod form;
mod json;
mod rest;
mod routing;
mod xml;

use http::{HeaderMap, HeaderValue, Method, Response, Uri, header};
use serde_json::Value;

use crate::Error;
use crate::generated::{cloudwatch, ecr, iam, kms, logs, runtime, sagemaker, sts};
use crate::model::{ErrorModel, ServiceModel};

pub use routing::route;

/// A request as it came in, its body whole.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The verb.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The body; not needed to route anything but forms.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A header's text; nothing where it is missing or no text.
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The services behind the one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The control plane.
    SageMaker,
    /// Invocations of endpoints.
    Runtime,
    /// `CloudWatch` Logs.
    Logs,
    /// `CloudWatch` metrics, alarms and dashboards.
    CloudWatch,
    /// Keys.
    Kms,
    /// Identities.
    Sts,
    /// Roles.
    Iam,
    /// Repositories of images.
    Ecr,
    /// Objects.
    S3,
}

impl Service {
    /// Those with a model.
    const MODELLED: [Self; 8] =
        [Self::SageMaker, Self::Runtime, Self::Logs, Self::CloudWatch, Self::Kms, Self::Sts, Self::Iam, Self::Ecr];

    /// What the model says of it; S3 has none here.
    pub fn model(self) -> Option<&'static ServiceModel> {
        Some(match self {
            Self::SageMaker => &sagemaker::SERVICE,
            Self::Runtime => &runtime::SERVICE,
            Self::Logs => &logs::SERVICE,
            Self::CloudWatch => &cloudwatch::SERVICE,
            Self::Kms => &kms::SERVICE,
            Self::Sts => &sts::SERVICE,
            Self::Iam => &iam::SERVICE,
            Self::Ecr => &ecr::SERVICE,
            Self::S3 => return None,
        })
    }

    /// The service in the scope of its signatures.
    pub fn signing_name(self) -> &'static str {
        self.model().map_or("s3", |model| model.signing_name)
    }
}

/// How a request is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `application/x-amz-json-1.0`.
    Json10,
    /// `application/x-amz-json-1.1`.
    Json11,
    /// A form, answered in XML.
    Query,
    /// `smithy-rpc-v2-cbor`.
    Cbor,
    /// Paths, headers and JSON: the runtime.
    RestJson,
    /// Paths, headers and XML: S3.
    RestXml,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whose it is.
    pub service: Service,
    /// The operation's name, which need not exist; for S3 the verb.
    pub operation: String,
    /// How it is written.
    pub protocol: Protocol,
}

impl Route {
    /// What an error is written by when a request has no route: as a client reads it that sent such a request.
    pub fn of_error(request: &Request<'_>) -> Self {
        routing::of_error(request)
    }
}

/// The input of an operation as JSON, unchecked.
///
/// For the runtime these are the members in path and headers, without the body. S3 has no input here: an empty object.
///
/// # Errors
/// A body that the protocol cannot read, or that is too large when unpacked.
pub fn decode(route: &Route, request: &Request<'_>) -> Result<Value, Error> {
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 => json::decode(&body::unpacked(request)?),
        Protocol::Query => form::decode(route, request, &body::unpacked(request)?),
        Protocol::Cbor => cbor::decode(&body::unpacked(request)?),
        Protocol::RestJson => rest::decode(route, request),
        Protocol::RestXml => Ok(Value::Object(serde_json::Map::new())),
    }
}

/// Checks an input that [`decode`] gave by every rule of the model. Generated `dispatch` functions do so themselves; this is for
/// the runtime, whose bodies are not within its input: they are taken to be there.
///
/// # Errors
/// `UnknownOperationException`, and what the validation of inputs says.
pub fn check(route: &Route, mut input: Value) -> Result<(), Error> {
    let model = route.service.model().ok_or_else(|| Error::unknown_operation(&route.operation))?;
    if route.protocol == Protocol::RestJson
        && let Some(members) = input.as_object_mut()
    {
        members.insert("Body".to_owned(), Value::String(String::new()));
    }
    crate::dispatch::checked(model, &route.operation, input).map(drop)
}

/// The answer of an operation. Without output the body is empty, save that the query protocol always answers in XML.
pub fn encode(route: &Route, request_id: &str, output: Option<Value>) -> Response<Vec<u8>> {
    let shape =
        route.service.model().and_then(|model| model.operation(&route.operation)).and_then(|model| model.output);
    let (content_type, body) = match route.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
            (json::content_type(route.protocol), output.map(|output| json::encode(&output)).unwrap_or_default())
        }
        Protocol::Query => ("text/xml", xml::answer(route, request_id, shape, output.as_ref())),
        Protocol::Cbor => ("application/cbor", output.map(|output| cbor::encode(shape, &output)).unwrap_or_default()),
        Protocol::RestXml => ("application/xml", Vec::new()),
    };
    response(route, request_id, 200, content_type, body)
}

/// The answer that is an error.
pub fn encode_error(route: &Route, request_id: &str, error: &Error) -> Response<Vec<u8>> {
    let known = route.service.model().and_then(|model| model.error(&error.code));
    // The implementation may have set a status of its own.
    let status = known.filter(|_| error.status == 400).map_or(error.status, |known| known.status);
    let (content_type, body) = match route.protocol {
        Protocol::Json10 | Protocol::Json11 => {
            (json::content_type(route.protocol), json::encode(&json::error(wire_code(known, error), error)))
        }
        Protocol::RestJson => (json::content_type(route.protocol), json::encode(&rest::error(error))),
        Protocol::Query => ("text/xml", xml::error(route, request_id, query_code(known, error), status, error)),
        Protocol::Cbor => ("application/cbor", cbor::encode(None, &json::error(wire_code(known, error), error))),
        Protocol::RestXml if route.operation == Method::HEAD.as_str() => ("application/xml", Vec::new()),
        Protocol::RestXml => ("application/xml", xml::object_error(request_id, error)),
    };
    let mut response = response(route, request_id, status, content_type, body);
    let headers = response.headers_mut();
    match route.protocol {
        Protocol::RestJson => insert(headers, "x-amzn-errortype", &error.code),
        // Clients that once spoke the query protocol go on testing its codes.
        Protocol::Json10 | Protocol::Cbor if route.service == Service::CloudWatch => {
            insert(headers, "x-amzn-query-error", &format!("{};{}", query_code(known, error), fault(status)));
        }
        _ => {}
    }
    response
}

/// The code in JSON and CBOR: the name of the error's shape.
fn wire_code<'a>(known: Option<&'a ErrorModel>, error: &'a Error) -> &'a str {
    known.map_or(&error.code, |known| known.shape)
}

/// The code of the query protocol, which may be another.
fn query_code<'a>(known: Option<&'a ErrorModel>, error: &'a Error) -> &'a str {
    known.map_or(&error.code, |known| known.code)
}

/// Whose fault an error is, by its status.
fn fault(status: u16) -> &'static str {
    if status >= 500 { "Receiver" } else { "Sender" }
}

fn response(
    route: &Route,
    request_id: &str,
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id_header = if route.service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    insert(headers, id_header, request_id);
    if route.protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static(cbor::PROTOCOL));
    }
    response
}

/// Sets a header; what no header can hold is left out.
fn insert(headers: &mut HeaderMap, name: &'static str, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}
