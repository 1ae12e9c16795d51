"""What schedules read, with every parameter unset, alone and with the others."""

from cases.building import calls
from exchanges import Json

ATTRIBUTES: dict[str, Json] = {
    "s3_input_mode": "Pipe",
    "s3_data_distribution_type": "ShardedByS3Key",
    "start_time_offset": "-PT2H",
    "end_time_offset": "-P1D",
    "features_attribute": "features",
    "inference_attribute": "0",
    "probability_attribute": "1",
    "probability_threshold_attribute": 0.6,
    "exclude_features_attribute": "id,name",
}
ENDPOINT = {"endpoint_name": "churn", "destination": "/opt/ml/processing/input/endpoint"}
CSV = {"$MonitoringDatasetFormat.csv": {"header": True}}
BATCH = {
    "data_captured_destination_s3_uri": "s3://data/captured",
    "destination": "/opt/ml/processing/input/batch",
    "dataset_format": CSV,
}
FORMATS: dict[str, Json] = {
    "csv": {"$MonitoringDatasetFormat.csv": {}},
    "csv without header": {"$MonitoringDatasetFormat.csv": {"header": False}},
    "json": {"$MonitoringDatasetFormat.json": {}},
    "json without lines": {"$MonitoringDatasetFormat.json": {"lines": False}},
    "parquet": {"$MonitoringDatasetFormat.parquet": {}},
}

ENDPOINT_VARIANTS: dict[str, Json] = {
    f"EndpointInput{name}": {"$EndpointInput": arguments} for name, arguments in calls(ENDPOINT, ATTRIBUTES)
}
BATCH_VARIANTS: dict[str, Json] = {
    f"BatchTransformInput{name}": {"$BatchTransformInput": arguments} for name, arguments in calls(BATCH, ATTRIBUTES)
} | {
    f"BatchTransformInput of {name}": {"$BatchTransformInput": BATCH | {"dataset_format": value}}
    for name, value in FORMATS.items()
}
# As arguments of a schedule that reads one of them.
INPUTS: dict[str, Json] = {name: {"endpoint_input": value} for name, value in ENDPOINT_VARIANTS.items()} | {
    name: {"batch_transform_input": value} for name, value in BATCH_VARIANTS.items()
}
