//! The description of the interface.

use axum::Json;
use utoipa::OpenApi;

use super::{backup, captures, endpoints, executions, ground_truth, jobs, schedules, status};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Watchkeeper operators' interface",
        description = "What operators of Watchkeeper ask of it beside AWS's interfaces. Requests are authenticated as all others.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        document,
        backup::backup,
        status::status,
        status::pause,
        status::resume,
        schedules::list,
        schedules::run,
        schedules::backfill,
        schedules::remerge,
        schedules::why,
        ground_truth::upload,
        endpoints::register,
        endpoints::describe,
        captures::ingest,
        executions::list,
        executions::describe,
        jobs::list,
        jobs::logs,
    )
)]
struct Description;

/// This description.
#[utoipa::path(get, path = "/_watchkeeper/openapi.json", responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
