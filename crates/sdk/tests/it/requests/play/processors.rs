//! `SageMakerClarifyProcessor`.

use watchkeeper::clarify::SageMakerClarifyProcessor;

use super::Played;
use crate::requests::values::{
    Arguments, Values, bias_config, but, experiment_config, explainability_configs, label_config, methods,
    model_config, model_scores, network_config, number, pairs, set, tags, text, wait,
};

pub fn made(arguments: &Arguments, values: &Values) -> SageMakerClarifyProcessor {
    let mut made = SageMakerClarifyProcessor::new(
        &values.session,
        text(&arguments["role"]),
        number(&arguments["instance_count"]),
        text(&arguments["instance_type"]),
    );
    // Of the last two there is one image, and one way to check.
    let said = ["role", "instance_count", "instance_type", "version", "skip_early_validation"];
    set!(made, but(arguments, &said), value => {
        volume_size_in_gb: number(value),
        volume_kms_key: text(value),
        output_kms_key: text(value),
        max_runtime_in_seconds: number(value),
        env: pairs(value),
        tags: tags(value),
        network_config: network_config(value),
        job_name_prefix: text(value),
    });
    made
}

/// An analysis with its setters, and those that all of them have.
macro_rules! run {
    ($request:expr, $arguments:ident but $said:expr, $value:ident => { $($setter:ident: $converted:expr,)* }) => {{
        let mut request = $request;
        if let Some(wait) = wait($arguments, (true, true)) {
            request = request.wait(wait);
        }
        set!(request, but($arguments, &$said).filter(|(name, _)| !["wait", "logs"].contains(&name.as_str())), $value => {
            job_name: text($value),
            kms_key: text($value),
            experiment_config: experiment_config($value),
            $($setter: $converted,)*
        });
        request.await.map(drop)
    }};
}

pub async fn run(processor: &SageMakerClarifyProcessor, name: &str, arguments: &Arguments, values: &Values) -> Played {
    let data = &values.data_config(&arguments["data_config"]);
    let bias = arguments.get("bias_config").or_else(|| arguments.get("data_bias_config")).map(bias_config);
    let model = arguments.get("model_config").map(model_config);
    let label = arguments.get("model_predicted_label_config").map(label_config);
    let explained = arguments.get("explainability_config").map(explainability_configs);
    let (bias, model, label) = (bias.as_ref(), model.as_ref(), label.as_ref());
    match name {
        "run_pre_training_bias" => run!(
            processor.run_pre_training_bias(data, bias.unwrap()),
            arguments but ["data_config", "data_bias_config"],
            value => { methods: methods(value), }
        ),
        "run_post_training_bias" => run!(
            processor.run_post_training_bias(data, bias.unwrap()),
            arguments but ["data_config", "data_bias_config"],
            value => {
                model_config: model.unwrap(),
                model_predicted_label_config: label.unwrap(),
                methods: methods(value),
            }
        ),
        "run_bias" => run!(
            processor.run_bias(data, bias.unwrap()),
            arguments but ["data_config", "bias_config"],
            value => {
                model_config: model.unwrap(),
                model_predicted_label_config: label.unwrap(),
                pre_training_methods: methods(value),
                post_training_methods: methods(value),
            }
        ),
        "run_explainability" => run!(
            processor.run_explainability(data, model.unwrap(), explained.unwrap()),
            arguments but ["data_config", "model_config", "explainability_config"],
            value => { model_scores: model_scores(value), }
        ),
        "run_bias_and_explainability" => run!(
            processor.run_bias_and_explainability(data, model.unwrap(), explained.unwrap(), bias.unwrap()),
            arguments but ["data_config", "model_config", "explainability_config", "bias_config"],
            value => {
                model_predicted_label_config: label.unwrap(),
                pre_training_methods: methods(value),
                post_training_methods: methods(value),
            }
        ),
        other => panic!("no method {other}"),
    }
}
