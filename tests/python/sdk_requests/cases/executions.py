"""What monitors say about baselines and executions: all of the shared methods, for all of the monitors."""

from cases import clarify_monitors, own_images, quality_monitors
from cases.building import KEY, ROLE, STATISTICS_TEXT, calls, case, execution, job, step
from cases.schedules import embedded, scheduled
from exchanges import Json

KINDS = quality_monitors.KINDS | clarify_monitors.KINDS
VIOLATIONS = (
    '{"violations": [{"feature_name": "age", "constraint_check_type": "data_type_check", '
    '"description": "not integral"}]}'
)
CONSTRAINTS = '{"version": 0.0, "features": []}'
ANALYSIS = '{"version": "1.0", "pre_training_bias_metrics": {"label": "label", "facets": {}}}'
RESULTS = "s3://data/results/first"
RESULT_OBJECTS = {
    f"{RESULTS}/statistics.json": STATISTICS_TEXT,
    f"{RESULTS}/constraint_violations.json": VIOLATIONS,
    f"{RESULTS}/own.json": STATISTICS_TEXT,
    f"{RESULTS}/own_violations.json": VIOLATIONS,
}
SUGGEST = {
    "ModelMonitor": step(".run_baseline", own_images.RUN_ONLY | {"job_name": "baseline"}),
} | {
    name: step(".suggest_baseline", suggest | {"job_name": "baseline"} | quality_monitors.NOT_WAITED)
    for name, suggest in (quality_monitors.SUGGEST | clarify_monitors.SUGGEST).items()
}
MONITORS = {"ModelMonitor": own_images.MONITOR} | {name: step(name, {"role": ROLE}) for name in KINDS}
NAMES = tuple(MONITORS)


def there(name: str, **more: Json) -> Json:
    """A schedule `nightly` that a monitor of this class attaches to: two executions ran, one did not."""
    did_not_run = {key: value for key, value in execution("none", 2).items() if key != "ProcessingJobArn"}
    given = embedded(full=False) if name == "ModelMonitor" else scheduled(KINDS[name], full=False)
    jobs = {"first": job("first", RESULTS), "second": job("second", "s3://data/results/second")}
    given |= {"executions": {"nightly": [execution("first", 0), execution("second", 1), did_not_run]}, "jobs": jobs}
    given["objects"] = given["objects"] | RESULT_OBJECTS
    given["log_lines"] = {"first": ["reading", "done"]}
    return given | more


def attached(name: str) -> Json:
    return step(f"{name}.attach", {"monitor_schedule_name": "nightly"})


def plain_methods() -> list[Json]:
    made = []
    for name in NAMES:
        for method in (".describe_schedule", ".list_executions", ".latest_monitoring_constraint_violations"):
            made.append(case(f"{name}{method}", [attached(name), step(method)], given=there(name)))
        for method in (".start_monitoring_schedule", ".stop_monitoring_schedule", ".delete_monitoring_schedule"):
            made.append(case(f"{name}{method}", [attached(name), step(method)], given=there(name)))
        none = there(name, executions={"nightly": []})
        for method in (".list_executions", ".latest_monitoring_constraint_violations", ".get_latest_execution_logs"):
            made.append(case(f"{name}{method}, none", [attached(name), step(method)], given=none))
        if name not in clarify_monitors.KINDS:
            made.append(
                case(
                    f"{name}.latest_monitoring_statistics",
                    [attached(name), step(".latest_monitoring_statistics")],
                    given=there(name),
                )
            )
            made.append(
                case(
                    f"{name}.latest_monitoring_statistics, none",
                    [attached(name), step(".latest_monitoring_statistics")],
                    given=none,
                )
            )
    named = {
        "latest_monitoring_statistics": "own.json",
        "latest_monitoring_constraint_violations": "own_violations.json",
    }
    for name in NAMES:
        for method, file_name in named.items():
            if name == "DefaultModelMonitor" or (name in clarify_monitors.KINDS and "statistics" in method):
                continue
            steps = [attached(name), step(f".{method}", {"file_name": file_name})]
            made.append(case(f"{name}.{method} with file_name", steps, given=there(name)))
    return made


def files_that_are_missing() -> list[Json]:
    made = []
    for name in NAMES:
        for status in ("Completed", "Failed", "InProgress"):
            given = there(name, statuses={"first": [status]})
            given["objects"] = {}
            steps = [attached(name), step(".latest_monitoring_constraint_violations")]
            made.append(case(f"{name}.latest_monitoring_constraint_violations, {status}", steps, given=given))
            if name not in clarify_monitors.KINDS:
                steps = [attached(name), step(".latest_monitoring_statistics")]
                made.append(case(f"{name}.latest_monitoring_statistics, {status}", steps, given=given))
    return made


def logs() -> list[Json]:
    made = []
    for name in NAMES:
        for variant, arguments in calls({}, {"wait": True}):
            given = there(name, statuses={"first": ["InProgress", "Completed"]})
            steps = [attached(name), step(".get_latest_execution_logs", arguments)]
            made.append(case(f"{name}.get_latest_execution_logs{variant}", steps, given=given))
    ended = there("DefaultModelMonitor")
    steps = [attached("DefaultModelMonitor"), step(".get_latest_execution_logs")]
    made.append(case("of an execution that ended", steps, given=ended))
    did_not_run = {key: value for key, value in execution("none").items() if key != "ProcessingJobArn"}
    given = there("DefaultModelMonitor", executions={"nightly": [did_not_run]})
    made.append(case("of an execution that did not run", steps, given=given))
    return made


def baselines() -> list[Json]:
    """The files of a baseline through the monitor and through the job."""
    made = []
    for name in NAMES:
        output = "s3://data/clarify" if name in clarify_monitors.KINDS else "s3://data/baseline"
        suggest = SUGGEST[name]
        if name in quality_monitors.KINDS:
            suggest = step(".suggest_baseline", suggest["arguments"] | {"output_s3_uri": output})
        objects = {
            f"{output}/statistics.json": STATISTICS_TEXT,
            f"{output}/constraints.json": CONSTRAINTS,
            f"{output}/own.json": CONSTRAINTS,
            f"{output}/analysis.json": ANALYSIS,
        }
        begun = [MONITORS[name], suggest]
        there_is = {"objects": objects}
        methods = [".describe_latest_baselining_job", ".suggested_constraints"]
        if name not in clarify_monitors.KINDS:
            methods.append(".baseline_statistics")
        for method in methods:
            made.append(case(f"{name}{method}", [*begun, step(method)], given=there_is))
            made.append(case(f"{name}{method}, without a baseline", [MONITORS[name], step(method)]))
            if method == ".describe_latest_baselining_job":
                continue
            for status in ("InProgress", "Failed", "Completed"):
                given = {"objects": {}, "statuses": {"baseline": [status]}}
                made.append(case(f"{name}{method}, {status}", [*begun, step(method)], given=given))
            if name not in clarify_monitors.KINDS:
                named = step(method, {"file_name": "own.json"})
                made.append(case(f"{name}{method} with file_name", [*begun, named], given=there_is))
    return made + files_of_baselining_jobs()


def files_of_baselining_jobs() -> list[Json]:
    made = []
    objects = {
        "s3://data/baseline/statistics.json": STATISTICS_TEXT,
        "s3://data/baseline/constraints.json": CONSTRAINTS,
    }
    begun = [MONITORS["ModelMonitor"], SUGGEST["ModelMonitor"], step(".latest_baselining_job")]
    for method, file_name in {
        "baseline_statistics": "statistics.json",
        "suggested_constraints": "constraints.json",
    }.items():
        for variant, arguments in calls({}, {"file_name": file_name, "kms_key": KEY}):
            steps = [*begun, step(f".{method}", arguments)]
            made.append(case(f"BaseliningJob.{method}{variant}", steps, given={"objects": objects}))
    begun = [MONITORS["ModelBiasMonitor"], SUGGEST["ModelBiasMonitor"], step(".latest_baselining_job")]
    given = {"objects": {"s3://data/clarify/analysis.json": ANALYSIS}}
    for variant, arguments in calls({}, {"kms_key": KEY}):
        steps = [*begun, step(".suggested_constraints", arguments)]
        made.append(case(f"ClarifyBaseliningJob.suggested_constraints{variant}", steps, given=given))
    return made


def files_of_executions() -> list[Json]:
    made = []
    arn = "arn:aws:sagemaker:us-west-2:123456789012:processing-job/first"
    begun = step("MonitoringExecution.from_processing_arn", {"processing_job_arn": arn})
    files = {"statistics": "own.json", "constraint_violations": "own_violations.json"}
    for method, file_name in files.items():
        for variant, arguments in calls({}, {"file_name": file_name, "kms_key": KEY}):
            steps = [begun, step(f".{method}", arguments)]
            made.append(case(f"MonitoringExecution.{method}{variant}", steps, given=there("DefaultModelMonitor")))
        for status in ("InProgress", "Failed", "Completed"):
            given = there("DefaultModelMonitor", statuses={"first": ["Completed", status]}, objects={})
            made.append(case(f"MonitoringExecution.{method}, {status}", [begun, step(f".{method}")], given=given))
    latest = [attached("ModelBiasMonitor"), step(".latest_execution"), step(".constraint_violations")]
    made.append(case("ClarifyMonitoringExecution.constraint_violations", latest, given=there("ModelBiasMonitor")))
    methods = [begun, step(".describe"), step(".wait", {"logs": False}), step(".stop")]
    made.append(case("MonitoringExecution as a job", methods, given=there("DefaultModelMonitor")))
    made.append(case("MonitoringExecution of no job", [begun]))
    return made


SUITES = {
    "executions": plain_methods,
    "executions.files_that_are_missing": files_that_are_missing,
    "executions.logs": logs,
    "executions.files": files_of_executions,
    "baselines": baselines,
}
