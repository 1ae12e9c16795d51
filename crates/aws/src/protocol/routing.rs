//! Which service a request is for: the rules of the specification's part C.1, in its order.

use http::Method;

use super::form::{self, Fields};
use super::{Protocol, Request, Route, Service, body};
use crate::Error;

/// Finds service, operation and protocol. `scope_service` is the service that the request's signature names, if it has one.
///
/// # Errors
/// `UnknownOperationException` for what is none of our services, `InvalidSignatureException` for a request that is signed
/// for another service than it addresses, `MissingAuthenticationTokenException` for an unsigned invocation.
pub fn route(request: &Request<'_>, scope_service: Option<&str>) -> Result<Route, Error> {
    let route = match by_target(request)? {
        Some(route) => route,
        None => match by_path_of_rpc(request, scope_service).or_else(|| by_form(request, scope_service)) {
            Some(route) => route,
            None => rest(request, scope_service)?,
        },
    };
    let signing_name = route.service.signing_name();
    match scope_service {
        Some(scope) if scope != signing_name => Err(Error::new(
            "InvalidSignatureException",
            format!("Credential should be scoped to correct service: '{signing_name}'."),
        )
        .with_status(403)),
        _ => Ok(route),
    }
}

/// `X-Amz-Target: <service>.<operation>`.
fn by_target(request: &Request<'_>) -> Result<Option<Route>, Error> {
    let Some(target) = request.header("x-amz-target") else { return Ok(None) };
    let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
    let mut services = Service::MODELLED.into_iter();
    let service = services.find(|service| {
        service.model().is_some_and(|model| !model.target_prefix.is_empty() && model.target_prefix == prefix)
    });
    let service = service.ok_or_else(|| Error::unknown_operation(target))?;
    Ok(Some(Route { service, operation: operation.to_owned(), protocol: json_version(request) }))
}

fn json_version(request: &Request<'_>) -> Protocol {
    let content_type = request.header("content-type").unwrap_or_default();
    if content_type.starts_with("application/x-amz-json-1.0") { Protocol::Json10 } else { Protocol::Json11 }
}

/// `/service/<service>/operation/<operation>`, unless it is an object of a bucket called `service`.
fn by_path_of_rpc(request: &Request<'_>, scope_service: Option<&str>) -> Option<Route> {
    let (prefix, operation) = request.uri.path().strip_prefix("/service/")?.split_once("/operation/")?;
    let meant = request.header("smithy-protocol").is_some() || scope_service == Some("monitoring");
    let known = Service::CloudWatch.model().is_some_and(|model| model.target_prefix == prefix);
    (meant && known && scope_service != Some("s3")).then(|| Route {
        service: Service::CloudWatch,
        operation: operation.to_owned(),
        protocol: Protocol::Cbor,
    })
}

/// `Action` and `Version`, in a form or in the query.
fn by_form(request: &Request<'_>, scope_service: Option<&str>) -> Option<Route> {
    if request.uri.path() != "/" || scope_service == Some("s3") {
        return None;
    }
    let fields = Head::of(request);
    let action = fields.action?;
    let services = [Service::Sts, Service::Iam, Service::CloudWatch];
    let by_version = |service: &Service| {
        let model = service.model();
        fields.version.as_deref().is_some_and(|version| model.is_some_and(|model| model.version == version))
    };
    let by_scope = |service: &Service| Some(service.signing_name()) == scope_service;
    let service = services.iter().copied().find(by_version);
    let service = service.or_else(|| services.iter().copied().find(by_scope).filter(|_| fields.version.is_none()))?;
    Some(Route { service, operation: action, protocol: Protocol::Query })
}

/// The two fields of a form that say what it is for.
struct Head {
    action: Option<String>,
    version: Option<String>,
}

impl Head {
    fn of(request: &Request<'_>) -> Self {
        let mut head = Self { action: None, version: None };
        let mut look = |fields: Fields<'_>| {
            for (name, value) in fields {
                match &*name {
                    "Action" => head.action = Some(value.into_owned()),
                    "Version" => head.version = Some(value.into_owned()),
                    _ => {}
                }
                if head.action.is_some() && head.version.is_some() {
                    break;
                }
            }
        };
        look(form::fields(request.uri.query().unwrap_or_default().as_bytes()));
        if is_form(request) {
            look(form::fields(&body::head(request)));
        }
        head
    }
}

fn is_form(request: &Request<'_>) -> bool {
    let content_type = request.header("content-type").unwrap_or_default();
    request.method == Method::POST && content_type.starts_with("application/x-www-form-urlencoded")
}

/// Invocations by their path; the rest is S3's, if it is not signed for another service.
fn rest(request: &Request<'_>, scope_service: Option<&str>) -> Result<Route, Error> {
    if request.method == Method::POST
        && let Some(operation) = invocation(request.uri.path())
    {
        match scope_service {
            Some("sagemaker") => {
                return Ok(Route {
                    service: Service::Runtime,
                    operation: operation.to_owned(),
                    protocol: Protocol::RestJson,
                });
            }
            None => {
                return Err(
                    Error::new("MissingAuthenticationTokenException", "Missing Authentication Token").with_status(403)
                );
            }
            Some(_) => {}
        }
    }
    match scope_service {
        None | Some("s3") => Ok(Route {
            service: Service::S3,
            operation: request.method.as_str().to_owned(),
            protocol: Protocol::RestXml,
        }),
        Some(other) => {
            let action = Head::of(request).action;
            let operation = action.unwrap_or_else(|| format!("{} {}", request.method, request.uri.path()));
            Err(Error::unknown_operation(&format!("{other}.{operation}")))
        }
    }
}

fn invocation(path: &str) -> Option<&'static str> {
    let (endpoint, verb) = path.strip_prefix("/endpoints/")?.split_once('/')?;
    if endpoint.is_empty() {
        return None;
    }
    match verb {
        "invocations" => Some("InvokeEndpoint"),
        "invocations-response-stream" => Some("InvokeEndpointWithResponseStream"),
        "async-invocations" => Some("InvokeEndpointAsync"),
        _ => None,
    }
}

/// The form an error takes when there is no route: by what the request itself looks like.
pub fn of_error(request: &Request<'_>) -> Route {
    let route = |service, operation: &str, protocol| Route { service, operation: operation.to_owned(), protocol };
    if request.headers.contains_key("x-amz-target") {
        route(Service::SageMaker, "", json_version(request))
    } else if request.headers.contains_key("smithy-protocol") {
        route(Service::CloudWatch, "", Protocol::Cbor)
    } else if is_form(request) && request.uri.path() == "/" {
        route(Service::Sts, "", Protocol::Query)
    } else if request.method == Method::POST && invocation(request.uri.path()).is_some() {
        route(Service::Runtime, "", Protocol::RestJson)
    } else {
        route(Service::S3, request.method.as_str(), Protocol::RestXml)
    }
}
