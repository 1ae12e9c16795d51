"""`ProcessingJob`."""

from cases.building import KEY, case, job, step
from exchanges import Json
from services import ARN

BARE = {
    name: value for name, value in job("first").items() if name not in ("ProcessingInputs", "ProcessingOutputConfig")
}


def methods() -> list[Json]:
    made = []
    full = job("first")
    full["ProcessingOutputConfig"]["KmsKeyId"] = KEY
    full["ProcessingInputs"].append(
        {
            "InputName": "table",
            "AppManaged": True,
            "DatasetDefinition": {
                "LocalPath": "/opt/ml/processing/input/table",
                "DataDistributionType": "FullyReplicated",
                "InputMode": "File",
                "AthenaDatasetDefinition": {
                    "Catalog": "AwsDataCatalog",
                    "Database": "churn",
                    "QueryString": "SELECT 1",
                    "OutputS3Uri": "s3://data/query",
                    "OutputFormat": "PARQUET",
                },
            },
        }
    )
    found: dict[str, Json] = {
        "from_processing_name": {"processing_job_name": "first"},
        "from_processing_arn": {"processing_job_arn": f"{ARN}:processing-job/first"},
    }
    for name, arguments in found.items():
        begun = step(f"ProcessingJob.{name}", arguments)
        for form, described in {"full": full, "bare": BARE}.items():
            given = {"jobs": {"first": described}}
            made.append(case(f"ProcessingJob.{name}, {form}", [begun, step(".describe"), step(".stop")], given=given))
        made.append(case(f"ProcessingJob.{name}, missing", [begun]))
        for ending in ("Completed", "Failed", "Stopped"):
            for logs in (True, False):
                arguments = {} if logs else {"logs": False}
                given = {
                    "jobs": {"first": full},
                    "statuses": {"first": ["InProgress", "InProgress", "Stopping", ending]},
                    "log_lines": {"first": ["reading"]},
                }
                way = "with its log" if logs else "quietly"
                made.append(case(f"{name}, .wait {way}, {ending}", [begun, step(".wait", arguments)], given=given))
    return made


SUITES = {"processing_job": methods}
