"""The files of model monitoring: made from texts and local files, read from S3, changed and saved."""

import json
import os
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import Constraints, ConstraintViolations, Statistics
    from sagemaker.core.s3 import S3Downloader
except ImportError:
    from sagemaker import Session
    from sagemaker.model_monitor import Constraints, ConstraintViolations, Statistics
    from sagemaker.s3 import S3Downloader

session = Session()
bucket = session.default_bucket()
folder = f"s3://{bucket}/files-{os.environ['RUN']}"
key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]

statistics_text = Path("statistics.json").read_text()
constraints_text = Path("constraints.json").read_text()
violations_text = json.dumps({"violations": []})
Path("violations.json").write_text(violations_text)

for kind, text, path, default_name in (
    (Statistics, statistics_text, "statistics.json", "statistics.json"),
    (Constraints, constraints_text, "constraints.json", "constraints.json"),
    (ConstraintViolations, violations_text, "violations.json", "constraint_violations.json"),
):
    made = kind.from_string(text, sagemaker_session=session)
    assert made.body_dict == json.loads(text)
    assert made.file_s3_uri.startswith(f"s3://{bucket}/monitoring/")
    assert made.file_s3_uri.endswith("/" + default_name)
    named = kind.from_string(text, file_name="own name.json", kms_key=key, sagemaker_session=session)
    assert named.file_s3_uri.endswith("/own name.json") and named.kms_key == key
    from_file = kind.from_file_path(path, kms_key=key, sagemaker_session=session)
    assert from_file.body_dict == made.body_dict
    read = kind.from_s3_uri(from_file.file_s3_uri, kms_key=key, sagemaker_session=session)
    assert read.body_dict == made.body_dict
    saved = read.save(f"{folder}/{default_name}")
    assert saved == f"{folder}/{default_name}"
    assert json.loads(S3Downloader.read_file(saved)) == made.body_dict
    head = boto3.client("s3").head_object(Bucket=bucket, Key=saved.split("/", 3)[3])
    assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"] == key, head
    try:
        kind.from_s3_uri(f"{folder}/missing.json", sagemaker_session=session)
        raise AssertionError("read a file that is not there")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", error

constraints = Constraints.from_s3_uri(f"{folder}/constraints.json", sagemaker_session=session)
constraints.set_monitoring(False)
constraints.set_monitoring(False, "Day Mins")
constraints.save()
again = Constraints.from_s3_uri(f"{folder}/constraints.json", sagemaker_session=session).body_dict
assert again["monitoring_config"]["evaluate_constraints"] == "Disabled"
(feature,) = [feature for feature in again["features"] if feature["name"] == "Day Mins"]
assert feature["monitoring_config_overrides"] == {"evaluate_constraints": "Disabled"}
print("done")
