//! Operations on dashboards: texts, stored as they came.

use watchkeeper_aws::generated::cloudwatch::{
    DashboardEntry, DeleteDashboardsInput, DeleteDashboardsOutput, GetDashboardInput, GetDashboardOutput,
    ListDashboardsInput, ListDashboardsOutput, PutDashboardInput, PutDashboardOutput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Kind;

use super::documents::Dashboard;
use super::{CloudWatch, invalid_token};
use crate::api::{failure, paging, quota};
use crate::resources::{self, Transaction};

const DASHBOARDS: &str = "dashboards";
/// The most dashboards.
const MOST_DASHBOARDS: u64 = 1000;
/// Dashboards on a page.
const PAGE: usize = 1000;
/// How often a change is tried again that met somebody else's.
const TRIES: usize = 5;

fn not_found(name: &str) -> Error {
    Error::new("DashboardNotFoundError", format!("Dashboard {name} does not exist")).with_status(404)
}

impl CloudWatch {
    pub(super) async fn save_dashboard(
        &self,
        call: &Call,
        input: PutDashboardInput,
    ) -> Result<PutDashboardOutput, Error> {
        if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&input.dashboard_body).is_err() {
            return Err(Error::new(
                "DashboardInvalidInputError",
                "The dashboard body is invalid: it is no JSON object",
            ));
        }
        let name = input.dashboard_name;
        let dashboard = Dashboard {
            arn: format!("arn:aws:cloudwatch::{}:dashboard/{name}", call.account),
            name,
            body: input.dashboard_body,
            modified: self.0.stamp(&call.region).time(),
        };
        let mut tries = TRIES;
        loop {
            let known = self.0.resources.get::<Dashboard>(&dashboard.name).await.map_err(failure::of_resources)?;
            let transaction = if let Some(known) = known {
                Transaction::new().update(&dashboard, known.version)
            } else {
                quota::one_more(&self.0, Kind::Dashboard, MOST_DASHBOARDS, "LimitExceeded").await?;
                Transaction::new().insert(&dashboard)
            };
            tries -= 1;
            match self.0.resources.commit(transaction).await {
                Ok(()) => return Ok(PutDashboardOutput { dashboard_validation_messages: Some(Vec::new()) }),
                Err(resources::Error::Conflict { .. }) if tries > 0 => {}
                Err(error) => return Err(failure::of_resources(error)),
            }
        }
    }

    pub(super) async fn dashboard(&self, input: GetDashboardInput) -> Result<GetDashboardOutput, Error> {
        let name = input.dashboard_name;
        let found = self.0.resources.get::<Dashboard>(&name).await.map_err(failure::of_resources)?;
        let dashboard = found.ok_or_else(|| not_found(&name))?.resource;
        Ok(GetDashboardOutput {
            dashboard_arn: Some(dashboard.arn),
            dashboard_body: Some(dashboard.body),
            dashboard_name: Some(dashboard.name),
        })
    }

    pub(super) async fn dashboards(&self, input: ListDashboardsInput) -> Result<ListDashboardsOutput, Error> {
        let mut query = paging::query(DASHBOARDS, input.next_token.as_deref(), PAGE).ok_or_else(invalid_token)?;
        query.key_prefix = input.dashboard_name_prefix;
        let found = self.0.resources.list::<Dashboard>(&query).await.map_err(failure::of_resources)?;
        let (dashboards, next_token) = paging::cut(DASHBOARDS, found, PAGE);
        let entry = |dashboard: Dashboard| DashboardEntry {
            size: Some(dashboard.body.len() as i64),
            dashboard_name: Some(dashboard.name),
            dashboard_arn: Some(dashboard.arn),
            last_modified: Some(dashboard.modified),
        };
        Ok(ListDashboardsOutput { dashboard_entries: Some(dashboards.into_iter().map(entry).collect()), next_token })
    }

    pub(super) async fn remove_dashboards(
        &self,
        input: DeleteDashboardsInput,
    ) -> Result<DeleteDashboardsOutput, Error> {
        // All or none, as on AWS.
        let mut transaction = Transaction::new();
        let mut names = input.dashboard_names;
        names.sort();
        names.dedup();
        for name in &names {
            let found = self.0.resources.get::<Dashboard>(name).await.map_err(failure::of_resources)?;
            let found = found.ok_or_else(|| not_found(name))?;
            transaction = transaction.delete(&found.resource, found.version);
        }
        self.0.resources.commit(transaction).await.map_err(failure::of_resources)?;
        Ok(DeleteDashboardsOutput {})
    }
}
