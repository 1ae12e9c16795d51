"""Clarify jobs without a monitor, as the notebooks of fairness and explainability run them: one for every method."""

import json
import os
import time

import boto3

try:
    from sagemaker.core.clarify import BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig, PDPConfig
    from sagemaker.core.clarify import SageMakerClarifyProcessor, SHAPConfig
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.s3 import S3Downloader, S3Uploader
except ImportError:
    from sagemaker import Session
    from sagemaker.clarify import BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig, PDPConfig
    from sagemaker.clarify import SageMakerClarifyProcessor, SHAPConfig
    from sagemaker.s3 import S3Downloader, S3Uploader

session = Session()
region = boto3.Session().region_name
role = "arn:aws:iam::123456789012:role/monitoring"
name = "clarify-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client = boto3.client("sagemaker")
headers = json.loads(open("headers.json").read())
background = json.loads(open("background.json").read())
client.create_model(
    ModelName=name,
    PrimaryContainer={
        "Image": f"438346466558.dkr.ecr.{region}.amazonaws.com/linear-learner:1",
        "ModelDataUrl": S3Uploader.upload("ll-adult-prediction-model.tar.gz", f"{bucket}/model"),
    },
    ExecutionRoleArn=role,
)
dataset = S3Uploader.upload("train.csv", f"{bucket}/data")
processor = SageMakerClarifyProcessor(
    role=role, instance_count=1, instance_type="ml.m5.xlarge", sagemaker_session=session
)
bias_config = BiasConfig(
    label_values_or_threshold=[1], facet_name="Sex", facet_values_or_threshold=[0], group_name="Age"
)
model_config = ModelConfig(
    model_name=name, instance_count=1, instance_type="ml.m5.xlarge", content_type="text/csv", accept_type="text/csv"
)
labels = ModelPredictedLabelConfig(label=0)
scores = ModelPredictedLabelConfig(probability=1)
shap_config = SHAPConfig(baseline=[background], num_samples=60, agg_method="mean_abs", save_local_shap_values=True)
pdp_config = PDPConfig(features=["Age", "Sex"], grid_resolution=10)


def data_config(kind):
    return DataConfig(
        s3_data_input_path=dataset,
        s3_output_path=f"{bucket}/{kind}",
        label="Target",
        headers=headers,
        dataset_type="text/csv",
    )


# The usual way waits, and shows the log while it does.
processor.run_pre_training_bias(
    data_config=data_config("pre"), data_bias_config=bias_config, methods=["CI", "DPL"], wait=True, logs=True
)
quiet = {"wait": False, "logs": False}
processor.run_post_training_bias(
    data_config=data_config("post"),
    data_bias_config=bias_config,
    model_config=model_config,
    model_predicted_label_config=labels,
    methods="all",
    job_name=name + "-post",
    **quiet,
)
processor.run_bias(
    data_config=data_config("bias"),
    bias_config=bias_config,
    model_config=model_config,
    # A score, and a threshold for it.
    model_predicted_label_config=ModelPredictedLabelConfig(probability=1, probability_threshold=0.8),
    job_name=name + "-bias",
    **quiet,
)
processor.run_explainability(
    data_config=data_config("shap"),
    model_config=model_config,
    explainability_config=[shap_config, pdp_config],
    model_scores=scores,
    job_name=name + "-shap",
    **quiet,
)
processor.run_bias_and_explainability(
    data_config=data_config("both"),
    bias_config=bias_config,
    model_config=model_config,
    explainability_config=SHAPConfig(num_clusters=2, num_samples=60, agg_method="mean_sq"),
    model_predicted_label_config=labels,
    job_name=name + "-both",
    **quiet,
)
for kind in ("post", "bias", "shap", "both"):
    while (job := client.describe_processing_job(ProcessingJobName=f"{name}-{kind}"))[
        "ProcessingJobStatus"
    ] == "InProgress":
        time.sleep(0.2)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "Completed: SageMaker XAI Analyzer ran successfully", job
    assert [given["InputName"] for given in job["ProcessingInputs"]] == ["dataset", "analysis_config"], job
for kind in ("pre", "post", "bias", "shap", "both"):
    with open(f"{kind}.json", "w") as file:
        file.write(S3Downloader.read_file(f"{bucket}/{kind}/analysis.json"))
    files = [key.rpartition("/")[2] for key in S3Downloader.list(f"{bucket}/{kind}")]
    assert {"analysis_config.json", "report.html", "report.ipynb"} <= set(files), files
with open("out.csv", "w") as file:
    file.write(S3Downloader.read_file(f"{bucket}/shap/explanations_shap/out.csv"))
endpoints = client.list_endpoints(NameContains="sm-clarify-" + name)["Endpoints"]
assert endpoints == [], endpoints
print("done")
