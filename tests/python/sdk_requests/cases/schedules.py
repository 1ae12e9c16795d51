"""Schedules that are there already, in both of their forms: with a definition of their own, and with one embedded."""

from cases.building import CONSTRAINTS, KEY, OBJECTS, OTHER_KEY, ROLE, STATISTICS
from exchanges import Json

IMAGES = {
    "DataQuality": "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer",
    "ModelQuality": "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer",
    "ModelBias": "306415355426.dkr.ecr.us-west-2.amazonaws.com/sagemaker-clarify-processing:1.0",
    "ModelExplainability": "306415355426.dkr.ecr.us-west-2.amazonaws.com/sagemaker-clarify-processing:1.0",
}
ENDPOINT = {
    "EndpointName": "churn",
    "LocalPath": "/opt/ml/processing/input/endpoint",
    "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated",
}
OUTPUT = {
    "MonitoringOutputs": [
        {
            "S3Output": {
                "S3Uri": "s3://data/results",
                "LocalPath": "/opt/ml/processing/output",
                "S3UploadMode": "Continuous",
            }
        }
    ]
}
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
FULL_CLUSTER = {"InstanceCount": 3, "InstanceType": "ml.c5.xlarge", "VolumeSizeInGB": 40, "VolumeKmsKeyId": KEY}
NETWORK = {
    "EnableInterContainerTrafficEncryption": True,
    "EnableNetworkIsolation": False,
    "VpcConfig": {"SecurityGroupIds": ["sg-9"], "Subnets": ["subnet-9"]},
}
GROUND_TRUTH = {"GroundTruthS3Input": {"S3Uri": "s3://data/labels"}}
TAGS = [{"Key": "team", "Value": "risk"}, {"Key": "aws:createdBy", "Value": "somebody"}]


def definition(kind: str, *, full: bool) -> Json:
    """A definition as somebody else made it: bare, or with all that one may have, unknown members included."""
    specification: Json = {"ImageUri": IMAGES[kind]}
    input_: Json = {"EndpointInput": dict(ENDPOINT)}
    if kind == "ModelQuality":
        specification["ProblemType"] = "BinaryClassification"
    if kind in ("ModelBias", "ModelExplainability"):
        specification["ConfigUri"] = "s3://data/analysis_config.json"
    if kind in ("ModelQuality", "ModelBias"):
        input_ |= GROUND_TRUTH
    made: Json = {
        "JobDefinitionName": "nightly-definition",
        f"{kind}AppSpecification": specification,
        f"{kind}JobInput": input_,
        f"{kind}JobOutputConfig": dict(OUTPUT),
        "JobResources": {"ClusterConfig": CLUSTER},
        "RoleArn": ROLE,
    }
    if not full:
        return made
    specification["Environment"] = {"LEVEL": "info", "publish_cloudwatch_metrics": "Enabled"}
    if kind in ("DataQuality", "ModelQuality"):
        specification["RecordPreprocessorSourceUri"] = "s3://data/scripts/preprocess.py"
        specification["PostAnalyticsProcessorSourceUri"] = "s3://data/scripts/postprocess.py"
    if kind == "DataQuality":
        specification["ContainerEntrypoint"] = ["/bin/analyze"]
        specification["ContainerArguments"] = ["--all"]
    input_["EndpointInput"] |= {"StartTimeOffset": "-PT2H", "EndTimeOffset": "-PT1H", "InferenceAttribute": "label"}
    baseline = {"BaseliningJobName": "first-baseline", "ConstraintsResource": {"S3Uri": CONSTRAINTS}}
    if kind == "DataQuality":
        baseline["StatisticsResource"] = {"S3Uri": STATISTICS}
    made[f"{kind}BaselineConfig"] = baseline
    made[f"{kind}JobOutputConfig"]["KmsKeyId"] = OTHER_KEY
    made["JobResources"] = {"ClusterConfig": FULL_CLUSTER}
    made["NetworkConfig"] = NETWORK
    made["StoppingCondition"] = {"MaxRuntimeInSeconds": 900}
    return made


def scheduled(kind: str, *, full: bool, **more: Json) -> Json:
    """What is there with a schedule `nightly` of this kind."""
    config: Json = {"MonitoringJobDefinitionName": "nightly-definition", "MonitoringType": kind}
    if full:
        config["ScheduleConfig"] = {"ScheduleExpression": "cron(0 0 ? * * *)"}
    return {
        "objects": OBJECTS,
        "schedules": {"nightly": config},
        "definitions": {"nightly-definition": definition(kind, full=full)},
        "tags": TAGS if full else [],
    } | more


def embedded(*, full: bool, image: str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/own:1", **more: Json) -> Json:
    """What is there with a schedule `nightly` whose definition is embedded."""
    made: Json = {
        "MonitoringInputs": [{"EndpointInput": dict(ENDPOINT)}],
        "MonitoringOutputConfig": dict(OUTPUT),
        "MonitoringResources": {"ClusterConfig": CLUSTER},
        "MonitoringAppSpecification": {"ImageUri": image},
        "RoleArn": ROLE,
        "Environment": {"publish_cloudwatch_metrics": "Enabled"},
    }
    config: Json = {"MonitoringJobDefinition": made, "MonitoringType": "DataQuality"}
    if full:
        made["BaselineConfig"] = {"StatisticsResource": {"S3Uri": STATISTICS}}
        made["MonitoringOutputConfig"]["KmsKeyId"] = OTHER_KEY
        made["MonitoringResources"] = {"ClusterConfig": FULL_CLUSTER}
        made["MonitoringAppSpecification"] |= {
            "ContainerEntrypoint": ["/bin/analyze"],
            "ContainerArguments": ["--all"],
            "RecordPreprocessorSourceUri": "s3://data/scripts/preprocess.py",
            "PostAnalyticsProcessorSourceUri": "s3://data/scripts/postprocess.py",
        }
        made["StoppingCondition"] = {"MaxRuntimeInSeconds": 900}
        made["Environment"] = {"LEVEL": "info"}
        made["NetworkConfig"] = NETWORK
        config["ScheduleConfig"] = {"ScheduleExpression": "cron(0 0 ? * * *)"}
    return {"objects": OBJECTS, "schedules": {"nightly": config}, "tags": TAGS if full else []} | more
