"""Models and predictors: deploy with live logs, ask, change what is captured, update, ask later, delete."""

import json
import logging
import os
import time

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker.async_inference import AsyncInferenceConfig, WaiterConfig
from sagemaker.deserializers import CSVDeserializer, JSONDeserializer
from sagemaker.exceptions import AsyncInferenceModelError, UnexpectedStatusException
from sagemaker.model import Model
from sagemaker.model_monitor import CronExpressionGenerator, DataCaptureConfig, DefaultModelMonitor, EndpointInput
from sagemaker.model_monitor import ModelMonitor, MonitoringOutput
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Uploader
from sagemaker.serializers import CSVSerializer, JSONSerializer


class ImpatientSession(sagemaker.Session):
    """Looks at an endpoint more often than every half a minute."""

    def wait_for_endpoint(self, endpoint, poll=1, live_logging=False):
        return super().wait_for_endpoint(endpoint, poll, live_logging)


# The live log of a deployment is told as information.
logging.basicConfig(level=logging.WARNING)
logging.getLogger("sagemaker").setLevel(logging.INFO)

session = ImpatientSession()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "predictor-" + os.environ["RUN"]
bucket = session.default_bucket()
client, s3 = boto3.client("sagemaker"), boto3.client("s3")
registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
model_data = S3Uploader.upload("xgb-churn-prediction-model.tar.gz", f"s3://{bucket}/{name}/model")


def captured(prefix):
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for known in page.get("Contents", []):
            text = s3.get_object(Bucket=bucket, Key=known["Key"])["Body"].read().decode()
            found += [json.loads(line) for line in text.split("\n")[:-1]]
    return found


def captured_ids(prefix, expected):
    deadline = time.monotonic() + 20
    while True:
        ids = sorted(line["eventMetadata"]["inferenceId"] for line in captured(prefix))
        if ids == expected or time.monotonic() > deadline:
            return ids
        time.sleep(0.2)


# Deploy, and see the logs meanwhile.
model = Model(
    image_uri=f"{registry}/model-server:1",
    role=role,
    name=name,
    env={"COLUMN": "Churn", "START_SECONDS": "1.5"},
    sagemaker_session=session,
    predictor_cls=Predictor,
)
predictor = model.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    endpoint_name=name,
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
    tags=[{"Key": "team", "Value": "churn"}],
    endpoint_logging=True,
)
assert predictor.endpoint_name == name
assert predictor.predict([1, 2, 3]) == [["1", "2", "3"]]
assert predictor.predict("4,5", custom_attributes="a=b", inference_id="first") == [["4", "5"]]
arn = client.describe_endpoint(EndpointName=name)["EndpointArn"]
assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "churn"}]

# Capture: on with the defaults of the SDK, off, on again elsewhere.
default_prefix = f"model-monitor/data-capture/{name}"
predictor.enable_data_capture()
capture = client.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
assert (capture["CaptureStatus"], capture["CurrentSamplingPercentage"]) == ("Started", 20)
assert capture["DestinationS3Uri"] == f"s3://{bucket}/model-monitor/data-capture"
for number in range(100):
    predictor.predict("1,2", inference_id=f"{number:02}")
deadline = time.monotonic() + 20
while len(captured(default_prefix)) < 20 and time.monotonic() < deadline:
    time.sleep(0.2)
assert len(captured(default_prefix)) == 20
predictor.disable_data_capture()
assert client.describe_endpoint(EndpointName=name)["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
for _ in range(100):
    predictor.predict("1,2", inference_id="while it was off")
predictor.update_data_capture_config(
    DataCaptureConfig(
        enable_capture=True,
        sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/{name}/captures",
        capture_options=["REQUEST"],
        csv_content_types=["text/csv"],
        sagemaker_session=session,
    )
)
predictor.predict("7,8", inference_id="elsewhere")
assert captured_ids(f"{name}/captures/{name}/AllTraffic/", ["elsewhere"]) == ["elsewhere"]
(line,) = captured(f"{name}/captures/")
assert line["captureData"] == {
    "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "7,8", "encoding": "CSV"}
}
assert len(captured(default_prefix)) == 20
configs = client.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
assert len(configs) == 4, configs

# Monitors of the endpoint.
assert predictor.list_monitors() == []
monitor = DefaultModelMonitor(role=role, sagemaker_session=session)
monitor.create_monitoring_schedule(
    endpoint_input=EndpointInput(name, "/opt/ml/processing/input/endpoint"),
    output_s3_uri=f"s3://{bucket}/{name}/results",
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.hourly(),
)
own = ModelMonitor(role=role, image_uri=f"{registry}/row-counter:1", sagemaker_session=session, env={})
own.create_monitoring_schedule(
    endpoint_input=name,
    output=MonitoringOutput(source="/opt/ml/processing/output", destination=f"s3://{bucket}/{name}/rows"),
    monitor_schedule_name=name + "-own",
    schedule_cron_expression=CronExpressionGenerator.hourly(),
)
while "Pending" in {known.describe_schedule()["MonitoringScheduleStatus"] for known in (monitor, own)}:
    time.sleep(0.2)
monitors = predictor.list_monitors()
assert [type(known).__name__ for known in monitors] == ["ModelMonitor", "DefaultModelMonitor"], monitors
assert [known.monitoring_schedule_name for known in monitors] == [name + "-own", name]
for known in (monitor, own):
    known.delete_monitoring_schedule()

# The endpoint gets another model.
churn = Model(
    image_uri=f"{registry}/sagemaker-xgboost:1.7-1",
    model_data=model_data,
    role=role,
    name=name + "-churn",
    sagemaker_session=session,
)
churn.create(instance_type="ml.m5.large")
predictor.update_endpoint(initial_instance_count=1, instance_type="ml.m5.large", model_name=name + "-churn", wait=True)
while client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating":
    time.sleep(0.2)
row = [1] * 69
((score,),) = predictor.predict(row)
assert 0 < float(score) < 1
asked = Predictor(name, session, serializer=JSONSerializer(), deserializer=JSONDeserializer())
answer = asked.predict({"instances": [row, row]})
assert len(answer["predictions"]) == 2, answer
try:
    predictor.predict("1,2,no number")
    raise AssertionError("no error")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ModelError", error
    assert error.response["OriginalStatusCode"] == 400
    assert "Received client error (400) from primary with message" in error.response["Error"]["Message"]

# An image that nothing stands for.
unknown = Model(image_uri=f"{registry}/unknown-model:7", role=role, name=name + "-unknown", sagemaker_session=session)
try:
    unknown.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=name + "-unknown")
    raise AssertionError("no error")
except UnexpectedStatusException as error:
    assert "unknown-model:7" in str(error) and error.actual_status == "Failed", error
Predictor(name + "-unknown", session).delete_endpoint()
unknown.delete_model()

# Answers that come later.
later = Model(
    image_uri=f"{registry}/model-server:1",
    role=role,
    name=name + "-later",
    sagemaker_session=session,
    predictor_cls=Predictor,
)
later_predictor = later.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    endpoint_name=name + "-later",
    async_inference_config=AsyncInferenceConfig(
        output_path=f"s3://{bucket}/{name}/later", failure_path=f"s3://{bucket}/{name}/failures"
    ),
    serializer=CSVSerializer(),
    deserializer=CSVDeserializer(),
)
waiting = WaiterConfig(max_attempts=30, delay=1)
assert later_predictor.predict(data=[1, 2], waiter_config=waiting) == [["1", "2"]]
response = later_predictor.predict_async(data="3,4", inference_id="later")
assert response.output_path.startswith(f"s3://{bucket}/{name}/later/")
assert response.get_result(waiting) == [["3", "4"]]
s3.put_object(Bucket=bucket, Key=f"{name}/bad-input", Body=b"status 400 not today", ContentType="text/x-command")
try:
    later_predictor.predict(input_path=f"s3://{bucket}/{name}/bad-input", waiter_config=waiting)
    raise AssertionError("no error")
except AsyncInferenceModelError as error:
    assert "not today" in str(error), error
later_predictor.delete_model()
later_predictor.delete_endpoint()

# Everything goes.
predictor.delete_model()
predictor.delete_endpoint()
model.delete_model()
for _ in range(100):
    if not client.list_endpoints(NameContains=name)["Endpoints"]:
        break
    time.sleep(0.2)
assert client.list_endpoints(NameContains=name)["Endpoints"] == []
try:
    predictor.predict("1,2")
    raise AssertionError("no error")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ValidationError", error
print("done")
