//! `SageMaker`: loads, asks `control`, commits.
//!
//! Every operation that changes something loads the documents it needs, asks `control` for their new state, and commits
//! that with compare-and-swap; when somebody else was faster it starts again from the documents as they are now. What has
//! to happen later is told to the scheduler and the runner by a bell after the commit: they find the work in the store, so
//! a bell that nobody hears delays it at most until they look by themselves.

mod alerts;
mod documents;
mod endpoint_configs;
mod endpoints;
mod executions;
mod job_definitions;
mod models;
mod processing_jobs;
mod schedules;
mod tags;
mod transform_jobs;

use std::sync::Arc;

use watchkeeper_aws::generated::sagemaker::{
    AddTagsInput, AddTagsOutput, CreateDataQualityJobDefinitionRequest, CreateDataQualityJobDefinitionResponse,
    CreateEndpointConfigInput, CreateEndpointConfigOutput, CreateEndpointInput, CreateEndpointOutput,
    CreateModelBiasJobDefinitionRequest, CreateModelBiasJobDefinitionResponse,
    CreateModelExplainabilityJobDefinitionRequest, CreateModelExplainabilityJobDefinitionResponse, CreateModelInput,
    CreateModelOutput, CreateModelQualityJobDefinitionRequest, CreateModelQualityJobDefinitionResponse,
    CreateMonitoringScheduleRequest, CreateMonitoringScheduleResponse, CreateProcessingJobRequest,
    CreateProcessingJobResponse, CreateTransformJobRequest, CreateTransformJobResponse,
    DeleteDataQualityJobDefinitionRequest, DeleteEndpointConfigInput, DeleteEndpointInput,
    DeleteModelBiasJobDefinitionRequest, DeleteModelExplainabilityJobDefinitionRequest, DeleteModelInput,
    DeleteModelQualityJobDefinitionRequest, DeleteMonitoringScheduleRequest, DeleteProcessingJobRequest,
    DeleteTagsInput, DeleteTagsOutput, DescribeDataQualityJobDefinitionRequest,
    DescribeDataQualityJobDefinitionResponse, DescribeEndpointConfigInput, DescribeEndpointConfigOutput,
    DescribeEndpointInput, DescribeEndpointOutput, DescribeModelBiasJobDefinitionRequest,
    DescribeModelBiasJobDefinitionResponse, DescribeModelExplainabilityJobDefinitionRequest,
    DescribeModelExplainabilityJobDefinitionResponse, DescribeModelInput, DescribeModelOutput,
    DescribeModelQualityJobDefinitionRequest, DescribeModelQualityJobDefinitionResponse,
    DescribeMonitoringScheduleRequest, DescribeMonitoringScheduleResponse, DescribeProcessingJobRequest,
    DescribeProcessingJobResponse, DescribeTransformJobRequest, DescribeTransformJobResponse,
    ListDataQualityJobDefinitionsRequest, ListDataQualityJobDefinitionsResponse, ListEndpointConfigsInput,
    ListEndpointConfigsOutput, ListEndpointsInput, ListEndpointsOutput, ListModelBiasJobDefinitionsRequest,
    ListModelBiasJobDefinitionsResponse, ListModelExplainabilityJobDefinitionsRequest,
    ListModelExplainabilityJobDefinitionsResponse, ListModelQualityJobDefinitionsRequest,
    ListModelQualityJobDefinitionsResponse, ListModelsInput, ListModelsOutput, ListMonitoringAlertHistoryRequest,
    ListMonitoringAlertHistoryResponse, ListMonitoringAlertsRequest, ListMonitoringAlertsResponse,
    ListMonitoringExecutionsRequest, ListMonitoringExecutionsResponse, ListMonitoringSchedulesRequest,
    ListMonitoringSchedulesResponse, ListProcessingJobsRequest, ListProcessingJobsResponse, ListTagsInput,
    ListTagsOutput, ListTransformJobsRequest, ListTransformJobsResponse, MonitoringType, SageMaker,
    StartMonitoringScheduleRequest, StopMonitoringScheduleRequest, StopProcessingJobRequest, StopTransformJobRequest,
    UpdateEndpointInput, UpdateEndpointOutput, UpdateEndpointWeightsAndCapacitiesInput,
    UpdateEndpointWeightsAndCapacitiesOutput, UpdateMonitoringAlertRequest, UpdateMonitoringAlertResponse,
    UpdateMonitoringScheduleRequest, UpdateMonitoringScheduleResponse,
};
use watchkeeper_aws::{Call, Error};

use self::job_definitions::ListRequest;
use crate::context::Context;
use crate::control::job_definition::{self, Specification};

/// The operations of `SageMaker`'s control plane.
#[derive(Clone)]
pub struct SageMakerApi(pub Arc<Context>);

impl SageMaker for SageMakerApi {
    async fn create_processing_job(
        &self,
        call: &Call,
        input: CreateProcessingJobRequest,
    ) -> Result<CreateProcessingJobResponse, Error> {
        processing_jobs::create(&self.0, call, input).await
    }

    async fn describe_processing_job(
        &self,
        _: &Call,
        input: DescribeProcessingJobRequest,
    ) -> Result<DescribeProcessingJobResponse, Error> {
        processing_jobs::describe(&self.0, input).await
    }

    async fn stop_processing_job(&self, _: &Call, input: StopProcessingJobRequest) -> Result<(), Error> {
        processing_jobs::stop(&self.0, input).await
    }

    async fn delete_processing_job(&self, _: &Call, input: DeleteProcessingJobRequest) -> Result<(), Error> {
        processing_jobs::delete(&self.0, input).await
    }

    async fn list_processing_jobs(
        &self,
        _: &Call,
        input: ListProcessingJobsRequest,
    ) -> Result<ListProcessingJobsResponse, Error> {
        processing_jobs::list_jobs(&self.0, input).await
    }

    async fn create_transform_job(
        &self,
        call: &Call,
        input: CreateTransformJobRequest,
    ) -> Result<CreateTransformJobResponse, Error> {
        transform_jobs::create(&self.0, call, input).await
    }

    async fn describe_transform_job(
        &self,
        _: &Call,
        input: DescribeTransformJobRequest,
    ) -> Result<DescribeTransformJobResponse, Error> {
        transform_jobs::describe(&self.0, input).await
    }

    async fn stop_transform_job(&self, _: &Call, input: StopTransformJobRequest) -> Result<(), Error> {
        transform_jobs::stop(&self.0, input).await
    }

    async fn list_transform_jobs(
        &self,
        _: &Call,
        input: ListTransformJobsRequest,
    ) -> Result<ListTransformJobsResponse, Error> {
        transform_jobs::list_jobs(&self.0, input).await
    }

    async fn create_monitoring_schedule(
        &self,
        call: &Call,
        input: CreateMonitoringScheduleRequest,
    ) -> Result<CreateMonitoringScheduleResponse, Error> {
        schedules::create(&self.0, call, input).await
    }

    async fn update_monitoring_schedule(
        &self,
        call: &Call,
        input: UpdateMonitoringScheduleRequest,
    ) -> Result<UpdateMonitoringScheduleResponse, Error> {
        schedules::update(&self.0, call, input).await
    }

    async fn describe_monitoring_schedule(
        &self,
        call: &Call,
        input: DescribeMonitoringScheduleRequest,
    ) -> Result<DescribeMonitoringScheduleResponse, Error> {
        schedules::describe(&self.0, call, &input.monitoring_schedule_name).await
    }

    async fn start_monitoring_schedule(&self, call: &Call, input: StartMonitoringScheduleRequest) -> Result<(), Error> {
        schedules::start(&self.0, call, &input.monitoring_schedule_name).await
    }

    async fn stop_monitoring_schedule(&self, call: &Call, input: StopMonitoringScheduleRequest) -> Result<(), Error> {
        schedules::stop(&self.0, call, &input.monitoring_schedule_name).await
    }

    async fn delete_monitoring_schedule(
        &self,
        call: &Call,
        input: DeleteMonitoringScheduleRequest,
    ) -> Result<(), Error> {
        schedules::delete(&self.0, call, &input.monitoring_schedule_name).await
    }

    async fn list_monitoring_schedules(
        &self,
        _: &Call,
        input: ListMonitoringSchedulesRequest,
    ) -> Result<ListMonitoringSchedulesResponse, Error> {
        schedules::list_schedules(&self.0, input).await
    }

    async fn list_monitoring_executions(
        &self,
        _: &Call,
        input: ListMonitoringExecutionsRequest,
    ) -> Result<ListMonitoringExecutionsResponse, Error> {
        executions::list_executions(&self.0, input).await
    }

    async fn list_tags(&self, _: &Call, input: ListTagsInput) -> Result<ListTagsOutput, Error> {
        tags::list(&self.0, input).await
    }

    async fn add_tags(&self, _: &Call, input: AddTagsInput) -> Result<AddTagsOutput, Error> {
        tags::add(&self.0, input).await
    }

    async fn delete_tags(&self, _: &Call, input: DeleteTagsInput) -> Result<DeleteTagsOutput, Error> {
        tags::delete(&self.0, input).await
    }

    async fn create_model(&self, call: &Call, input: CreateModelInput) -> Result<CreateModelOutput, Error> {
        models::create(&self.0, call, input).await
    }

    async fn describe_model(&self, call: &Call, input: DescribeModelInput) -> Result<DescribeModelOutput, Error> {
        models::describe(&self.0, call, input).await
    }

    async fn delete_model(&self, call: &Call, input: DeleteModelInput) -> Result<(), Error> {
        models::delete(&self.0, call, input).await
    }

    async fn list_models(&self, _: &Call, input: ListModelsInput) -> Result<ListModelsOutput, Error> {
        models::list_models(&self.0, input).await
    }

    async fn create_endpoint_config(
        &self,
        call: &Call,
        input: CreateEndpointConfigInput,
    ) -> Result<CreateEndpointConfigOutput, Error> {
        endpoint_configs::create(&self.0, call, input).await
    }

    async fn describe_endpoint_config(
        &self,
        call: &Call,
        input: DescribeEndpointConfigInput,
    ) -> Result<DescribeEndpointConfigOutput, Error> {
        endpoint_configs::describe(&self.0, call, input).await
    }

    async fn delete_endpoint_config(&self, call: &Call, input: DeleteEndpointConfigInput) -> Result<(), Error> {
        endpoint_configs::delete(&self.0, call, input).await
    }

    async fn list_endpoint_configs(
        &self,
        _: &Call,
        input: ListEndpointConfigsInput,
    ) -> Result<ListEndpointConfigsOutput, Error> {
        endpoint_configs::list_configs(&self.0, input).await
    }

    async fn create_endpoint(&self, call: &Call, input: CreateEndpointInput) -> Result<CreateEndpointOutput, Error> {
        endpoints::create(&self.0, call, input).await
    }

    async fn describe_endpoint(
        &self,
        call: &Call,
        input: DescribeEndpointInput,
    ) -> Result<DescribeEndpointOutput, Error> {
        endpoints::describe(&self.0, call, input).await
    }

    async fn update_endpoint(&self, call: &Call, input: UpdateEndpointInput) -> Result<UpdateEndpointOutput, Error> {
        endpoints::update(&self.0, call, input).await
    }

    async fn update_endpoint_weights_and_capacities(
        &self,
        call: &Call,
        input: UpdateEndpointWeightsAndCapacitiesInput,
    ) -> Result<UpdateEndpointWeightsAndCapacitiesOutput, Error> {
        endpoints::update_weights(&self.0, call, input).await
    }

    async fn delete_endpoint(&self, call: &Call, input: DeleteEndpointInput) -> Result<(), Error> {
        endpoints::delete(&self.0, call, input).await
    }

    async fn list_endpoints(&self, _: &Call, input: ListEndpointsInput) -> Result<ListEndpointsOutput, Error> {
        endpoints::list_endpoints(&self.0, input).await
    }

    async fn list_monitoring_alerts(
        &self,
        call: &Call,
        input: ListMonitoringAlertsRequest,
    ) -> Result<ListMonitoringAlertsResponse, Error> {
        alerts::list_alerts(&self.0, call, input).await
    }

    async fn update_monitoring_alert(
        &self,
        call: &Call,
        input: UpdateMonitoringAlertRequest,
    ) -> Result<UpdateMonitoringAlertResponse, Error> {
        alerts::update(&self.0, call, input).await
    }

    async fn list_monitoring_alert_history(
        &self,
        call: &Call,
        input: ListMonitoringAlertHistoryRequest,
    ) -> Result<ListMonitoringAlertHistoryResponse, Error> {
        alerts::list_history(&self.0, call, input).await
    }

    async fn create_data_quality_job_definition(
        &self,
        call: &Call,
        input: CreateDataQualityJobDefinitionRequest,
    ) -> Result<CreateDataQualityJobDefinitionResponse, Error> {
        let job_definition_arn = job_definitions::create(&self.0, call, Specification::DataQuality(input)).await?;
        Ok(CreateDataQualityJobDefinitionResponse { job_definition_arn })
    }

    async fn describe_data_quality_job_definition(
        &self,
        call: &Call,
        input: DescribeDataQualityJobDefinitionRequest,
    ) -> Result<DescribeDataQualityJobDefinitionResponse, Error> {
        let (kind, name) = (MonitoringType::DataQuality, &input.job_definition_name);
        job_definitions::describe(&self.0, call, kind, name, job_definition::describe_data_quality).await
    }

    async fn delete_data_quality_job_definition(
        &self,
        call: &Call,
        input: DeleteDataQualityJobDefinitionRequest,
    ) -> Result<(), Error> {
        job_definitions::delete(&self.0, call, MonitoringType::DataQuality, &input.job_definition_name).await
    }

    async fn list_data_quality_job_definitions(
        &self,
        _: &Call,
        input: ListDataQualityJobDefinitionsRequest,
    ) -> Result<ListDataQualityJobDefinitionsResponse, Error> {
        let request = ListRequest {
            operation: "ListDataQualityJobDefinitions",
            kind: MonitoringType::DataQuality,
            endpoint_name: input.endpoint_name,
            name_contains: input.name_contains,
            sort_by: input.sort_by,
            sort_order: input.sort_order,
            created: (input.creation_time_after, input.creation_time_before),
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (job_definition_summaries, next_token) = job_definitions::list_definitions(&self.0, request).await?;
        Ok(ListDataQualityJobDefinitionsResponse { job_definition_summaries, next_token })
    }

    async fn create_model_quality_job_definition(
        &self,
        call: &Call,
        input: CreateModelQualityJobDefinitionRequest,
    ) -> Result<CreateModelQualityJobDefinitionResponse, Error> {
        let job_definition_arn = job_definitions::create(&self.0, call, Specification::ModelQuality(input)).await?;
        Ok(CreateModelQualityJobDefinitionResponse { job_definition_arn })
    }

    async fn describe_model_quality_job_definition(
        &self,
        call: &Call,
        input: DescribeModelQualityJobDefinitionRequest,
    ) -> Result<DescribeModelQualityJobDefinitionResponse, Error> {
        let (kind, name) = (MonitoringType::ModelQuality, &input.job_definition_name);
        job_definitions::describe(&self.0, call, kind, name, job_definition::describe_model_quality).await
    }

    async fn delete_model_quality_job_definition(
        &self,
        call: &Call,
        input: DeleteModelQualityJobDefinitionRequest,
    ) -> Result<(), Error> {
        job_definitions::delete(&self.0, call, MonitoringType::ModelQuality, &input.job_definition_name).await
    }

    async fn list_model_quality_job_definitions(
        &self,
        _: &Call,
        input: ListModelQualityJobDefinitionsRequest,
    ) -> Result<ListModelQualityJobDefinitionsResponse, Error> {
        let request = ListRequest {
            operation: "ListModelQualityJobDefinitions",
            kind: MonitoringType::ModelQuality,
            endpoint_name: input.endpoint_name,
            name_contains: input.name_contains,
            sort_by: input.sort_by,
            sort_order: input.sort_order,
            created: (input.creation_time_after, input.creation_time_before),
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (job_definition_summaries, next_token) = job_definitions::list_definitions(&self.0, request).await?;
        Ok(ListModelQualityJobDefinitionsResponse { job_definition_summaries, next_token })
    }

    async fn create_model_bias_job_definition(
        &self,
        call: &Call,
        input: CreateModelBiasJobDefinitionRequest,
    ) -> Result<CreateModelBiasJobDefinitionResponse, Error> {
        let job_definition_arn = job_definitions::create(&self.0, call, Specification::ModelBias(input)).await?;
        Ok(CreateModelBiasJobDefinitionResponse { job_definition_arn })
    }

    async fn describe_model_bias_job_definition(
        &self,
        call: &Call,
        input: DescribeModelBiasJobDefinitionRequest,
    ) -> Result<DescribeModelBiasJobDefinitionResponse, Error> {
        let (kind, name) = (MonitoringType::ModelBias, &input.job_definition_name);
        job_definitions::describe(&self.0, call, kind, name, job_definition::describe_model_bias).await
    }

    async fn delete_model_bias_job_definition(
        &self,
        call: &Call,
        input: DeleteModelBiasJobDefinitionRequest,
    ) -> Result<(), Error> {
        job_definitions::delete(&self.0, call, MonitoringType::ModelBias, &input.job_definition_name).await
    }

    async fn list_model_bias_job_definitions(
        &self,
        _: &Call,
        input: ListModelBiasJobDefinitionsRequest,
    ) -> Result<ListModelBiasJobDefinitionsResponse, Error> {
        let request = ListRequest {
            operation: "ListModelBiasJobDefinitions",
            kind: MonitoringType::ModelBias,
            endpoint_name: input.endpoint_name,
            name_contains: input.name_contains,
            sort_by: input.sort_by,
            sort_order: input.sort_order,
            created: (input.creation_time_after, input.creation_time_before),
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (job_definition_summaries, next_token) = job_definitions::list_definitions(&self.0, request).await?;
        Ok(ListModelBiasJobDefinitionsResponse { job_definition_summaries, next_token })
    }

    async fn create_model_explainability_job_definition(
        &self,
        call: &Call,
        input: CreateModelExplainabilityJobDefinitionRequest,
    ) -> Result<CreateModelExplainabilityJobDefinitionResponse, Error> {
        let job_definition_arn =
            job_definitions::create(&self.0, call, Specification::ModelExplainability(input)).await?;
        Ok(CreateModelExplainabilityJobDefinitionResponse { job_definition_arn })
    }

    async fn describe_model_explainability_job_definition(
        &self,
        call: &Call,
        input: DescribeModelExplainabilityJobDefinitionRequest,
    ) -> Result<DescribeModelExplainabilityJobDefinitionResponse, Error> {
        let (kind, name) = (MonitoringType::ModelExplainability, &input.job_definition_name);
        job_definitions::describe(&self.0, call, kind, name, job_definition::describe_model_explainability).await
    }

    async fn delete_model_explainability_job_definition(
        &self,
        call: &Call,
        input: DeleteModelExplainabilityJobDefinitionRequest,
    ) -> Result<(), Error> {
        job_definitions::delete(&self.0, call, MonitoringType::ModelExplainability, &input.job_definition_name).await
    }

    async fn list_model_explainability_job_definitions(
        &self,
        _: &Call,
        input: ListModelExplainabilityJobDefinitionsRequest,
    ) -> Result<ListModelExplainabilityJobDefinitionsResponse, Error> {
        let request = ListRequest {
            operation: "ListModelExplainabilityJobDefinitions",
            kind: MonitoringType::ModelExplainability,
            endpoint_name: input.endpoint_name,
            name_contains: input.name_contains,
            sort_by: input.sort_by,
            sort_order: input.sort_order,
            created: (input.creation_time_after, input.creation_time_before),
            next_token: input.next_token,
            max_results: input.max_results,
        };
        let (job_definition_summaries, next_token) = job_definitions::list_definitions(&self.0, request).await?;
        Ok(ListModelExplainabilityJobDefinitionsResponse { job_definition_summaries, next_token })
    }
}
