//! ECR: names of repositories, so that scripts with own containers get past it. No registry is behind it: what an image
//! runs is in the configuration.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::ecr::{
    AuthorizationData, CreateRepositoryRequest, CreateRepositoryResponse, DescribeRepositoriesRequest,
    DescribeRepositoriesResponse, Ecr as EcrApi, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse,
    ImageScanningConfiguration, ImageTagMutability, Repository,
};
use watchkeeper_aws::{Call, Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::{failure, paging, quota};
use crate::Context;
use crate::control::milliseconds;
use crate::resources::{self, Resource, Transaction};

/// The name of the list in its tokens.
const LIST: &str = "repositories";
const TOKEN_HOURS: i64 = 12;
/// The most repositories.
const MOST_REPOSITORIES: u64 = 100_000;

/// The service.
pub struct Ecr(pub Arc<Context>);

/// A repository, as it is described.
#[derive(Serialize, Deserialize)]
struct RepositoryDocument {
    repository: Repository,
}

impl Resource for RepositoryDocument {
    const KIND: Kind = Kind::Repository;

    fn key(&self) -> String {
        self.repository.repository_name.clone().unwrap_or_default()
    }

    fn columns(&self) -> Columns {
        let created = self.repository.created_at.map_or(0, |time| time.0.as_millisecond());
        Columns { name: self.key(), created, modified: created, ..Columns::default() }
    }
}

impl EcrApi for Ecr {
    async fn create_repository(
        &self,
        call: &Call,
        input: CreateRepositoryRequest,
    ) -> Result<CreateRepositoryResponse, Error> {
        let (region, account, name) = (&call.region, &call.account, input.repository_name);
        let repository = Repository {
            repository_arn: Some(format!("arn:aws:ecr:{region}:{account}:repository/{name}")),
            registry_id: Some(account.clone()),
            repository_uri: Some(format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}")),
            repository_name: Some(name.clone()),
            created_at: Some(milliseconds(call.now)),
            image_tag_mutability: Some(input.image_tag_mutability.unwrap_or(ImageTagMutability::Mutable)),
            image_tag_mutability_exclusion_filters: input.image_tag_mutability_exclusion_filters,
            image_scanning_configuration: Some(
                input.image_scanning_configuration.unwrap_or(ImageScanningConfiguration { scan_on_push: Some(false) }),
            ),
            encryption_configuration: input.encryption_configuration,
        };
        let document = RepositoryDocument { repository };
        quota::one_more(&self.0, Kind::Repository, MOST_REPOSITORIES, "LimitExceededException").await?;
        match self.0.resources.commit(Transaction::new().insert(&document)).await {
            Ok(()) => Ok(CreateRepositoryResponse { repository: Some(document.repository) }),
            Err(resources::Error::Conflict { .. }) => Err(Error::new(
                "RepositoryAlreadyExistsException",
                format!("The repository with name '{name}' already exists in the registry with id '{account}'"),
            )),
            Err(error) => Err(failure::of_resources(error)),
        }
    }

    async fn describe_repositories(
        &self,
        call: &Call,
        input: DescribeRepositoriesRequest,
    ) -> Result<DescribeRepositoriesResponse, Error> {
        if let Some(names) = input.repository_names {
            let mut repositories = Vec::new();
            for name in names {
                let found = self.0.resources.get::<RepositoryDocument>(&name).await.map_err(failure::of_resources)?;
                let found = found.ok_or_else(|| {
                    let account = &call.account;
                    Error::new(
                        "RepositoryNotFoundException",
                        format!("The repository with name '{name}' does not exist in the registry with id '{account}'"),
                    )
                })?;
                repositories.push(found.resource.repository);
            }
            return Ok(DescribeRepositoriesResponse { repositories: Some(repositories), next_token: None });
        }
        let size = paging::size(input.max_results, 100, 1000);
        let query = paging::query(LIST, input.next_token.as_deref(), size)
            .ok_or_else(|| Error::new("InvalidParameterException", "Invalid parameter at 'nextToken'"))?;
        let found = self.0.resources.list::<RepositoryDocument>(&query).await.map_err(failure::of_resources)?;
        let (shown, next_token) = paging::cut(LIST, found, size);
        let repositories = shown.into_iter().map(|document| document.repository).collect();
        Ok(DescribeRepositoriesResponse { repositories: Some(repositories), next_token })
    }

    async fn get_authorization_token(
        &self,
        call: &Call,
        input: GetAuthorizationTokenRequest,
    ) -> Result<GetAuthorizationTokenResponse, Error> {
        let registries = input.registry_ids.unwrap_or_else(|| vec![call.account.clone()]);
        let expires = call.now.saturating_add(SignedDuration::from_hours(TOKEN_HOURS)).unwrap_or(call.now);
        let data = |registry: String| AuthorizationData {
            authorization_token: Some(BASE64_STANDARD.encode("AWS:x")),
            expires_at: Some(Time(expires)),
            proxy_endpoint: Some(format!("https://{registry}.dkr.ecr.{}.amazonaws.com", call.region)),
        };
        Ok(GetAuthorizationTokenResponse { authorization_data: Some(registries.into_iter().map(data).collect()) })
    }
}
