//! Models.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{CreateModelInput, DescribeModelOutput, ModelSummary, Tag};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::names::Named;
use super::{Stamp, tags};
use crate::resources::Resource;

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Model {
    /// The request, without the tags.
    pub request: CreateModelInput,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was created.
    pub created: Time,
}

impl Model {
    /// A new model; nothing of it is fetched yet.
    pub fn create(mut request: CreateModelInput, stamp: &Stamp) -> Result<Self, Error> {
        let tags = tags::of_request(request.tags.take())?;
        let has_containers = request.containers.as_ref().is_some_and(|containers| !containers.is_empty());
        match (&request.primary_container, has_containers) {
            (Some(_), true) => {
                return Err(Error::validation("Only one of PrimaryContainer and Containers can be specified"));
            }
            (None, false) => return Err(Error::validation("Either PrimaryContainer or Containers is required")),
            _ => {}
        }
        Ok(Self { arn: Named::Model.arn(stamp, &request.model_name), request, tags, created: stamp.time() })
    }

    /// The model as `DescribeModel` shows it.
    pub fn describe(self) -> DescribeModelOutput {
        let request = self.request;
        DescribeModelOutput {
            model_name: request.model_name,
            primary_container: request.primary_container,
            containers: request.containers,
            inference_execution_config: request.inference_execution_config,
            execution_role_arn: request.execution_role_arn,
            vpc_config: request.vpc_config,
            creation_time: self.created,
            model_arn: self.arn,
            enable_network_isolation: request.enable_network_isolation,
            deployment_recommendation: None,
        }
    }

    /// The model as lists show it.
    pub fn summary(self) -> ModelSummary {
        ModelSummary { model_name: self.request.model_name, model_arn: self.arn, creation_time: self.created }
    }
}

/// The images of a model's containers.
pub fn images(model: &CreateModelInput) -> impl Iterator<Item = &str> {
    let containers = model.primary_container.iter().chain(model.containers.iter().flatten());
    containers.filter_map(|container| container.image.as_deref())
}

/// The error for a model that there is not.
pub fn not_found(arn: &str) -> Error {
    Error::validation(format!("Could not find model \"{arn}\"."))
}

/// The error for a name that another model has.
pub fn name_taken(arn: &str) -> Error {
    Error::validation(format!("Cannot create already existing model \"{arn}\"."))
}

impl Resource for Model {
    const KIND: Kind = Kind::Model;

    fn key(&self) -> String {
        self.request.model_name.to_lowercase()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.request.model_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
