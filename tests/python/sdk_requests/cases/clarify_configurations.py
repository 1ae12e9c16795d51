"""`SageMakerClarifyProcessor`, and what it is told, class by class: what counts is its `analysis_config.json`."""

from cases.building import KEY, MONITOR_OPTIONS, ROLE, calls, case, step
from cases.clarify_values import (
    ASYMMETRIC_CONFIGS,
    BIAS_CONFIG,
    BIAS_CONFIGS,
    DATA,
    DATA_CONFIG,
    DATA_CONFIGS,
    EXPLAINABILITY_CONFIGS,
    FORECAST,
    LABEL_CONFIG,
    LABEL_CONFIGS,
    MODEL_CONFIG,
    MODEL_CONFIGS,
    SERIES,
    SERIES_CONFIGS,
    SHAP_CONFIG,
    forecast_data,
)
from exchanges import Json

RUNS_ON = {"role": ROLE, "instance_count": 1, "instance_type": "ml.m5.xlarge"}
PROCESSOR = step("SageMakerClarifyProcessor", RUNS_ON)
QUIETLY = {"wait": False, "logs": False}
BIAS_RUN: Json = {"data_config": DATA_CONFIG, "bias_config": BIAS_CONFIG, "model_config": MODEL_CONFIG}
EXPLAINABILITY_RUN: Json = {
    "data_config": DATA_CONFIG,
    "model_config": MODEL_CONFIG,
    "explainability_config": SHAP_CONFIG,
}
# Predictions that are there need no model.
PREDICTED = {"$DataConfig": DATA | {"predicted_label": "prediction"}}
RUN_OPTIONS: Json = {"wait": False, "logs": False, "job_name": "analysis", "kms_key": KEY}
EXPERIMENT = {"ExperimentName": "churn", "TrialName": "first", "TrialComponentDisplayName": "bias"}


def constructor() -> list[Json]:
    options = {name: value for name, value in MONITOR_OPTIONS.items() if name not in ("base_job_name", *RUNS_ON)}
    options |= {"job_name_prefix": "nightly", "version": "1.0", "skip_early_validation": True}
    return [
        case(
            f"SageMakerClarifyProcessor{variant}",
            [step("SageMakerClarifyProcessor", arguments), step(".run_bias", BIAS_RUN | QUIETLY)],
        )
        for variant, arguments in calls(RUNS_ON, options)
    ]


def runs() -> list[Json]:
    methods: dict[str, tuple[Json, Json]] = {
        ".run_pre_training_bias": (
            {"data_config": DATA_CONFIG, "data_bias_config": BIAS_CONFIG},
            {"methods": ["CI", "DPL"]},
        ),
        ".run_post_training_bias": (
            {"data_config": PREDICTED, "data_bias_config": BIAS_CONFIG},
            {
                "model_config": MODEL_CONFIG,
                "model_predicted_label_config": LABEL_CONFIG,
                "methods": ["DPPL"],
            },
        ),
        ".run_bias": (
            {"data_config": PREDICTED, "bias_config": BIAS_CONFIG},
            {
                "model_config": MODEL_CONFIG,
                "model_predicted_label_config": LABEL_CONFIG,
                "pre_training_methods": ["CI"],
                "post_training_methods": ["DPPL", "DI"],
            },
        ),
        ".run_explainability": (EXPLAINABILITY_RUN, {"model_scores": LABEL_CONFIG}),
        ".run_bias_and_explainability": (
            EXPLAINABILITY_RUN | {"bias_config": BIAS_CONFIG},
            {
                "pre_training_methods": ["CI"],
                "post_training_methods": ["DPPL"],
                "model_predicted_label_config": LABEL_CONFIG,
            },
        ),
    }
    made = []
    for method, (required, optional) in methods.items():
        optional = optional | RUN_OPTIONS | {"experiment_config": EXPERIMENT}
        for variant, arguments in calls(required, optional, with_others={"wait": {"logs": False}}):
            made.append(case(f"{method[1:]}{variant}", [PROCESSOR, step(method, arguments)]))
    neither = step(".run_bias", {"data_config": DATA_CONFIG, "bias_config": BIAS_CONFIG})
    made.append(case("run_bias with neither a model nor predictions", [PROCESSOR, neither]))
    for name, scores in {"an index": 0, "a name": "prediction"}.items():
        arguments = EXPLAINABILITY_RUN | QUIETLY | {"model_scores": scores}
        made.append(
            case(f"run_explainability with {name} for scores", [PROCESSOR, step(".run_explainability", arguments)])
        )
    return made


def configurations() -> list[Json]:
    made = []
    for name, value in DATA_CONFIGS.items():
        made.append(case(name, [PROCESSOR, step(".run_bias", BIAS_RUN | QUIETLY | {"data_config": value})]))
    for name, value in BIAS_CONFIGS.items():
        made.append(case(name, [PROCESSOR, step(".run_bias", BIAS_RUN | QUIETLY | {"bias_config": value})]))
    for name, value in MODEL_CONFIGS.items():
        made.append(case(name, [PROCESSOR, step(".run_bias", BIAS_RUN | QUIETLY | {"model_config": value})]))
    for name, value in LABEL_CONFIGS.items():
        arguments = BIAS_RUN | QUIETLY | {"model_predicted_label_config": value}
        made.append(case(name, [PROCESSOR, step(".run_bias", arguments)]))
    for name, value in EXPLAINABILITY_CONFIGS.items():
        arguments = EXPLAINABILITY_RUN | QUIETLY | {"explainability_config": value}
        made.append(case(name, [PROCESSOR, step(".run_explainability", arguments)]))
    return made


def forecasts() -> list[Json]:
    bare = {"$AsymmetricShapleyValueConfig": {}}
    run: Json = {
        "data_config": forecast_data(SERIES),
        "model_config": FORECAST,
        "explainability_config": bare,
    } | QUIETLY
    made = []
    for name, value in SERIES_CONFIGS.items():
        made.append(case(name, [PROCESSOR, step(".run_explainability", run | {"data_config": value})]))
    for name, value in ASYMMETRIC_CONFIGS.items():
        arguments = run | {"explainability_config": value}
        made.append(case(name, [PROCESSOR, step(".run_explainability", arguments)]))
    wrong: dict[str, Json] = {
        "a forecast without data of its kind": {"data_config": {"$DataConfig": DATA}},
        "a forecast without a model of its kind": {"model_config": MODEL_CONFIG},
        "a forecast with another method": {"explainability_config": SHAP_CONFIG},
    }
    return made + [case(name, [PROCESSOR, step(".run_explainability", run | it)]) for name, it in wrong.items()]


SUITES = {
    "clarify_processor.constructor": constructor,
    "clarify_processor.runs": runs,
    "clarify_processor.configurations": configurations,
    "clarify_processor.forecasts": forecasts,
}
