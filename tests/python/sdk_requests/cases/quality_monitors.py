"""`DefaultModelMonitor` and `ModelQualityMonitor`."""

from collections.abc import Iterator

from cases.building import (
    BATCH_INPUT,
    CONSTRAINTS,
    ENDPOINT_INPUT,
    HOURLY,
    MONITOR_OPTIONS,
    NOW,
    OTHER_CONSTRAINTS,
    OTHER_ROLE,
    RESOURCE_OPTIONS,
    ROLE,
    STATISTICS,
    calls,
    case,
    step,
)
from cases.inputs import INPUTS
from cases.monitors import attachments, monitor, suites_of, whole_life
from cases.schedules import IMAGES, embedded, scheduled
from exchanges import Json

CSV = {"$DatasetFormat.csv": {"header": True}}
DATASET = "s3://data/train.csv"
SUGGEST: dict[str, Json] = {
    "DefaultModelMonitor": {"baseline_dataset": DATASET, "dataset_format": CSV},
    "ModelQualityMonitor": {
        "baseline_dataset": DATASET,
        "dataset_format": CSV,
        "problem_type": "BinaryClassification",
    },
}
NOT_WAITED = {"wait": False, "logs": False}
CREATE: dict[str, Json] = {
    "DefaultModelMonitor": {"endpoint_input": "churn"},
    "ModelQualityMonitor": {
        "endpoint_input": "churn",
        "ground_truth_input": "s3://data/labels",
        "problem_type": "BinaryClassification",
    },
}
KINDS = {"DefaultModelMonitor": "DataQuality", "ModelQualityMonitor": "ModelQuality"}
PREFIXED = {"default_bucket": "data", "default_bucket_prefix": "team/risk"}
LOCAL_SCRIPT = {"$file": "preprocess.py"}
OTHER_LOCAL_SCRIPT = {"$file": "postprocess.py"}
ONCE = {"schedule_cron_expression": NOW, "data_analysis_start_time": "-PT2H", "data_analysis_end_time": "-PT1H"}


def constructor(name: str) -> list[Json]:
    made = []
    for variant, arguments in calls({"role": ROLE}, MONITOR_OPTIONS):
        steps = [
            step(name, arguments),
            step(".suggest_baseline", SUGGEST[name] | NOT_WAITED),
            step(".create_monitoring_schedule", CREATE[name]),
        ]
        made.append(case(f"{name}{variant}", steps))
    long_name = step(
        name, {"role": ROLE, "base_job_name": "a-name-that-is-much-too-long-for-what-is-to-follow-it-here"}
    )
    created = step(".create_monitoring_schedule", CREATE[name])
    made.append(case("a long name", [long_name, created]))
    by_name = step(name, {"role": "monitoring"})
    made.append(case("a role by its name", [by_name, step(".suggest_baseline", SUGGEST[name] | NOT_WAITED), created]))
    return made


def network_configs() -> list[Json]:
    options: dict[str, Json] = {
        "enable_network_isolation": True,
        "encrypt_inter_container_traffic": False,
        "security_group_ids": ["sg-1"],
        "subnets": ["subnet-1", "subnet-2"],
    }
    made = []
    # Neither of the two alone is a private network: botocore refuses it.
    both = {name: options[name] for name in ("security_group_ids", "subnets")}
    private: Json = dict.fromkeys(both, both)
    for variant, arguments in calls({}, options, with_others=private):
        network = {"$NetworkConfig": arguments}
        steps = [
            step("DefaultModelMonitor", {"role": ROLE, "network_config": network}),
            step(".suggest_baseline", SUGGEST["DefaultModelMonitor"] | NOT_WAITED),
            step(".create_monitoring_schedule", CREATE["DefaultModelMonitor"]),
        ]
        made.append(case(f"NetworkConfig{variant}", steps))
    return made


def suggest_baseline(name: str) -> list[Json]:
    optional: dict[str, Json] = {
        "post_analytics_processor_script": "s3://data/scripts/postprocess.py",
        "output_s3_uri": "s3://data/baseline",
        "job_name": "baseline",
    }
    with_others: Json = {}
    if name == "DefaultModelMonitor":
        override = {"$DataQualityDistributionConstraints": {"categorical_drift_method": "ChiSquared"}}
        optional |= {
            "record_preprocessor_script": "s3://data/scripts/preprocess.py",
            "wait": False,
            "logs": False,
            "monitoring_config_override": {"$DataQualityMonitoringConfig": {"distribution_constraints": override}},
        }
        with_others = {"wait": {"logs": False}}
    else:
        optional |= {
            "inference_attribute": "prediction",
            "probability_attribute": "probability",
            "ground_truth_attribute": "label",
            "probability_threshold_attribute": "0.6",
            "wait": True,
            "logs": True,
        }
        with_others = {"logs": {"wait": True}}
    made = [
        case(f".suggest_baseline{variant}", [monitor(name), step(".suggest_baseline", arguments)])
        for variant, arguments in calls(SUGGEST[name], optional, with_others=with_others)
    ]
    variants: dict[str, tuple[Json, Json]] = {
        "local files": ({"baseline_dataset": {"$file": "train.csv"}}, None),
        "local files in a bucket that the session finds": ({"baseline_dataset": {"$file": "train.csv"}}, {}),
        "a local folder": ({"baseline_dataset": {"$file": "folder"}}, None),
        "local files below a prefix": (
            {"baseline_dataset": {"$file": "train.csv"}, "post_analytics_processor_script": OTHER_LOCAL_SCRIPT},
            PREFIXED,
        ),
        "csv with the label last": (
            {"dataset_format": {"$DatasetFormat.csv": {"header": False, "output_columns_position": "END"}}},
            None,
        ),
        "csv as it is": ({"dataset_format": {"$DatasetFormat.csv": {}}}, None),
        "json lines": ({"dataset_format": {"$DatasetFormat.json": {}}}, None),
        "json": ({"dataset_format": {"$DatasetFormat.json": {"lines": False}}}, None),
        "captured requests": ({"dataset_format": {"$DatasetFormat.sagemaker_capture_json": {}}}, None),
    }
    if name == "DefaultModelMonitor":
        scripts = {"record_preprocessor_script": LOCAL_SCRIPT, "post_analytics_processor_script": OTHER_LOCAL_SCRIPT}
        variants["local scripts"] = (scripts, None)
        variants["an override that overrides nothing"] = (
            {"monitoring_config_override": {"$DataQualityMonitoringConfig": {}}},
            None,
        )
        nothing = {"distribution_constraints": {"$DataQualityDistributionConstraints": {}}}
        variants["constraints of distributions that say nothing"] = (
            {"monitoring_config_override": {"$DataQualityMonitoringConfig": nothing}},
            None,
        )
    else:
        for problem in ("MulticlassClassification", "Regression"):
            variants[problem] = ({"problem_type": problem}, None)
    for variant, (arguments, session) in variants.items():
        arguments = SUGGEST[name] | NOT_WAITED | arguments
        made.append(case(variant, [monitor(name), step(".suggest_baseline", arguments)], session=session))
    return made + [
        case(variant, [monitor(name), step(".suggest_baseline", arguments)], given=given)
        for variant, arguments, given in endings(SUGGEST[name] | {"job_name": "baseline"})
    ]


def endings(arguments: Json) -> Iterator[tuple[str, Json, Json]]:
    """How a job may end while it is waited for, with and without its log."""
    log = {"baseline": ["reading", "done"]}
    for logs in (True, False):
        way = "with its log" if logs else "quietly"
        for ending in ("Completed", "Failed", "Stopped"):
            given = {"statuses": {"baseline": ["InProgress", "InProgress", ending]}, "log_lines": log}
            yield f"waited for {way}: {ending}", arguments | {"wait": True, "logs": logs}, given
    ended = {"statuses": {"baseline": ["Completed"]}, "log_lines": log}
    yield "done at once, with its log", arguments | {"wait": True, "logs": True}, ended
    refused = {"failures": {"CreateProcessingJob": [["ResourceInUse", "Job name must be unique"]]}}
    yield "a job that is refused", arguments | {"wait": True, "logs": True}, refused


def create_monitoring_schedule(name: str) -> list[Json]:
    optional: dict[str, Json] = {
        "record_preprocessor_script": "s3://data/scripts/preprocess.py",
        "post_analytics_processor_script": "s3://data/scripts/postprocess.py",
        "output_s3_uri": "s3://data/results",
        "constraints": CONSTRAINTS,
        "monitor_schedule_name": "nightly",
        "schedule_cron_expression": HOURLY,
        "enable_cloudwatch_metrics": False,
        "data_analysis_start_time": "-PT2H",
        "data_analysis_end_time": "-PT1H",
    }
    if name == "DefaultModelMonitor":
        optional["statistics"] = STATISTICS
    create = CREATE[name]
    made = [
        case(f".create_monitoring_schedule{variant}", [monitor(name), step(".create_monitoring_schedule", arguments)])
        for variant, arguments in calls(create, optional)
    ]
    local = {"record_preprocessor_script": LOCAL_SCRIPT, "post_analytics_processor_script": OTHER_LOCAL_SCRIPT}
    batch = {key: value for key, value in create.items() if key != "endpoint_input"}
    batch |= {"batch_transform_input": BATCH_INPUT}
    read_before = {"constraints": {"$Constraints.from_s3_uri": {"constraints_file_s3_uri": CONSTRAINTS}}}
    variants: dict[str, Json] = {
        "an EndpointInput": create | {"endpoint_input": ENDPOINT_INPUT},
        "a batch transform input": batch,
        "once": create | ONCE,
        "once without times": create | {"schedule_cron_expression": NOW},
        "local scripts": create | local,
        "local scripts for a schedule with a name": create | local | {"monitor_schedule_name": "nightly"},
        "constraints that are read before": create | read_before,
        "constraints that are missing": create | {"constraints": "s3://data/missing.json"},
        "every day at three": create | {"schedule_cron_expression": {"$CronExpressionGenerator.daily": {"hour": 3}}},
        "every day": create | {"schedule_cron_expression": {"$CronExpressionGenerator.daily": {}}},
        "every six hours": create
        | {
            "schedule_cron_expression": {
                "$CronExpressionGenerator.daily_every_x_hours": {"hour_interval": 6, "starting_hour": 17}
            }
        },
        "every eight hours": create
        | {"schedule_cron_expression": {"$CronExpressionGenerator.daily_every_x_hours": {"hour_interval": 8}}},
    }
    made += [case(it, [monitor(name), step(".create_monitoring_schedule", them)]) for it, them in variants.items()]
    created = step(".create_monitoring_schedule", create)
    made.append(case("in a bucket that the session finds", [monitor(name), created], session={}))
    made.append(case("below a prefix", [monitor(name), created], session=PREFIXED))
    suggested = step(".suggest_baseline", SUGGEST[name] | NOT_WAITED)
    made.append(case("after a baseline", [monitor(name), suggested, created]))
    given_constraints = step(".create_monitoring_schedule", create | {"constraints": OTHER_CONSTRAINTS})
    made.append(case("after a baseline, with constraints", [monitor(name), suggested, given_constraints]))
    made.append(case("a second schedule", [monitor(name), created, created]))
    return made + refusals(name, created)


def refusals(name: str, created: Json) -> list[Json]:
    """What is undone when a part of creating a schedule is refused, and whether one may try again."""
    kind = KINDS[name]
    refused = [["ValidationException", "Endpoint churn not found"]]
    steps = [monitor(name), created, created]
    failures: dict[str, Json] = {
        "a definition that is refused, then another": {f"Create{kind}JobDefinition": refused},
        "a schedule that is refused, then another": {"CreateMonitoringSchedule": refused},
    }
    stays = {
        "CreateMonitoringSchedule": refused,
        f"Delete{kind}JobDefinition": [["ThrottledOut", "not now"]],
    }
    return [
        *(case(it, steps, given={"failures": failure}) for it, failure in failures.items()),
        case("a schedule that is refused, and a definition that stays", steps[:2], given={"failures": stays}),
    ]


def update_options(name: str) -> Json:
    optional: dict[str, Json] = RESOURCE_OPTIONS | {
        "endpoint_input": ENDPOINT_INPUT,
        "batch_transform_input": BATCH_INPUT,
        "record_preprocessor_script": "s3://data/scripts/other.py",
        "post_analytics_processor_script": "s3://data/scripts/another.py",
        "output_s3_uri": "s3://data/other",
        "constraints": OTHER_CONSTRAINTS,
        "schedule_cron_expression": HOURLY,
        "enable_cloudwatch_metrics": False,
        "role": OTHER_ROLE,
        "data_analysis_start_time": "-PT4H",
        "data_analysis_end_time": "-PT3H",
    }
    if name == "DefaultModelMonitor":
        return optional | {"statistics": STATISTICS}
    return optional | {"ground_truth_input": "s3://data/other-labels", "problem_type": "Regression"}


def update_monitoring_schedule(name: str) -> list[Json]:
    kind = KINDS[name]
    made = []
    attached = step(f"{name}.attach", {"monitor_schedule_name": "nightly"})
    exclusive = [{"endpoint_input", "batch_transform_input"}]
    for full in (False, True):
        form = "full" if full else "bare"
        options = update_options(name)
        # An input replaces the ground truth as well, which Python's own client then misses.
        truth = {key: options[key] for key in ("ground_truth_input",) if key in options}
        with_truth = {"endpoint_input": truth, "batch_transform_input": truth}
        for variant, arguments in calls({}, options, with_others=with_truth, exclusive=exclusive):
            steps = [attached, step(".update_monitoring_schedule", arguments)]
            given = scheduled(kind, full=full)
            made.append(case(f".update_monitoring_schedule{variant}, {form}", steps, given=given))
    variants: dict[str, Json] = {
        "both inputs": {"endpoint_input": "churn", "batch_transform_input": BATCH_INPUT},
        "an endpoint by its name": {"endpoint_input": "other"},
        "a role by its name": {"role": "other"},
        "once": ONCE,
        "once without times": {"schedule_cron_expression": NOW},
        "local scripts": {
            "record_preprocessor_script": LOCAL_SCRIPT,
            "post_analytics_processor_script": OTHER_LOCAL_SCRIPT,
        },
        "metrics": {"enable_cloudwatch_metrics": True},
        "an environment and metrics": {"env": {"LEVEL": "debug"}, "enable_cloudwatch_metrics": True},
        "constraints that are missing": {"constraints": "s3://data/missing.json"},
    }
    for variant, arguments in variants.items():
        steps = [attached, step(".update_monitoring_schedule", arguments)]
        made.append(case(variant, steps, given=scheduled(kind, full=True)))
    twice = [
        attached,
        step(".update_monitoring_schedule", {"instance_count": 2}),
        step(".update_monitoring_schedule", {"instance_type": "ml.m5.4xlarge"}),
        step(".delete_monitoring_schedule"),
    ]
    made.append(case("two updates, then gone", twice, given=scheduled(kind, full=True)))
    refused = {"failures": {"UpdateMonitoringSchedule": [["ValidationException", "Role is wrong"]]}}
    steps = [attached, *[step(".update_monitoring_schedule", {"instance_count": 2})] * 2]
    made.append(case("an update that is refused, then another", steps, given=scheduled(kind, full=True) | refused))
    nothing = [monitor(name), step(".update_monitoring_schedule", {"schedule_cron_expression": HOURLY})]
    if name == "ModelQualityMonitor":
        made.append(case("no schedule", nothing))
    return made


def update_of_embedded_schedule() -> list[Json]:
    """A `DefaultModelMonitor` attached to a schedule of the older form."""
    made = []
    attached = step("DefaultModelMonitor.attach", {"monitor_schedule_name": "nightly"})
    exclusive = [{"endpoint_input", "batch_transform_input"}]
    for full in (False, True):
        form = "full" if full else "bare"
        for variant, arguments in calls({}, update_options("DefaultModelMonitor"), exclusive=exclusive):
            steps = [attached, step(".update_monitoring_schedule", arguments)]
            given = embedded(full=full, image=IMAGES["DataQuality"])
            made.append(case(f".update_monitoring_schedule{variant}, {form}", steps, given=given))
    both = {"record_preprocessor_script": LOCAL_SCRIPT, "post_analytics_processor_script": OTHER_LOCAL_SCRIPT}
    steps = [attached, step(".update_monitoring_schedule", both), step(".delete_monitoring_schedule")]
    made.append(case("local scripts, then gone", steps, given=embedded(full=True, image=IMAGES["DataQuality"])))
    return made


def attach(name: str) -> list[Json]:
    suggested = step(".suggest_baseline", SUGGEST[name] | NOT_WAITED)
    other_kind = "ModelQuality" if name == "DefaultModelMonitor" else "DataQuality"
    made = attachments(name, KINDS[name], other_kind, suggested)
    if name == "DefaultModelMonitor":
        attached = step(f"{name}.attach", {"monitor_schedule_name": "nightly"})
        for full in (False, True):
            given = embedded(full=full, image=IMAGES["DataQuality"])
            made.append(case(f"embedded, {'full' if full else 'bare'}", [attached, suggested], given=given))
    return made


def life(name: str) -> list[Json]:
    steps = whole_life(name, CREATE[name])
    refused = {"failures": {"DeleteMonitoringSchedule": [["ValidationException", "an execution runs"]]}}
    again = [monitor(name), steps[1], step(".delete_monitoring_schedule"), step(".delete_monitoring_schedule")]
    return [
        case("a schedule through its life", steps),
        case("a deletion that is refused, then another", again, given=refused),
    ]


def inputs() -> list[Json]:
    created = [(variant, step(".create_monitoring_schedule", given)) for variant, given in INPUTS.items()]
    return [case(variant, [monitor("DefaultModelMonitor"), create]) for variant, create in created]


FUNCTIONS = (constructor, suggest_baseline, create_monitoring_schedule, update_monitoring_schedule, attach, life)
SUITES = (
    suites_of("DefaultModelMonitor", "default_model_monitor", FUNCTIONS)
    | suites_of("ModelQualityMonitor", "model_quality_monitor", FUNCTIONS)
    | {
        "default_model_monitor.update_of_embedded_schedule": update_of_embedded_schedule,
        "default_model_monitor.inputs": inputs,
        "network_config": network_configs,
    }
)
