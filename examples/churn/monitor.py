"""Baselines a dataset and monitors what comes later, as any SageMaker script does: nothing here knows of Watchkeeper.

    pip install "sagemaker<3"
"""

import json
import time
from datetime import datetime, timezone
from pathlib import Path

import sagemaker
from sagemaker.model_monitor import BatchTransformInput, CronExpressionGenerator, DefaultModelMonitor
from sagemaker.model_monitor.dataset_format import DatasetFormat, MonitoringDatasetFormat
from sagemaker.s3 import S3Uploader

HERE = Path(__file__).resolve().parent
ROLE = "arn:aws:iam::000000000000:role/monitoring"

session = sagemaker.Session()
root = f"s3://{session.default_bucket()}/churn"

# What the model was trained on: statistics, and constraints for what is to come.
monitor = DefaultModelMonitor(role=ROLE, instance_count=1, instance_type="ml.m5.large", sagemaker_session=session)
monitor.suggest_baseline(
    baseline_dataset=str(HERE / "baseline.csv"),
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"{root}/baseline",
)

# A delivery of today, captured as a batch transform job captures its input: the data, and a manifest under its hour.
S3Uploader.upload(str(HERE / "current.csv"), f"{root}/deliveries", sagemaker_session=session)
manifest = json.dumps([{"prefix": f"{root}/deliveries/"}, "current.csv"])
hour = datetime.now(timezone.utc).strftime("%Y/%m/%d/%H")
S3Uploader.upload_string_as_file_body(manifest, f"{root}/capture/input/{hour}/delivery.json", sagemaker_session=session)

# One check of the last hour, now. `CronExpressionGenerator.hourly()` would check every hour.
name = f"churn-{int(time.time())}"
monitor.create_monitoring_schedule(
    monitor_schedule_name=name,
    batch_transform_input=BatchTransformInput(
        data_captured_destination_s3_uri=f"{root}/capture",
        destination="/opt/ml/processing/input",
        dataset_format=MonitoringDatasetFormat.csv(header=True),
    ),
    output_s3_uri=f"{root}/results",
    statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT1H",
    data_analysis_end_time="-PT0H",
)
while not (executions := monitor.list_executions()):
    time.sleep(1)
executions[-1].wait(logs=False)

for violation in monitor.latest_monitoring_constraint_violations().body_dict["violations"]:
    print(f"{violation['feature_name']}: {violation['constraint_check_type']}: {violation['description']}")
