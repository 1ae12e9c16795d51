//! Analyses by SageMaker Clarify: what is refused before anything is sent, and what the monitors keep. That the requests are
//! those of Python is in the test of recorded requests.

use std::future::IntoFuture;
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper::clarify::{
    AsymmetricShapleyValueConfig, BiasConfig, DataConfig, DatasetType, ExplainabilityConfigs, ExplanationDirection,
    ExplanationGranularity, ImageConfig, ModelConfig, ModelPredictedLabelConfig, PDPConfig, PostTrainingMethod,
    PreTrainingMethod, SHAPConfig, SageMakerClarifyProcessor, SegmentationConfig, TextConfig, TimeSeriesBaseline,
    TimeSeriesDataConfig, TimeSeriesModelConfig,
};
use watchkeeper::model_monitor::{
    BatchTransformInput, BiasAnalysisConfig, ExplainabilityAnalysisConfig, ModelBiasMonitor,
    ModelExplainabilityMonitor, MonitoringDatasetFormat,
};
use watchkeeper::processing::{ProcessingJob, Wait};
use watchkeeper::{Error, Result, S3Uri};

use crate::stub::{Answer, Request, Stub};

const ROLE: &str = "arn:aws:iam::123456789012:role/monitoring";

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

fn data() -> DataConfig {
    DataConfig::new(uri("s3://data/train.csv"), uri("s3://data/results")).label("label").headers(["label", "age"])
}

fn bias() -> BiasConfig {
    BiasConfig::new([1], "age").facet_values_or_threshold([40])
}

fn model() -> ModelConfig {
    ModelConfig::new("churn-model", 1, "ml.c5.xlarge")
}

/// A SageMaker and an S3 that do whatever they are told; processing jobs never end, and schedules are never `Pending`.
fn services(definition: Value) -> Stub {
    Stub::start(move |request| match request.operation().as_str() {
        "CreateProcessingJob" => {
            Answer::json(&json!({"ProcessingJobArn": "arn:aws:sagemaker:eu-central-1:1:processing-job/j"}))
        }
        "DescribeProcessingJob" => {
            let name = request.json()["ProcessingJobName"].clone();
            Answer::json(&json!({
                "ProcessingJobName": name, "ProcessingJobArn": "arn", "ProcessingJobStatus": "InProgress",
                "CreationTime": 1.0, "RoleArn": ROLE, "AppSpecification": {"ImageUri": "image"},
                "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "t", "VolumeSizeInGB": 1}},
            }))
        }
        "DescribeMonitoringSchedule" => Answer::json(&json!({
            "MonitoringScheduleArn": "arn:aws:sagemaker:eu-central-1:1:monitoring-schedule/nightly",
            "MonitoringScheduleName": "nightly", "MonitoringScheduleStatus": "Scheduled",
            "MonitoringScheduleConfig": {
                "MonitoringJobDefinitionName": "in-use",
                "MonitoringType": if definition["ModelBiasJobInput"].is_null() { "ModelExplainability" } else { "ModelBias" },
                "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            },
        })),
        "ListTags" => Answer::json(&json!({"Tags": []})),
        operation if operation.starts_with("DescribeModel") => Answer::json(&definition),
        operation if operation.starts_with("Create") => Answer::json(&json!({})),
        _ => Answer::empty().with_header("etag", "\"tag\""),
    })
}

fn bias_definition() -> Value {
    json!({
        "JobDefinitionName": "in-use",
        "ModelBiasAppSpecification": {"ImageUri": "image", "ConfigUri": "s3://data/config.json", "FutureMember": [1.5]},
        "ModelBiasJobInput": {
            "EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint"},
            "GroundTruthS3Input": {"S3Uri": "s3://data/truth"},
        },
        "ModelBiasJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {
            "S3Uri": "s3://data/found", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "Continuous",
        }}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        "RoleArn": ROLE,
    })
}

fn last_of(stub: &Stub, operation: &str) -> Request {
    stub.requests().into_iter().rfind(|request| request.operation() == operation).unwrap()
}

/// The request is an error about this argument.
async fn refused<R>(request: R, argument: &str)
where
    R: IntoFuture<Output = Result<ProcessingJob>>,
{
    match request.await {
        Err(Error::Argument { argument: refused, .. }) => assert_eq!(refused, argument),
        other => panic!("{argument}: {other:?}"),
    }
}

#[tokio::test]
async fn contradictions_in_datasets_are_refused_before_anything_is_sent() {
    let stub = services(Value::Null);
    let session = stub.session();
    let processor = SageMakerClarifyProcessor::new(&session, ROLE, 1, "ml.m5.xlarge");
    let (bias, model) = (bias(), model());
    for (argument, data) in [
        ("dataset_type", data().dataset_type("text/tsv")),
        ("predicted_label", data().dataset_type(DatasetType::Image).predicted_label(1)),
        ("excluded_columns", data().dataset_type(DatasetType::Image).excluded_columns(["age"])),
        ("facet_dataset_uri and facet_headers", data().dataset_type(DatasetType::Parquet).facet_headers(["age"])),
        (
            "predicted_label_dataset_uri and predicted_label_headers",
            data().dataset_type(DatasetType::JsonLines).predicted_label_dataset_uri(uri("s3://data/predictions")),
        ),
        ("features", data().dataset_type(DatasetType::Json)),
        ("time_series_data_config", data().time_series_data_config(TimeSeriesDataConfig::new("t", "i", "m"))),
        ("segments", data().segmentation_config([SegmentationConfig::new("age", Vec::<Vec<i32>>::new())])),
        (
            "display_aliases",
            data().segmentation_config([SegmentationConfig::new("age", [["[1, 4]"]]).display_aliases(["a", "b", "c"])]),
        ),
    ] {
        refused(processor.run_bias(&data, &bias).model_config(&model), argument).await;
    }
    let data = data();
    refused(processor.run_bias(&data, &bias), "model_config").await;
    let no_methods = processor
        .run_bias(&data, &bias)
        .model_config(&model)
        .pre_training_methods(Vec::<PreTrainingMethod>::new())
        .post_training_methods(Vec::<PostTrainingMethod>::new());
    refused(no_methods, "pre_training_methods, post_training_methods or explainability_config").await;
    assert_eq!(stub.operations(), [""; 0]);
}

#[tokio::test]
async fn contradictions_in_models_are_refused_before_anything_is_sent() {
    let stub = services(Value::Null);
    let session = stub.session();
    let processor = SageMakerClarifyProcessor::new(&session, ROLE, 1, "ml.m5.xlarge");
    let (data, bias) = (data(), bias());
    for (argument, model) in [
        ("model_name, instance_count and instance_type", ModelConfig::new("churn-model", 0, "ml.c5.xlarge")),
        ("endpoint_name", ModelConfig::endpoint("")),
        ("endpoint_name_prefix", ModelConfig::endpoint("churn").endpoint_name_prefix("shadow")),
        ("endpoint_name_prefix", model().endpoint_name_prefix("-shadow")),
        ("endpoint_name_prefix", model().endpoint_name_prefix("s")),
        ("accept_type", model().accept_type("text/html")),
        ("content_type", model().content_type("image/gif")),
        ("content_template", model().content_type("application/jsonlines")),
        ("content_template", model().content_type("application/jsonlines").content_template("$record")),
        ("content_template and record_template", model().content_type("application/json").content_template("$records")),
        (
            "content_template",
            model().content_type("application/json").content_template("$features").record_template("$features"),
        ),
        ("accept_type", model().accept_type("text/csv").time_series_model_config(TimeSeriesModelConfig::new("mean"))),
        ("content_type", model().content_type("text/csv").time_series_model_config(TimeSeriesModelConfig::new("mean"))),
    ] {
        refused(processor.run_bias(&data, &bias).model_config(&model), argument).await;
    }
    // What the pattern of Python says, which looks at the beginning alone.
    let odd = model().endpoint_name_prefix("s--h_");
    assert_eq!(odd.get_predictor_config().unwrap()["endpoint_name_prefix"], "s--h_");
    assert_eq!(stub.operations(), [""; 0]);
}

#[tokio::test]
async fn contradictions_in_methods_are_refused_before_anything_is_sent() {
    let stub = services(Value::Null);
    let session = stub.session();
    let processor = SageMakerClarifyProcessor::new(&session, ROLE, 1, "ml.m5.xlarge");
    let (data, model) = (data(), model());
    let text = || TextConfig::new("token", "de");
    let cases: Vec<(&str, ExplainabilityConfigs)> = vec![
        ("baseline", SHAPConfig::new().baseline(json!(7)).into()),
        ("baseline", SHAPConfig::new().baseline(json!([[[1]]])).into()),
        ("baseline and num_clusters", SHAPConfig::new().baseline([[1.5]]).num_clusters(2).into()),
        ("agg_method", SHAPConfig::new().agg_method("mean").into()),
        ("features_to_explain", SHAPConfig::new().features_to_explain([1]).text_config(text()).into()),
        ("granularity", SHAPConfig::new().text_config(TextConfig::new("letter", "de")).into()),
        ("language", SHAPConfig::new().text_config(TextConfig::new("token", "latin")).into()),
        ("model_type", SHAPConfig::new().image_config(ImageConfig::new("SEGMENTATION")).into()),
        (
            "segment_compactness",
            SHAPConfig::new().image_config(ImageConfig::new("OBJECT_DETECTION").segment_compactness(0.5)).into(),
        ),
        ("explainability_config", PDPConfig::new().into()),
        ("explainability_config", Vec::new().into()),
        ("explainability_config", [SHAPConfig::new().into(), SHAPConfig::new().into()].into()),
        ("explainability_config", [SHAPConfig::new().into(), AsymmetricShapleyValueConfig::new().into()].into()),
        ("data_config", AsymmetricShapleyValueConfig::new().into()),
    ];
    for (argument, methods) in cases {
        refused(processor.run_explainability(&data, &model, methods), argument).await;
    }
    assert_eq!(stub.operations(), [""; 0]);
}

#[tokio::test]
async fn contradictions_in_time_series_are_refused_before_anything_is_sent() {
    let stub = services(Value::Null);
    let session = stub.session();
    let processor = SageMakerClarifyProcessor::new(&session, ROLE, 1, "ml.m5.xlarge");
    let series = || TimeSeriesDataConfig::new("demand", "item", "time").dataset_format("columns");
    let of = |series| data().dataset_type(DatasetType::Json).time_series_data_config(series);
    let forecast = model().time_series_model_config(TimeSeriesModelConfig::new("mean"));
    let method = AsymmetricShapleyValueConfig::new;
    for (argument, data) in [
        ("item_id", of(TimeSeriesDataConfig::new("demand", 1, "time").dataset_format("columns"))),
        ("timestamp", of(TimeSeriesDataConfig::new("demand", "item", "").dataset_format("columns"))),
        ("related_time_series", of(series().related_time_series([1]))),
        ("static_covariates", of(series().static_covariates([""]))),
        ("dataset_format", of(TimeSeriesDataConfig::new("demand", "item", "time"))),
        ("dataset_format", of(TimeSeriesDataConfig::new(0, 1, 2).dataset_format("columns"))),
    ] {
        refused(processor.run_explainability(&data, &forecast, method()), argument).await;
    }
    let data = of(series().static_covariates(["shop", "size"]));
    for (argument, method) in [
        ("direction", method().direction("sideways")),
        ("granularity", method().granularity("coarse")),
        ("num_samples", method().num_samples(5)),
        ("num_samples", method().granularity(ExplanationGranularity::FineGrained)),
        (
            "direction",
            method()
                .granularity(ExplanationGranularity::FineGrained)
                .num_samples(5)
                .direction(ExplanationDirection::Bidirectional),
        ),
        ("target_time_series", method().baseline(TimeSeriesBaseline::new().target_time_series("one"))),
        ("baseline", method().baseline(TimeSeriesBaseline::new().static_covariates("item1", [1]))),
    ] {
        refused(processor.run_explainability(&data, &forecast, method), argument).await;
    }
    let without_covariates = of(series());
    let covariates = method().baseline(TimeSeriesBaseline::new().static_covariates("item1", [1]));
    refused(processor.run_explainability(&without_covariates, &forecast, covariates), "baseline").await;
    refused(processor.run_explainability(&data, &model(), method()), "model_config").await;
    refused(processor.run_explainability(&data, &forecast, SHAPConfig::new()), "explainability_config").await;
    refused(processor.run_bias_and_explainability(&data, &forecast, method(), &bias()), "bias_config").await;
    assert_eq!(stub.operations(), [""; 0]);
}

#[tokio::test]
async fn a_wait_for_a_baseline_that_is_given_up_loses_nothing() {
    let stub = services(Value::Null);
    let session = stub.builder().poll_every(Duration::from_millis(1)).build().unwrap();
    let mut monitor = ModelBiasMonitor::new(&session, ROLE);
    let (data, bias, model) = (data(), bias(), model());
    let label = ModelPredictedLabelConfig::new().probability(0).probability_threshold(0.25);
    let baseline = monitor
        .suggest_baseline(&data, &bias, &model)
        .model_predicted_label_config(&label)
        .job_name("the-baseline")
        .wait(Wait::Quietly);
    let looked_at_twice = async {
        while stub.operations().iter().filter(|operation| *operation == "DescribeProcessingJob").count() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        result = baseline.into_future() => panic!("{result:?}"),
        () = looked_at_twice => {}
    }
    assert_eq!(monitor.latest_baselining_job().unwrap().job_name(), "the-baseline");
    assert_eq!(monitor.baselining_jobs().len(), 1);

    monitor
        .create_monitoring_schedule("churn", uri("s3://data/truth"))
        .output_s3_uri(uri("s3://data/found"))
        .await
        .unwrap();
    let definition = last_of(&stub, "CreateModelBiasJobDefinition").json();
    assert_eq!(definition["ModelBiasBaselineConfig"], json!({"BaseliningJobName": "the-baseline"}));
    assert_eq!(definition["ModelBiasJobInput"]["EndpointInput"]["ProbabilityAttribute"], "0");
    assert_eq!(definition["ModelBiasJobInput"]["EndpointInput"]["ProbabilityThresholdAttribute"], 0.25);
}

#[tokio::test]
async fn scores_without_a_label_are_no_inference_attribute() {
    let stub = services(Value::Null);
    let session = stub.session();
    let mut monitor = ModelExplainabilityMonitor::new(&session, ROLE);
    let scores = ModelPredictedLabelConfig::new().label_headers(["churned"]);
    let methods = [SHAPConfig::new().into(), PDPConfig::new().into()];
    let (data, model) = (data(), model());
    monitor.suggest_baseline(&data, methods, &model).model_scores(&scores).await.unwrap();
    let output = uri("s3://data/found");
    let captured =
        BatchTransformInput::new(uri("s3://data/captured"), "/opt/ml/in", MonitoringDatasetFormat::csv(true));
    monitor.create_monitoring_schedule(captured).output_s3_uri(output).await.unwrap();

    let definition = last_of(&stub, "CreateModelExplainabilityJobDefinition").json();
    let input = definition["ModelExplainabilityJobInput"]["BatchTransformInput"].as_object().unwrap();
    assert!(!input.contains_key("InferenceAttribute"), "{input:?}");
    // Several methods, which Python starts the job with and then fails to remember.
    let address = definition["ModelExplainabilityAppSpecification"]["ConfigUri"].as_str().unwrap();
    let path = address.strip_prefix("s3:/").unwrap();
    let uploaded = stub.requests().into_iter().find(|request| request.path == path).unwrap();
    assert_eq!(
        uploaded.text(),
        concat!(
            r#"{"methods": {"shap": {"use_logit": false, "save_local_shap_values": true}, "#,
            r#""pdp": {"grid_resolution": 15, "top_k_features": 10}}, "#,
            r#""predictor": {"model_name": "churn-model", "instance_type": "ml.c5.xlarge", "initial_instance_count": 1, "#,
            r#""label_headers": ["churned"]}, "headers": ["age"]}"#,
        ),
    );
}

#[tokio::test]
async fn an_update_keeps_what_it_is_not_about() {
    let stub = services(bias_definition());
    let session = stub.session();
    let mut monitor = ModelBiasMonitor::attach(&session, "nightly").await.unwrap();
    let analysis = BiasAnalysisConfig::new(&bias()).label("label");
    monitor.update_monitoring_schedule().endpoint_input("other").analysis_config(&analysis).await.unwrap();

    let definition = last_of(&stub, "CreateModelBiasJobDefinition").json();
    assert_eq!(definition["ModelBiasJobInput"]["EndpointInput"]["EndpointName"], "other");
    assert_eq!(definition["ModelBiasJobInput"]["GroundTruthS3Input"], json!({"S3Uri": "s3://data/truth"}));
    assert_eq!(definition["ModelBiasAppSpecification"]["FutureMember"], json!([1.5]));
    let name = definition["JobDefinitionName"].as_str().unwrap();
    let address = definition["ModelBiasAppSpecification"]["ConfigUri"].as_str().unwrap();
    assert!(address.starts_with(&format!("s3://data/found/{name}/")), "{address}");
    assert!(address.ends_with("/analysis_config.json"), "{address}");
    assert_eq!(monitor.job_definition_name(), Some(name));
}

#[tokio::test]
async fn an_update_of_nothing_sends_nothing() {
    let stub = services(Value::Null);
    let session = stub.session();
    ModelBiasMonitor::new(&session, ROLE).update_monitoring_schedule().await.unwrap();
    let error = ModelExplainabilityMonitor::new(&session, ROLE).update_monitoring_schedule().await.unwrap_err();
    assert!(error.to_string().contains("Nothing to update"), "{error}");
    assert_eq!(stub.operations(), [""; 0]);
}

#[tokio::test]
async fn a_schedule_without_an_analysis_sends_nothing() {
    let stub = services(Value::Null);
    let session = stub.session();
    let mut monitor = ModelExplainabilityMonitor::new(&session, ROLE);
    let error = monitor.create_monitoring_schedule("churn").await.unwrap_err();
    assert!(error.to_string().contains("analysis_config is mandatory"), "{error}");
    let impossible = ExplainabilityAnalysisConfig::new(PDPConfig::new(), &model());
    let error = monitor.create_monitoring_schedule("churn").analysis_config(impossible).await;
    assert!(matches!(error, Err(Error::Argument { argument: "explainability_config", .. })), "{error:?}");
    assert_eq!(stub.operations(), [""; 0]);
}
