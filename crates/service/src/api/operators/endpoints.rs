//! Endpoints whose models are served elsewhere: registered here, so that what is captured there has a place and monitors
//! have something to watch.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{self, Path};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;
use watchkeeper_aws::Call;
use watchkeeper_aws::generated::sagemaker::{CreateEndpointInput, CreateModelInput, EndpointStatus, dispatch};
use watchkeeper_aws::types::ImageUri;

use super::shapes::{CaptureView, EndpointRegistration, EndpointView, Failure};
use super::{Error, State, read_body};
use crate::Context;
use crate::api::sagemaker::SageMakerApi;
use crate::context::ring;
use crate::control::endpoint::{Endpoint, Revision};
use crate::control::endpoint_config::{EndpointConfig, model_names};
use crate::control::model::{Model, images};
use crate::hosting::capture::CapturePlan;
use crate::program::image::is_repository;
use crate::resources::{self, Transaction};

/// The image of models that are served elsewhere.
const EXTERNAL_IMAGE: &str = "watchkeeper-external";
/// The variant of an endpoint that is registered, as the Python SDK names it.
const VARIANT: &str = "AllTraffic";
/// Where captures go below the default bucket unless the registration says otherwise.
const USUAL_FOLDER: &str = "captures";
const USUAL_SAMPLING: u8 = 100;

/// How often a registration is tried where other processes may make parts of the same, and the pause between two tries.
const SHARED_TRIES: u32 = 5;
const SHARED_PAUSE: Duration = Duration::from_millis(100);

/// Held by a registration: of several for one name at the same time, as of proxies that are started together, the first makes
/// what the others find.
static REGISTRATION: Mutex<()> = Mutex::const_new(());

/// Registers an endpoint whose model is served elsewhere. One that is registered already stays as it is.
#[utoipa::path(put, path = "/_watchkeeper/endpoints/{name}", request_body = EndpointRegistration,
    params(("name" = String, Path, description = "Name of the endpoint")), responses(
    (status = 200, description = "It was registered before", body = EndpointView), (status = 201, body = EndpointView),
    (status = 400, body = Failure), (status = 409, body = Failure)))]
pub(super) async fn register(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<EndpointView>), Error> {
    let request: EndpointRegistration = read_body(&body)?;
    let context = &state.context;
    let _one_at_a_time = REGISTRATION.lock().await;
    // Another process may be making the same just now, and have come as far as a part of it.
    let tries = if context.is_shared() { SHARED_TRIES } else { 1 };
    for number in 1.. {
        if let Some(endpoint) = find(context, &name).await? {
            return registered(&endpoint).map(|view| (StatusCode::OK, Json(view)));
        }
        match make(context, &name, request.clone()).await {
            Ok(endpoint) => return Ok((StatusCode::CREATED, Json(EndpointView::of(&endpoint)))),
            Err(error) if number < tries && error.status.is_client_error() => tokio::time::sleep(SHARED_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last try returns")
}

/// Makes an endpoint with its model and its configuration.
async fn make(context: &Arc<Context>, name: &str, request: EndpointRegistration) -> Result<Endpoint, Error> {
    let model = model(context, name).await?;
    let config = config(context, name, request).await?;
    let revision = Revision { config: config.request, models: vec![model] };
    let input = CreateEndpointInput {
        endpoint_name: name.to_owned(),
        endpoint_config_name: revision.config.endpoint_config_name.clone(),
        deployment_config: None,
        tags: None,
    };
    let stamp = context.stamp(&context.configuration.region);
    // There is no model that could fail to start.
    let endpoint = Endpoint::create(input, revision, &stamp)?;
    let endpoint = endpoint.started(stamp.now).unwrap_or(endpoint);
    match context.resources.commit(Transaction::new().insert(&endpoint)).await {
        Ok(()) => {}
        Err(resources::Error::Conflict { .. }) => {
            return Err(Error::conflict(format!("endpoint {name} was created by somebody else at the same time")));
        }
        Err(error) => return Err(error.into()),
    }
    ring(&context.hosting_bell);
    Ok(endpoint)
}

/// An endpoint, wherever its models are served.
#[utoipa::path(get, path = "/_watchkeeper/endpoints/{name}",
    params(("name" = String, Path, description = "Name of the endpoint")), responses(
    (status = 200, body = EndpointView), (status = 404, body = Failure)))]
pub(super) async fn describe(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
) -> Result<Json<EndpointView>, Error> {
    let endpoint = find(&state.context, &name).await?;
    let endpoint = endpoint.ok_or_else(|| Error::not_found(format!("there is no endpoint {name}")))?;
    Ok(Json(EndpointView::of(&endpoint)))
}

impl EndpointView {
    fn of(endpoint: &Endpoint) -> Self {
        let config = endpoint.config.data_capture_config.as_ref();
        let variant = endpoint.config.production_variants.first();
        let plan = config
            .zip(variant)
            .and_then(|(config, variant)| CapturePlan::of(config, &endpoint.name, &variant.variant_name));
        Self {
            name: endpoint.name.clone(),
            arn: endpoint.arn.clone(),
            status: endpoint.status.to_string(),
            is_hosted: !is_external(&endpoint.models),
            destination: config.map(|config| config.destination_s3_uri.clone()),
            capture: plan.map(|plan| CaptureView {
                endpoint: plan.endpoint,
                variant: plan.variant,
                destination: plan.destination,
                sampling_percentage: plan.sampling_percentage,
                input: plan.input,
                output: plan.output,
                csv_content_types: plan.csv_content_types,
                json_content_types: plan.json_content_types,
                kms_key_id: plan.kms_key_id,
            }),
        }
    }
}

async fn find(context: &Context, name: &str) -> Result<Option<Endpoint>, Error> {
    Ok(context.resources.get::<Endpoint>(&name.to_lowercase()).await?.map(|found| found.resource))
}

fn registered(endpoint: &Endpoint) -> Result<EndpointView, Error> {
    if !is_external(&endpoint.models) {
        return Err(Error::conflict(format!(
            "endpoint {} is hosted by this service, which captures what passes through it: choose another name",
            endpoint.name
        )));
    }
    if endpoint.status == EndpointStatus::Deleting {
        return Err(Error::conflict(format!("endpoint {} is being deleted: try again in a moment", endpoint.name)));
    }
    Ok(EndpointView::of(endpoint))
}

fn is_external(models: &[CreateModelInput]) -> bool {
    let is_external = |image: &str| image.parse().is_ok_and(|image: ImageUri| is_repository(&image, EXTERNAL_IMAGE));
    !models.is_empty() && models.iter().flat_map(images).all(is_external)
}

/// The model that stands for one elsewhere; one that an earlier registration left is as good.
async fn model(context: &Arc<Context>, name: &str) -> Result<CreateModelInput, Error> {
    if let Some(found) = context.resources.get::<Model>(&name.to_lowercase()).await? {
        let model = found.resource.request;
        if is_external(std::slice::from_ref(&model)) {
            return Ok(model);
        }
        return Err(Error::conflict(format!("there is a model {name} with an image of its own: choose another name")));
    }
    ask(context, "CreateModel", json!({ "ModelName": name, "PrimaryContainer": { "Image": EXTERNAL_IMAGE } })).await?;
    let made = context.resources.get::<Model>(&name.to_lowercase()).await?;
    made.map(|made| made.resource.request).ok_or_else(|| Error::conflict(format!("model {name} was deleted meanwhile")))
}

/// The configuration; it takes the place of one that an earlier registration left.
async fn config(context: &Arc<Context>, name: &str, request: EndpointRegistration) -> Result<EndpointConfig, Error> {
    if let Some(found) = context.resources.get::<EndpointConfig>(&name.to_lowercase()).await? {
        if !model_names(&found.resource.request).all(|model| model.eq_ignore_ascii_case(name)) {
            return Err(Error::conflict(format!(
                "there is an endpoint configuration {name} with models of its own: choose another name"
            )));
        }
        ask(context, "DeleteEndpointConfig", json!({ "EndpointConfigName": name })).await?;
    }
    let destination = request
        .destination
        .unwrap_or_else(|| format!("s3://{}/{USUAL_FOLDER}", context.configuration.default_bucket()));
    let csv = request.csv_content_types.unwrap_or_else(|| vec!["text/csv".to_owned()]);
    let json = request
        .json_content_types
        .unwrap_or_else(|| vec!["application/json".to_owned(), "application/jsonlines".to_owned()]);
    let mut types = json!({});
    for (member, list) in [("CsvContentTypes", csv), ("JsonContentTypes", json)] {
        if !list.is_empty() {
            types[member] = json!(list);
        }
    }
    let input = json!({
        "EndpointConfigName": name,
        "ProductionVariants": [
            { "VariantName": VARIANT, "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large" }
        ],
        "DataCaptureConfig": {
            "EnableCapture": true,
            "InitialSamplingPercentage": request.sampling_percentage.unwrap_or(USUAL_SAMPLING),
            "DestinationS3Uri": destination,
            "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
            "CaptureContentTypeHeader": types,
        },
    });
    ask(context, "CreateEndpointConfig", input).await?;
    let made = context.resources.get::<EndpointConfig>(&name.to_lowercase()).await?;
    made.map(|made| made.resource)
        .ok_or_else(|| Error::conflict(format!("endpoint configuration {name} was deleted meanwhile")))
}

/// Asks `SageMaker`'s interface, with all that it checks.
async fn ask(context: &Arc<Context>, operation: &str, input: Value) -> Result<(), Error> {
    let call = Call {
        region: context.configuration.region.clone(),
        account: context.configuration.account.clone(),
        access_key_id: String::new(),
        request_id: Uuid::new_v4().to_string(),
        now: context.now(),
    };
    dispatch(&SageMakerApi(Arc::clone(context)), &call, operation, input).await?;
    Ok(())
}

impl From<watchkeeper_aws::Error> for Error {
    fn from(error: watchkeeper_aws::Error) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, message: error.message }
    }
}
