"""`ModelMonitor`: monitors with an image of their own, and schedules whose definition is embedded."""

from collections.abc import Iterator

from cases.building import (
    BATCH_INPUT,
    CONSTRAINTS,
    ENDPOINT_INPUT,
    HOURLY,
    KEY,
    MONITOR_OPTIONS,
    NOW,
    OTHER_ROLE,
    RESOURCE_OPTIONS,
    ROLE,
    STATISTICS,
    calls,
    case,
    step,
)
from cases.inputs import INPUTS
from cases.schedules import embedded
from exchanges import Json

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/own:2"
# Without an environment Python's own client refuses to create a schedule: a case of its own.
SETTINGS: Json = {"role": ROLE, "image_uri": IMAGE, "env": {"LEVEL": "info"}}
MONITOR = step("ModelMonitor", SETTINGS)
S3_INPUT = {"$ProcessingInput": {"source": "s3://data/train.csv", "destination": "/opt/ml/processing/input/data"}}
LOCAL_INPUT = {"$ProcessingInput": {"source": {"$file": "train.csv"}, "destination": "/opt/ml/processing/input/data"}}
OUTPUT = {"$ProcessingOutput": {"source": "/opt/ml/processing/output", "destination": "s3://data/baseline"}}
MONITORING_OUTPUT = {"$MonitoringOutput": {"source": "/opt/ml/processing/output", "destination": "s3://data/results"}}
RUN = {"baseline_inputs": [S3_INPUT], "output": OUTPUT}
RUN_ONLY = RUN | {"wait": False, "logs": False}
CREATE = {"endpoint_input": "churn", "output": MONITORING_OUTPUT}

INPUT_OPTIONS: dict[str, Json] = {
    "input_name": "data",
    "s3_data_type": "ManifestFile",
    "s3_input_mode": "Pipe",
    "s3_data_distribution_type": "ShardedByS3Key",
    "app_managed": True,
}
S3_OPTIONS: dict[str, Json] = {
    "s3_data_type": "ManifestFile",
    "s3_input_mode": "Pipe",
    "s3_data_distribution_type": "ShardedByS3Key",
    "s3_compression_type": "None",
}
OUTPUT_OPTIONS: dict[str, Json] = {"output_name": "baseline", "s3_upload_mode": "Continuous", "app_managed": True}


def constructor() -> list[Json]:
    options = MONITOR_OPTIONS | {"entrypoint": ["python3", "/monitor.py"]}
    made = []
    for name, arguments in calls(SETTINGS, options):
        steps = [
            step("ModelMonitor", arguments),
            step(".run_baseline", RUN_ONLY),
            step(".create_monitoring_schedule", CREATE),
        ]
        made.append(case(f"ModelMonitor{name}", steps))
    return made


def run_baseline() -> list[Json]:
    optional: dict[str, Json] = {
        "arguments": ["--strict", "yes"],
        "wait": False,
        "logs": False,
        "job_name": "baseline",
    }
    with_others: Json = {"wait": {"logs": False}}
    made = [
        case(f".run_baseline{name}", [MONITOR, step(".run_baseline", arguments)])
        for name, arguments in calls(RUN, optional, with_others=with_others)
    ]
    return made + [
        case(name, [MONITOR, step(".run_baseline", RUN_ONLY | arguments)], session=session)
        for name, arguments, session in run_baseline_variants()
    ]


def run_baseline_variants() -> Iterator[tuple[str, Json, Json]]:
    yield "a local input", {"baseline_inputs": [LOCAL_INPUT]}, None
    yield "a local input, in a bucket that the session finds", {"baseline_inputs": [LOCAL_INPUT]}, {}
    folder = {"$ProcessingInput": {"source": {"$file": "folder"}, "destination": "/opt/ml/processing/input/data"}}
    yield "a local folder", {"baseline_inputs": [folder]}, None
    prefixed = {"default_bucket": "data", "default_bucket_prefix": "team/risk"}
    yield "a local input below a prefix", {"baseline_inputs": [LOCAL_INPUT]}, prefixed
    yield "two inputs", {"baseline_inputs": [S3_INPUT, LOCAL_INPUT]}, None
    yield "an output that is a path", {"output": "/opt/ml/processing/output"}, None
    yield "an output that is a path, below a prefix", {"output": "/opt/ml/processing/output"}, prefixed
    for name, arguments in calls(S3_INPUT["$ProcessingInput"], INPUT_OPTIONS):
        yield f"ProcessingInput{name}", {"baseline_inputs": [{"$ProcessingInput": arguments}]}, None
    gzip = S3_INPUT["$ProcessingInput"] | {"s3_compression_type": "Gzip", "s3_input_mode": "Pipe"}
    yield "ProcessingInput with s3_compression_type", {"baseline_inputs": [{"$ProcessingInput": gzip}]}, None
    place = {"s3_uri": "s3://data/train.csv", "local_path": "/opt/ml/processing/input/data"}
    for name, arguments in calls(place, S3_OPTIONS):
        yield f"S3Input{name}", {"baseline_inputs": [{"$ProcessingInput": {"s3_input": {"$S3Input": arguments}}}]}, None
    store = {
        "output_name": "features",
        "feature_store_output": {"$FeatureStoreOutput": {"feature_group_name": "churn"}},
    }
    store |= OUTPUT["$ProcessingOutput"]
    yield "ProcessingOutput with feature_store_output", {"output": {"$ProcessingOutput": store}}, None
    for name, arguments in calls(OUTPUT["$ProcessingOutput"], OUTPUT_OPTIONS):
        yield f"ProcessingOutput{name}", {"output": {"$ProcessingOutput": arguments}}, None


def create_monitoring_schedule() -> list[Json]:
    optional: dict[str, Json] = {
        "statistics": STATISTICS,
        "constraints": CONSTRAINTS,
        "monitor_schedule_name": "nightly",
        "schedule_cron_expression": HOURLY,
        "arguments": ["--strict"],
        "data_analysis_start_time": "-PT2H",
        "data_analysis_end_time": "-PT1H",
    }
    made = [
        case(f".create_monitoring_schedule{name}", [MONITOR, step(".create_monitoring_schedule", arguments)])
        for name, arguments in calls(CREATE, optional)
    ]
    batch = {"batch_transform_input": BATCH_INPUT, "output": MONITORING_OUTPUT}
    once = {"schedule_cron_expression": NOW, "data_analysis_start_time": "-PT2H", "data_analysis_end_time": "-PT1H"}
    variants: dict[str, Json] = {
        "an EndpointInput": CREATE | {"endpoint_input": ENDPOINT_INPUT},
        "a batch transform input": batch,
        "once": CREATE | once,
        "once without times": CREATE | {"schedule_cron_expression": NOW},
        "an output without destination": CREATE | {"output": {"$MonitoringOutput": {"source": "/opt/output"}}},
        "an output at the end of the job": CREATE
        | {"output": {"$MonitoringOutput": MONITORING_OUTPUT["$MonitoringOutput"] | {"s3_upload_mode": "EndOfJob"}}},
        "baselines that are read before": CREATE
        | {
            "statistics": {"$Statistics.from_s3_uri": {"statistics_file_s3_uri": STATISTICS}},
            "constraints": {"$Constraints.from_s3_uri": {"constraints_file_s3_uri": CONSTRAINTS}},
        },
        "statistics that are missing": CREATE | {"statistics": "s3://data/missing.json"},
    }
    made += [case(name, [MONITOR, step(".create_monitoring_schedule", it)]) for name, it in variants.items()]
    role = step("ModelMonitor", SETTINGS | {"role": "monitoring"})
    made.append(case("a role by its name", [role, step(".create_monitoring_schedule", CREATE)]))
    bare = step("ModelMonitor", {"role": ROLE, "image_uri": IMAGE})
    made.append(case("no environment", [bare, step(".create_monitoring_schedule", CREATE)]))
    twice = [MONITOR, step(".create_monitoring_schedule", CREATE), step(".create_monitoring_schedule", CREATE)]
    made.append(case("a second schedule", twice))
    refused = {"failures": {"CreateMonitoringSchedule": [["ValidationException", "Endpoint churn not found"]]}}
    made.append(case("a schedule that is refused, then another", twice, given=refused))
    after_baseline = [
        MONITOR,
        step(".run_baseline", RUN_ONLY | {"arguments": ["--strict"]}),
        step(".create_monitoring_schedule", CREATE),
    ]
    made.append(case("arguments of the baseline", after_baseline))
    return made


def update_monitoring_schedule() -> list[Json]:
    made = []
    optional: dict[str, Json] = RESOURCE_OPTIONS | {
        "endpoint_input": ENDPOINT_INPUT,
        "batch_transform_input": BATCH_INPUT,
        "output": {"$MonitoringOutput": {"source": "/opt/output", "destination": "s3://data/other"}},
        "statistics": STATISTICS,
        "constraints": CONSTRAINTS,
        "schedule_cron_expression": HOURLY,
        "entrypoint": ["python3", "/other.py"],
        "arguments": ["--lenient"],
        "role": OTHER_ROLE,
        "image_uri": IMAGE,
        "data_analysis_start_time": "-PT4H",
        "data_analysis_end_time": "-PT3H",
    }
    exclusive = [{"endpoint_input", "batch_transform_input"}]
    for full in (False, True):
        form = "full" if full else "bare"
        for name, arguments in calls({}, optional, exclusive=exclusive):
            steps = [
                step("ModelMonitor.attach", {"monitor_schedule_name": "nightly"}),
                step(".update_monitoring_schedule", arguments),
            ]
            made.append(case(f".update_monitoring_schedule{name}, {form}", steps, given=embedded(full=full)))
    attach = step("ModelMonitor.attach", {"monitor_schedule_name": "nightly"})
    variants: dict[str, Json] = {
        "both inputs": {"endpoint_input": "churn", "batch_transform_input": BATCH_INPUT},
        "an endpoint by its name": {"endpoint_input": "other"},
        "once without times": {"schedule_cron_expression": NOW},
        "a role by its name": {"role": "other"},
        "a key with an output": {"output": MONITORING_OUTPUT, "output_kms_key": KEY},
    }
    for name, arguments in variants.items():
        steps = [attach, step(".update_monitoring_schedule", arguments)]
        made.append(case(name, steps, given=embedded(full=True)))
    both = embedded(full=True)
    definition = both["schedules"]["nightly"]["MonitoringJobDefinition"]
    definition["BaselineConfig"]["ConstraintsResource"] = {"S3Uri": CONSTRAINTS}
    steps = [attach, step(".update_monitoring_schedule", {"instance_count": 2})]
    made.append(case("statistics and constraints that are there", steps, given=both))
    pending = embedded(full=True) | {"schedule_statuses": {"nightly": ["Scheduled", "Scheduled"]}}
    refused = pending | {"failures": {"UpdateMonitoringSchedule": [["ValidationException", "Role is wrong"]]}}
    made.append(case("an update that is refused", steps, given=refused))
    created = [
        MONITOR,
        step(".create_monitoring_schedule", CREATE | {"schedule_cron_expression": HOURLY}),
        step(".update_monitoring_schedule", {"env": {"LEVEL": "debug"}, "max_runtime_in_seconds": 600}),
        step(".start_monitoring_schedule"),
        step(".stop_monitoring_schedule"),
        step(".describe_schedule"),
        step(".delete_monitoring_schedule"),
        step(".create_monitoring_schedule", CREATE),
    ]
    made.append(case("a schedule through its life", created))
    return made


def attach() -> list[Json]:
    made = []
    for full in (False, True):
        steps = [
            step("ModelMonitor.attach", {"monitor_schedule_name": "nightly"}),
            step(".run_baseline", RUN_ONLY),
            step(".stop_monitoring_schedule"),
            step(".delete_monitoring_schedule"),
        ]
        made.append(case("full" if full else "bare", steps, given=embedded(full=full)))
    missing = [step("ModelMonitor.attach", {"monitor_schedule_name": "weekly"})]
    made.append(case("no such schedule", missing))
    return made


def inputs() -> list[Json]:
    made = []
    for name, given in INPUTS.items():
        arguments = given | {"output": MONITORING_OUTPUT}
        made.append(case(name, [MONITOR, step(".create_monitoring_schedule", arguments)]))
    return made


SUITES = {
    "model_monitor.constructor": constructor,
    "model_monitor.run_baseline": run_baseline,
    "model_monitor.create_monitoring_schedule": create_monitoring_schedule,
    "model_monitor.update_monitoring_schedule": update_monitoring_schedule,
    "model_monitor.attach": attach,
    "model_monitor.inputs": inputs,
}
