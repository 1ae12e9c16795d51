"""Endpoints of the third SDK: built and deployed with live logs, asked, updated, asked later, deleted."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError
from sagemaker.core.deserializers import CSVDeserializer
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.inference_config import AsyncInferenceConfig
from sagemaker.core.model_monitor import DataCaptureConfig
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.s3 import S3Uploader
from sagemaker.core.serializers import CSVSerializer
from sagemaker.core.shapes import (
    CaptureOption,
    ContainerDefinition,
    DesiredWeightAndCapacity,
    ProductionVariant,
)
from sagemaker.core.shapes import DataCaptureConfig as DataCaptureConfigShape
from sagemaker.serve.mode.function_pointers import Mode
from sagemaker.serve.model_builder import ModelBuilder

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "endpoint-" + os.environ["RUN"]
bucket = session.default_bucket()
client, s3 = boto3.client("sagemaker"), boto3.client("s3")
registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
model_data = S3Uploader.upload("xgb-churn-prediction-model.tar.gz", f"s3://{bucket}/{name}/model")
row = ",".join(["1"] * 69)


def captured(prefix, count):
    deadline = time.monotonic() + 20
    while True:
        found = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for known in page.get("Contents", []):
                text = s3.get_object(Bucket=bucket, Key=known["Key"])["Body"].read().decode()
                found += [json.loads(line) for line in text.split("\n")[:-1]]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, found
            return found
        time.sleep(0.2)


# Build and deploy.
builder = ModelBuilder(
    image_uri=f"{registry}/sagemaker-xgboost:1.7-1",
    s3_model_data_url=model_data,
    role_arn=role,
    sagemaker_session=session,
    instance_type="ml.m5.large",
    mode=Mode.SAGEMAKER_ENDPOINT,
)
model = builder.build(model_name=name)
assert model.model_name == name
endpoint = builder.deploy(
    endpoint_name=name,
    initial_instance_count=1,
    data_capture_config=DataCaptureConfig(
        enable_capture=True,
        sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/{name}/captures",
        sagemaker_session=session,
    ),
)
assert endpoint.endpoint_status == "InService"
answer = endpoint.invoke(
    body=row, content_type="text/csv", accept="text/csv", inference_id="first", custom_attributes="a=b"
)
assert answer.invoked_production_variant == "AllTraffic"
score = float(answer.body.read())
assert 0 < score < 1
endpoint.serializer, endpoint.deserializer = CSVSerializer(), CSVDeserializer()
((again,),) = endpoint.invoke(body=[1] * 69, content_type="text/csv").body
assert float(again) == score
first = [line for line in captured(f"{name}/captures/{name}/AllTraffic/", 2) if "inferenceId" in line["eventMetadata"]]
assert first[0]["eventMetadata"]["inferenceId"] == "first"
assert first[0]["captureData"]["endpointInput"]["data"] == row
try:
    endpoint.invoke(body="1,2,no number", content_type="text/csv")
    raise AssertionError("no error")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ModelError", error

# Two variants, then other weights. This SDK sends no weight of 0.
rarely = 1e-9
other = Model.create(
    model_name=name + "-server",
    primary_container=ContainerDefinition(image=f"{registry}/model-server:1"),
    execution_role_arn=role,
)
variants = [
    ProductionVariant(
        variant_name=variant,
        model_name=model_name,
        initial_instance_count=1,
        instance_type="ml.m5.large",
        initial_variant_weight=weight,
    )
    for variant, model_name, weight in (("Churn", name, 1.0), ("Server", name + "-server", rarely))
]
config = EndpointConfig.create(
    endpoint_config_name=name + "-2",
    production_variants=variants,
    data_capture_config=DataCaptureConfigShape(
        enable_capture=True,
        initial_sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/{name}/second",
        capture_options=[CaptureOption(capture_mode="InputAndOutput")],
    ),
)
endpoint = Endpoint.get(endpoint_name=name)
endpoint.endpoint_config_name = name + "-2"
endpoint.update(retain_all_variant_properties=False)
endpoint.wait_for_status("InService", poll=1)
assert endpoint.endpoint_config_name == name + "-2"
answer = endpoint.invoke(body=row, content_type="text/csv")
assert answer.invoked_production_variant == "Churn" and float(answer.body.read()) == score
answer = endpoint.invoke(body="as it is", content_type="text/plain", target_variant="Server")
assert answer.invoked_production_variant == "Server" and answer.body.read() == b"as it is"
endpoint.update_weights_and_capacities(
    desired_weights_and_capacities=[
        DesiredWeightAndCapacity(variant_name="Churn", desired_weight=rarely),
        DesiredWeightAndCapacity(variant_name="Server", desired_weight=1.0),
    ]
)
endpoint.wait_for_status("InService", poll=1)
answers = [endpoint.invoke(body=row, content_type="text/csv") for _ in range(10)]
assert sum(answer.invoked_production_variant == "Server" for answer in answers) >= 9
stream = boto3.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
    EndpointName=name, Body=b"stream 3 0.01", ContentType="text/x-command", TargetVariant="Server"
)
assert b"".join(event["PayloadPart"]["Bytes"] for event in stream["Body"]) == b"part 0;part 1;part 2;"
(record, *_) = captured(f"{name}/second/{name}/", 13)
assert record["captureData"]["endpointInput"]["encoding"] == "BASE64"

# An image that nothing stands for.
Model.create(
    model_name=name + "-unknown",
    primary_container=ContainerDefinition(image=f"{registry}/unknown-model:7"),
    execution_role_arn=role,
)
EndpointConfig.create(
    endpoint_config_name=name + "-unknown",
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic",
            model_name=name + "-unknown",
            initial_instance_count=1,
            instance_type="ml.m5.large",
        )
    ],
)
unknown = Endpoint.create(endpoint_name=name + "-unknown", endpoint_config_name=name + "-unknown")
unknown.wait_for_status("Failed", poll=1)
assert "unknown-model:7" in unknown.failure_reason, unknown.failure_reason
unknown.delete()

# Answers that come later.
later_builder = ModelBuilder(
    image_uri=f"{registry}/model-server:1",
    s3_model_data_url=model_data,
    role_arn=role,
    sagemaker_session=session,
    instance_type="ml.m5.large",
    mode=Mode.SAGEMAKER_ENDPOINT,
)
later_builder.build(model_name=name + "-later")
later = later_builder.deploy(
    endpoint_name=name + "-later",
    initial_instance_count=1,
    inference_config=AsyncInferenceConfig(
        output_path=f"s3://{bucket}/{name}/later", failure_path=f"s3://{bucket}/{name}/failures"
    ),
    wait=False,
)
later.wait_for_status("InService", poll=1)
s3.put_object(Bucket=bucket, Key=f"{name}/input", Body=b"1,2", ContentType="text/csv")
answer = later.invoke_async(input_location=f"s3://{bucket}/{name}/input", content_type="text/csv", inference_id="later")
assert answer.inference_id == "later"
key = answer.output_location.removeprefix(f"s3://{bucket}/")
s3.get_waiter("object_exists").wait(Bucket=bucket, Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"1,2"

for known in (endpoint, later):
    known.delete()
    known.wait_for_delete(poll=1)
config.delete()
for known in (model, other):
    known.delete()
print("done")
