//! AWS's notebooks of Clarify's own jobs, without a monitor, held to what AWS's analyzer said.

use watchkeeper::Session;
use watchkeeper::clarify::{
    AggregationMethod, BiasConfig, ModelPredictedLabelConfig, SHAPConfig, SageMakerClarifyProcessor,
};
use watchkeeper::processing::Wait;

use super::census::Census;
use super::goldens;
use super::model_bias::is_same;
use super::site::ROLE;

/// Bias before and after training, and attributions, in one job.
pub(crate) async fn is_told(session: &Session) {
    let census = Census::deploy(session, "census-clarify").await;
    let processor = SageMakerClarifyProcessor::new(session, ROLE, 1, "ml.m5.xlarge").max_runtime_in_seconds(1800);
    let bias = BiasConfig::new([1], "Sex").facet_values_or_threshold([0]).group_name("Age");
    let (data, model) = (census.data_config().await, census.model_config());
    let label = ModelPredictedLabelConfig::new().probability_threshold(census.threshold);
    let config = goldens::json("explainability/adult-linear-shap-baseline/analysis_config.json");
    let shap = SHAPConfig::new()
        .baseline(serde_json::json!([config["methods"]["shap"]["baseline"][0]["features"]]))
        .num_samples(100)
        .agg_method(AggregationMethod::MeanAbs)
        .save_local_shap_values(false);
    let job = processor
        .run_bias_and_explainability(&data, &model, shap, &bias)
        .model_predicted_label_config(&label)
        .wait(Wait::Quietly)
        .await
        .unwrap();
    assert!(job.job_name().starts_with("Clarify-Bias-And-Explainability-"), "{}", job.job_name());
    let analysis = census.site.analysis(&job.outputs()[0].s3_uri().unwrap().to_string()).await;
    let expected = goldens::json("bias/adult-linear-baseline/expected_analysis.json");
    for section in ["post_training_bias_metrics", "pre_training_bias_metrics"] {
        is_same(&analysis[section], &expected[section]);
    }
    let exact = goldens::json("explainability/adult-linear-shap-baseline/exact_global.json");
    let shap = analysis["explanations"]["kernel_shap"].as_object().unwrap().values().next().unwrap();
    for (feature, exact) in exact["global_shap_values"].as_object().unwrap() {
        let found = shap["global_shap_values"][feature].as_f64().unwrap();
        assert!((found - exact.as_f64().unwrap()).abs() < 0.002, "{feature}: {found} {exact}");
    }
    census.end().await;
}
