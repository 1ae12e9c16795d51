"""`ModelBiasMonitor` and `ModelExplainabilityMonitor`."""

from cases.building import (
    BATCH_INPUT,
    CONSTRAINTS,
    ENDPOINT_INPUT,
    HOURLY,
    KEY,
    MONITOR_OPTIONS,
    NOW,
    OTHER_CONSTRAINTS,
    OTHER_ROLE,
    RESOURCE_OPTIONS,
    ROLE,
    calls,
    case,
    step,
)
from cases.clarify_values import (
    BIAS_CONFIG,
    DATA,
    DATA_CONFIG,
    HEADERS,
    LABEL_CONFIG,
    LABEL_CONFIGS,
    MODEL_CONFIG,
    SHAP_CONFIG,
)
from cases.monitors import attachments, monitor, suites_of, whole_life
from cases.quality_monitors import ONCE, PREFIXED, endings
from cases.schedules import scheduled
from exchanges import Json

KINDS = {"ModelBiasMonitor": "ModelBias", "ModelExplainabilityMonitor": "ModelExplainability"}
SUGGEST: dict[str, Json] = {
    "ModelBiasMonitor": {"data_config": DATA_CONFIG, "bias_config": BIAS_CONFIG, "model_config": MODEL_CONFIG},
    "ModelExplainabilityMonitor": {
        "data_config": DATA_CONFIG,
        "explainability_config": SHAP_CONFIG,
        "model_config": MODEL_CONFIG,
    },
}
CONFIG = "s3://data/analysis_config.json"
BIAS_ANALYSIS = {"$BiasAnalysisConfig": {"bias_config": BIAS_CONFIG, "headers": HEADERS, "label": "label"}}
EXPLAINABILITY_ANALYSIS = {
    "$ExplainabilityAnalysisConfig": {
        "explainability_config": SHAP_CONFIG,
        "model_config": MODEL_CONFIG,
        "headers": HEADERS,
        "label_headers": ["churned"],
    }
}
ANALYSES = {"ModelBiasMonitor": BIAS_ANALYSIS, "ModelExplainabilityMonitor": EXPLAINABILITY_ANALYSIS}
CREATE: dict[str, Json] = {
    "ModelBiasMonitor": {
        "endpoint_input": "churn",
        "ground_truth_input": "s3://data/labels",
        "analysis_config": CONFIG,
    },
    "ModelExplainabilityMonitor": {"endpoint_input": "churn", "analysis_config": CONFIG},
}


def without(arguments: Json, *names: str) -> Json:
    return {name: value for name, value in arguments.items() if name not in names}


def constructor(name: str) -> list[Json]:
    made = []
    for variant, arguments in calls({"role": ROLE}, MONITOR_OPTIONS):
        steps = [
            step(name, arguments),
            step(".suggest_baseline", SUGGEST[name]),
            step(".create_monitoring_schedule", without(CREATE[name], "analysis_config")),
        ]
        made.append(case(f"{name}{variant}", steps))
    by_name = [
        step(name, {"role": "monitoring"}),
        step(".suggest_baseline", SUGGEST[name]),
        step(".create_monitoring_schedule", CREATE[name]),
    ]
    made.append(case("a role by its name", by_name))
    return made


def suggest_baseline(name: str) -> list[Json]:
    optional: dict[str, Json] = {"wait": True, "logs": True, "job_name": "baseline", "kms_key": KEY}
    if name == "ModelBiasMonitor":
        optional["model_predicted_label_config"] = LABEL_CONFIG
    else:
        optional["model_scores"] = LABEL_CONFIG
    made = [
        case(f".suggest_baseline{variant}", [monitor(name), step(".suggest_baseline", arguments)])
        for variant, arguments in calls(SUGGEST[name], optional, with_others={"logs": {"wait": True}})
    ]
    local = {"$DataConfig": DATA_CONFIG["$DataConfig"] | {"s3_data_input_path": {"$file": "train.csv"}}}
    locally = step(".suggest_baseline", SUGGEST[name] | {"data_config": local})
    made.append(case("a local dataset", [monitor(name), locally]))
    made.append(case("a local dataset in a bucket that the session finds", [monitor(name), locally], session={}))
    made.append(case("a local dataset below a prefix", [monitor(name), locally], session=PREFIXED))
    if name == "ModelExplainabilityMonitor":
        methods = [SHAP_CONFIG, {"$PDPConfig": {"features": ["age"]}}]
        several = step(".suggest_baseline", SUGGEST[name] | {"explainability_config": methods})
        made.append(case("several methods", [monitor(name), several]))
    return made + [
        case(variant, [monitor(name), step(".suggest_baseline", arguments)], given=given)
        for variant, arguments, given in endings(SUGGEST[name] | {"job_name": "baseline"})
    ]


def create_monitoring_schedule(name: str) -> list[Json]:
    optional: dict[str, Json] = {
        "output_s3_uri": "s3://data/results",
        "constraints": CONSTRAINTS,
        "monitor_schedule_name": "nightly",
        "schedule_cron_expression": HOURLY,
        "enable_cloudwatch_metrics": False,
        "data_analysis_start_time": "-PT2H",
        "data_analysis_end_time": "-PT1H",
    }
    create = CREATE[name]
    made = [
        case(f".create_monitoring_schedule{variant}", [monitor(name), step(".create_monitoring_schedule", arguments)])
        for variant, arguments in calls(create, optional)
    ]
    read_before = {"constraints": {"$Constraints.from_s3_uri": {"constraints_file_s3_uri": CONSTRAINTS}}}
    variants: dict[str, Json] = {
        "an EndpointInput": create | {"endpoint_input": ENDPOINT_INPUT},
        "a batch transform input": without(create, "endpoint_input") | {"batch_transform_input": BATCH_INPUT},
        "once": create | ONCE,
        "once without times": create | {"schedule_cron_expression": NOW},
        "a config object": create | {"analysis_config": ANALYSES[name]},
        "a config object, and an output": create
        | {"analysis_config": ANALYSES[name], "output_s3_uri": "s3://data/results"},
        "neither a config nor a baseline": without(create, "analysis_config"),
        "constraints that are read before": create | read_before,
        "constraints that are missing": create | {"constraints": "s3://data/missing.json"},
    }
    made += [case(it, [monitor(name), step(".create_monitoring_schedule", them)]) for it, them in variants.items()]
    with_object = step(".create_monitoring_schedule", create | {"analysis_config": ANALYSES[name]})
    encrypted = step(name, {"role": ROLE, "output_kms_key": KEY})
    made.append(case("a config object that is encrypted", [encrypted, with_object]))
    made.append(case("a config object in a bucket that the session finds", [monitor(name), with_object], session={}))
    made.append(case("a config object below a prefix", [monitor(name), with_object], session=PREFIXED))
    created = step(".create_monitoring_schedule", create)
    made.append(case("a second schedule", [monitor(name), created, created]))
    return made + analysis_configs(name) + after_baselines(name) + refusals(name, created)


def analysis_configs(name: str) -> list[Json]:
    """The objects that may be given for `analysis_config`, with every parameter unset, alone and with the others."""
    if name == "ModelBiasMonitor":
        required, optional = {"bias_config": BIAS_CONFIG}, {"headers": HEADERS, "label": "label"}
    else:
        required = {"explainability_config": SHAP_CONFIG, "model_config": MODEL_CONFIG}
        optional = {"headers": HEADERS, "label_headers": ["churned"]}
    class_name = next(iter(ANALYSES[name]))
    return [
        case(
            f"{class_name[1:]}{variant}",
            [
                monitor(name),
                step(".create_monitoring_schedule", CREATE[name] | {"analysis_config": {class_name: arguments}}),
            ],
        )
        for variant, arguments in calls(required, optional)
    ]


def after_baselines(name: str) -> list[Json]:
    """What a schedule takes over from the baseline before it."""
    made = []
    create = without(CREATE[name], "analysis_config")
    batch = without(create, "endpoint_input") | {"batch_transform_input": BATCH_INPUT}
    parameter = "model_predicted_label_config" if name == "ModelBiasMonitor" else "model_scores"
    features = {"$DataConfig": DATA | {"features": "features", "label": "label", "headers": HEADERS}}
    bare = {"$DataConfig": DATA}
    own = {
        "$EndpointInput": ENDPOINT_INPUT["$EndpointInput"]
        | {
            "features_attribute": "own",
            "inference_attribute": "own",
            "probability_attribute": "own",
            "probability_threshold_attribute": 0.1,
        }
    }
    baselines: dict[str, Json] = {
        "a baseline": {},
        "a baseline without headers": {"data_config": bare},
        "a baseline with features": {"data_config": features},
        "a baseline with scores": {parameter: LABEL_CONFIG},
    } | {f"a baseline, {it}": {parameter: config} for it, config in LABEL_CONFIGS.items()}
    if name == "ModelExplainabilityMonitor":
        baselines |= {"a baseline with an index": {parameter: 1}, "a baseline with a name": {parameter: "prediction"}}
    for variant, arguments in baselines.items():
        steps = [
            monitor(name),
            step(".suggest_baseline", SUGGEST[name] | arguments),
            step(".create_monitoring_schedule", create),
        ]
        made.append(case(f"after {variant}", steps))
    everything = SUGGEST[name] | {"data_config": features, parameter: LABEL_CONFIG}
    schedules: dict[str, Json] = {
        "a batch transform input": batch,
        "attributes of its own": create | {"endpoint_input": own},
        "constraints": create | {"constraints": OTHER_CONSTRAINTS},
        "a config of its own": CREATE[name],
    }
    for variant, arguments in schedules.items():
        steps = [
            monitor(name),
            step(".suggest_baseline", everything),
            step(".create_monitoring_schedule", arguments),
            step(".update_monitoring_schedule", {"instance_count": 2}),
        ]
        made.append(case(f"after a baseline, with {variant}", steps))
    return made


def refusals(name: str, created: Json) -> list[Json]:
    kind = KINDS[name]
    refused = [["ValidationException", "Endpoint churn not found"]]
    failures: dict[str, Json] = {
        "a definition that is refused, then another": {f"Create{kind}JobDefinition": refused},
        "a schedule that is refused, then another": {"CreateMonitoringSchedule": refused},
    }
    steps = [monitor(name), created, created]
    stays = {
        "CreateMonitoringSchedule": refused,
        f"Delete{kind}JobDefinition": [["ThrottledOut", "not now"]],
    }
    return [
        *(case(it, steps, given={"failures": failure}) for it, failure in failures.items()),
        case("a schedule that is refused, and a definition that stays", steps[:2], given={"failures": stays}),
    ]


def update_monitoring_schedule(name: str) -> list[Json]:
    kind = KINDS[name]
    optional: dict[str, Json] = RESOURCE_OPTIONS | {
        "endpoint_input": ENDPOINT_INPUT,
        "batch_transform_input": BATCH_INPUT,
        "analysis_config": "s3://data/other_config.json",
        "output_s3_uri": "s3://data/other",
        "constraints": OTHER_CONSTRAINTS,
        "schedule_cron_expression": HOURLY,
        "enable_cloudwatch_metrics": False,
        "role": OTHER_ROLE,
        "data_analysis_start_time": "-PT4H",
        "data_analysis_end_time": "-PT3H",
    }
    if name == "ModelBiasMonitor":
        optional["ground_truth_input"] = "s3://data/other-labels"
    attached = step(f"{name}.attach", {"monitor_schedule_name": "nightly"})
    made = []
    for full in (False, True):
        form = "full" if full else "bare"
        exclusive = [{"endpoint_input", "batch_transform_input"}]
        # An input replaces the ground truth as well, which Python's own client then misses.
        truth = {key: optional[key] for key in ("ground_truth_input",) if key in optional}
        with_truth = {"endpoint_input": truth, "batch_transform_input": truth}
        for variant, arguments in calls({}, optional, with_others=with_truth, exclusive=exclusive):
            steps = [attached, step(".update_monitoring_schedule", arguments)]
            given = scheduled(kind, full=full)
            made.append(case(f".update_monitoring_schedule{variant}, {form}", steps, given=given))
    variants: dict[str, Json] = {
        "both inputs": {"endpoint_input": "churn", "batch_transform_input": BATCH_INPUT},
        "an endpoint by its name": {"endpoint_input": "other"},
        "a role by its name": {"role": "other"},
        "once": ONCE,
        "once without times": {"schedule_cron_expression": NOW},
        "a config object and an output": {"analysis_config": ANALYSES[name], "output_s3_uri": "s3://data/other"},
        "a config object alone": {"analysis_config": ANALYSES[name]},
        "an environment and metrics": {"env": {"LEVEL": "debug"}, "enable_cloudwatch_metrics": True},
    }
    for variant, arguments in variants.items():
        steps = [attached, step(".update_monitoring_schedule", arguments)]
        made.append(case(variant, steps, given=scheduled(kind, full=True)))
    refused = {"failures": {"UpdateMonitoringSchedule": [["ValidationException", "Role is wrong"]]}}
    steps = [attached, *[step(".update_monitoring_schedule", {"instance_count": 2})] * 2]
    made.append(case("an update that is refused, then another", steps, given=scheduled(kind, full=True) | refused))
    made.append(
        case("no schedule", [monitor(name), step(".update_monitoring_schedule", {"schedule_cron_expression": HOURLY})])
    )
    return made


def attach(name: str) -> list[Json]:
    return attachments(name, KINDS[name], "DataQuality", step(".suggest_baseline", SUGGEST[name]))


def life(name: str) -> list[Json]:
    return [case("a schedule through its life", whole_life(name, CREATE[name]))]


FUNCTIONS = (constructor, suggest_baseline, create_monitoring_schedule, update_monitoring_schedule, attach, life)
SUITES = suites_of("ModelBiasMonitor", "model_bias_monitor", FUNCTIONS) | suites_of(
    "ModelExplainabilityMonitor", "model_explainability_monitor", FUNCTIONS
)
