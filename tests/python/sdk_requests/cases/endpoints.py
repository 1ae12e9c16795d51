"""`Predictor`, and the capture of what endpoints are asked."""

from cases.building import KEY, calls, case, step
from cases.executions import there
from cases.schedules import IMAGES, embedded
from exchanges import Json
from services import ARN

PREDICTOR = step("Predictor", {"endpoint_name": "churn"})
CONFIG = {
    "EndpointConfigName": "churn-config",
    "ProductionVariants": [
        {
            "VariantName": "AllTraffic",
            "ModelName": "churn-model",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
            "InitialVariantWeight": 1.0,
        },
        {
            "VariantName": "Shadow",
            "ModelName": "other-model",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
            "InitialVariantWeight": 0.0,
        },
    ],
}
CAPTURED = CONFIG | {
    "KmsKeyId": KEY,
    "DataCaptureConfig": {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    },
}
THERE = {
    "endpoints": {"churn": ["churn-config", "InService"]},
    "endpoint_configs": {"churn-config": CONFIG},
}


def data_capture() -> list[Json]:
    required: dict[str, Json] = {"enable_capture": True, "destination_s3_uri": "s3://data/capture"}
    optional: dict[str, Json] = {
        "sampling_percentage": 50,
        "kms_key_id": KEY,
        "capture_options": ["request"],
        "csv_content_types": ["text/csv", "text/plain"],
        "json_content_types": ["application/jsonlines"],
    }
    made = []
    for variant, arguments in calls(required, optional):
        config = {"$DataCaptureConfig": arguments}
        steps = [PREDICTOR, step(".update_data_capture_config", {"data_capture_config": config})]
        made.append(case(f"DataCaptureConfig{variant}", steps, given=THERE))
    variants: dict[str, tuple[Json, Json]] = {
        "without a place": ({"enable_capture": True}, None),
        "without a place, below a prefix": (
            {"enable_capture": True},
            {"default_bucket": "data", "default_bucket_prefix": "team/risk"},
        ),
        "without a place, in a bucket that the session finds": ({"enable_capture": False}, {}),
        "options of both kinds": (required | {"capture_options": ["REQUEST", "Response"]}, None),
        "an option of another kind": (required | {"capture_options": ["InputAndOutput"]}, None),
    }
    for variant, (arguments, session) in variants.items():
        config = {"$DataCaptureConfig": arguments}
        steps = [PREDICTOR, step(".update_data_capture_config", {"data_capture_config": config})]
        made.append(case(variant, steps, given=THERE, session=session))
    for method in (".enable_data_capture", ".disable_data_capture"):
        made.append(case(method, [PREDICTOR, step(method)], given=THERE))
    tagged = THERE | {
        "endpoint_configs": {"churn-config": CAPTURED},
        "tags": [{"Key": "team", "Value": "risk"}, {"Key": "aws:a", "Value": "b"}],
    }
    replaced = step(".update_data_capture_config", {"data_capture_config": {"$DataCaptureConfig": required}})
    made.append(case("capture that is replaced", [PREDICTOR, replaced], given=tagged))
    failing = THERE | {"failures": {"UpdateEndpoint": [["ValidationException", "Cannot update in-progress endpoint"]]}}
    made.append(case("an update that is refused", [PREDICTOR, replaced], given=failing))
    missing = [step("Predictor", {"endpoint_name": "other"}), replaced]
    return [*made, case("no such endpoint", missing, given=THERE)]


def batch_data_capture() -> list[Json]:
    """Goes into requests of transform jobs, which are not ours: what counts is the form in which it does."""
    optional: dict[str, Json] = {"kms_key_id": KEY, "generate_inference_id": True}
    return [
        case(
            f"BatchDataCaptureConfig{variant}",
            [step("request_form", {"value": {"$BatchDataCaptureConfig": arguments}})],
        )
        for variant, arguments in calls({"destination_s3_uri": "s3://data/captured"}, optional)
    ]


def predict() -> list[Json]:
    optional: dict[str, Json] = {
        "initial_args": {"ContentType": "text/csv", "Accept": "application/json"},
        "target_model": "churn.tar.gz",
        "target_variant": "Shadow",
        "inference_id": "request-1",
        "custom_attributes": "trace=1",
        "component_name": "component",
    }
    made = [
        case(f".predict{variant}", [PREDICTOR, step(".predict", arguments)], given=THERE)
        for variant, arguments in calls({"data": "39,1000"}, optional)
    ]
    refused = {"failures": {"InvokeEndpoint": [["ModelError", "Received server error (500) from primary", 424]]}}
    return [*made, case("a model that fails", [PREDICTOR, step(".predict", {"data": "39"})], given=refused)]


def monitors() -> list[Json]:
    listed = step(".list_monitors")
    made = [case("none", [PREDICTOR, listed], given=THERE)]
    for name in ("DefaultModelMonitor", "ModelQualityMonitor", "ModelBiasMonitor", "ModelExplainabilityMonitor"):
        made.append(case(name, [PREDICTOR, listed], given=there(name)))
    made.append(case("embedded", [PREDICTOR, listed], given=embedded(full=False)))
    analyzer = embedded(full=False, image=IMAGES["DataQuality"])
    made.append(case("embedded, with the analyzer", [PREDICTOR, listed], given=analyzer))
    both = there("DefaultModelMonitor")
    both["schedules"]["weekly"] = embedded(full=False)["schedules"]["nightly"]
    made.append(case("two", [PREDICTOR, listed], given=both))
    return made


def deletion() -> list[Json]:
    made = [
        case(f".delete_endpoint{variant}", [PREDICTOR, step(".delete_endpoint", arguments)], given=THERE)
        for variant, arguments in calls({}, {"delete_endpoint_config": False})
    ]
    made.append(case(".delete_model", [PREDICTOR, step(".delete_model")], given=THERE))
    both = [PREDICTOR, step(".delete_model"), step(".delete_endpoint")]
    made.append(case("a model, then its endpoint", both, given=THERE))
    other_way = [PREDICTOR, step(".delete_endpoint"), step(".delete_model")]
    made.append(case("an endpoint, then its model", other_way, given=THERE))
    refused = THERE | {
        "failures": {"DeleteModel": [["ValidationException", f"Could not find model {ARN}:model/churn-model"]]}
    }
    made.append(case("a model that is not there", [PREDICTOR, step(".delete_model")], given=refused))
    return made


SUITES = {
    "predictor.data_capture": data_capture,
    "batch_data_capture_config": batch_data_capture,
    "predictor.predict": predict,
    "predictor.list_monitors": monitors,
    "predictor.deletion": deletion,
}
