"""`Statistics`, `Constraints` and `ConstraintViolations`."""

from cases.building import CONSTRAINTS, CONSTRAINTS_TEXT, KEY, STATISTICS_TEXT, calls, case, step
from exchanges import Json

VIOLATIONS = (
    '{"violations": [{"feature_name": "größe", "constraint_check_type": "data_type_check", '
    '"description": "not integral", "more": {"rows": [1, 2.5, null]}}]}'
)
CLASSES = {
    "Statistics": ("statistics", STATISTICS_TEXT),
    "Constraints": ("constraints", CONSTRAINTS_TEXT),
    "ConstraintViolations": ("constraint_violations", VIOLATIONS),
}


def methods() -> list[Json]:
    made = []
    for name, (parameter, text) in CLASSES.items():
        address = f"s3://data/documents/{parameter}.json"
        given = {"objects": {address: text}}
        save = step(".save", {"new_save_location_s3_uri": f"s3://data/elsewhere/{parameter}.json"})
        for variant, arguments in calls({f"{parameter}_file_s3_uri": address}, {"kms_key": KEY}):
            read = step(f"{name}.from_s3_uri", arguments)
            made.append(case(f"{name}.from_s3_uri{variant}", [read, step(".save"), save, step(".save")], given=given))
        missing = step(f"{name}.from_s3_uri", {f"{parameter}_file_s3_uri": "s3://data/missing.json"})
        made.append(case(f"{name}.from_s3_uri, missing", [missing]))
        made.append(
            case(
                f"{name}.from_s3_uri, not JSON",
                [step(f"{name}.from_s3_uri", {f"{parameter}_file_s3_uri": address})],
                given={"objects": {address: "nothing"}},
            )
        )
        options: dict[str, Json] = {"kms_key": KEY, "file_name": "own.json"}
        for variant, arguments in calls({f"{parameter}_file_string": text}, options):
            made.append(case(f"{name}.from_string{variant}", [step(f"{name}.from_string", arguments), step(".save")]))
        file = {f"{parameter}_file_path": {"$file": f"{parameter}.json"}}
        for variant, arguments in calls(file, {"kms_key": KEY}):
            made.append(
                case(f"{name}.from_file_path{variant}", [step(f"{name}.from_file_path", arguments), step(".save")])
            )
        here = step(f"{name}.from_file_path", {f"{parameter}_file_path": {"$file": "missing.json"}})
        made.append(case(f"{name}.from_file_path, missing", [here]))
        prefixed = {"default_bucket": "data", "default_bucket_prefix": "team/risk"}
        string = step(f"{name}.from_string", {f"{parameter}_file_string": text})
        made.append(case(f"{name}.from_string, below a prefix", [string], session=prefixed))
        made.append(case(f"{name}.from_string, in a bucket that the session finds", [string], session={}))
    return made


def set_monitoring() -> list[Json]:
    read = step("Constraints.from_s3_uri", {"constraints_file_s3_uri": CONSTRAINTS})
    made = []
    for enabled in (True, False):
        for variant, arguments in calls({"enable_monitoring": enabled}, {"feature_name": "age"}):
            steps = [read, step(".set_monitoring", arguments), step(".save")]
            made.append(case(f".set_monitoring {'on' if enabled else 'off'}{variant}", steps))
    unknown = step(".set_monitoring", {"enable_monitoring": False, "feature_name": "height"})
    made.append(case(".set_monitoring of a feature that is not there", [read, unknown, step(".save")]))
    return made


SUITES = {"monitoring_files": methods, "monitoring_files.set_monitoring": set_monitoring}
