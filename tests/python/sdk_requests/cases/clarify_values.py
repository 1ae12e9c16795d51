"""What SageMaker Clarify is told, bare and with all it can take."""

from cases.building import calls
from exchanges import Json

DATA: Json = {"s3_data_input_path": "s3://data/train.csv", "s3_output_path": "s3://data/clarify"}
BIAS: Json = {"label_values_or_threshold": [1], "facet_name": "age"}
MODEL: Json = {"model_name": "churn-model", "instance_count": 1, "instance_type": "ml.c5.xlarge"}
SEGMENTS = {
    "$SegmentationConfig": {
        "name_or_index": "age",
        "segments": [["[1, 4]", "(5, 6]"], ["7"]],
        "config_name": "ages",
        "display_aliases": ["young", "old", "others"],
    }
}
HEADERS = ["label", "age", "income"]

DATA_CONFIG = {"$DataConfig": DATA | {"label": "label", "headers": HEADERS}}
BIAS_CONFIG = {"$BiasConfig": BIAS}
MODEL_CONFIG = {"$ModelConfig": MODEL}
LABEL_CONFIG = {"$ModelPredictedLabelConfig": {"label": "prediction", "probability": 1, "probability_threshold": 0.7}}
SHAP_CONFIG = {"$SHAPConfig": {"baseline": [[39, 1000]], "num_samples": 10, "agg_method": "mean_abs"}}


def configs(name: str, required: Json, optional: Json, **how: Json) -> dict[str, Json]:
    """A class with every parameter unset, alone, and with the others."""
    return {f"{name}{variant}": {f"${name}": arguments} for variant, arguments in calls(required, optional, **how)}


DATA_CONFIGS = configs(
    "DataConfig",
    DATA,
    {
        "s3_analysis_config_output_path": "s3://data/configs",
        "label": "label",
        "headers": HEADERS,
        "features": "features",
        "dataset_type": "application/x-parquet",
        "s3_compression_type": "None",
        "joinsource": "id",
        "facet_dataset_uri": "s3://data/facets.csv",
        "facet_headers": ["age"],
        "predicted_label_dataset_uri": "s3://data/predictions.csv",
        "predicted_label_headers": ["prediction"],
        "predicted_label": "prediction",
        "excluded_columns": ["income"],
        "segmentation_config": [SEGMENTS],
    },
    # Facets and predictions of their own are for CSV.
    exclusive=[
        {"dataset_type", "facet_dataset_uri"},
        {"dataset_type", "facet_headers"},
        {"dataset_type", "predicted_label_dataset_uri"},
        {"dataset_type", "predicted_label_headers"},
    ],
) | {
    "DataConfig of JSON lines": {
        "$DataConfig": DATA | {"dataset_type": "application/jsonlines", "features": "features"}
    },
    "DataConfig of JSON": {"$DataConfig": DATA | {"dataset_type": "application/json", "features": "[*].features"}},
    "DataConfig of images": {"$DataConfig": DATA | {"dataset_type": "application/x-image"}},
    "DataConfig with indices": {
        "$DataConfig": DATA | {"joinsource": 3, "predicted_label": 4, "excluded_columns": [1, 2]}
    },
    "DataConfig with a bare segment": {
        "$DataConfig": DATA
        | {"segmentation_config": [{"$SegmentationConfig": {"name_or_index": 1, "segments": [[3], [4]]}}]}
    },
}
BIAS_CONFIGS = configs("BiasConfig", BIAS, {"facet_values_or_threshold": [40], "group_name": "income"}) | {
    "BiasConfig with several facets": {"$BiasConfig": BIAS | {"facet_name": ["age", "income"]}},
    "BiasConfig with values of several facets": {
        "$BiasConfig": BIAS | {"facet_name": ["age", "income"], "facet_values_or_threshold": [[40], None]}
    },
    "BiasConfig with a facet by its index": {
        "$BiasConfig": {
            "label_values_or_threshold": ["yes", 0.5],
            "facet_name": 2,
            "facet_values_or_threshold": ["a", 1.5],
        }
    },
    "BiasConfig with fewer values than facets": {
        "$BiasConfig": BIAS | {"facet_name": ["age", "income"], "facet_values_or_threshold": [[40]]}
    },
}
MODEL_CONFIGS = configs(
    "ModelConfig",
    MODEL,
    {
        "accept_type": "text/csv",
        "content_type": "application/jsonlines",
        "content_template": '{"instances": $features}',
        "record_template": "$features_kvp",
        "custom_attributes": "trace=1",
        "accelerator_type": "ml.eia1.medium",
        "endpoint_name_prefix": "shadow",
        "target_model": "churn.tar.gz",
    },
    with_others={"content_type": {"content_template": '{"instances": $features}'}},
) | {
    "ModelConfig with endpoint_name": {"$ModelConfig": {"endpoint_name": "churn"}},
    "ModelConfig of neither a model nor an endpoint": {"$ModelConfig": {"model_name": "churn-model"}},
    "ModelConfig of JSON": {
        "$ModelConfig": MODEL
        | {
            "content_type": "application/json",
            "content_template": '{"instances": $records}',
            "record_template": "$features",
        }
    },
    "ModelConfig of CSV": {"$ModelConfig": MODEL | {"content_type": "text/csv"}},
    "ModelConfig of JSON lines without a template": {"$ModelConfig": MODEL | {"content_type": "application/jsonlines"}},
    "ModelConfig with a wrong prefix": {"$ModelConfig": MODEL | {"endpoint_name_prefix": "-"}},
}
LABEL_CONFIGS = configs(
    "ModelPredictedLabelConfig",
    {},
    {"label": "prediction", "probability": "probability", "probability_threshold": 0.7, "label_headers": ["no", "yes"]},
) | {"ModelPredictedLabelConfig by indices": {"$ModelPredictedLabelConfig": {"label": 0, "probability": 1}}}

TEXT = {"$TextConfig": {"granularity": "sentence", "language": "german"}}
IMAGE = {
    "$ImageConfig": {
        "model_type": "OBJECT_DETECTION",
        "num_segments": 20,
        "feature_extraction_method": "segmentation",
        "segment_compactness": 5,
        "max_objects": 3,
        "iou_threshold": 0.5,
        "context": 1.0,
    }
}
SHAP_OPTIONS: Json = {
    "baseline": [[39, 1000], [50, 2000]],
    "num_samples": 10,
    "agg_method": "median",
    "use_logit": True,
    "save_local_shap_values": False,
    "seed": 7,
    "num_clusters": 2,
    "text_config": TEXT,
    "image_config": IMAGE,
    "features_to_explain": ["age", 2],
}
EXPLAINABILITY_CONFIGS = (
    configs(
        "SHAPConfig",
        {},
        SHAP_OPTIONS,
        exclusive=[
            {"baseline", "num_clusters"},
            {"text_config", "features_to_explain"},
            {"image_config", "features_to_explain"},
        ],
    )
    | configs("PDPConfig", {}, {"features": ["age", "income"], "grid_resolution": 20, "top_k_features": 5})
    | {
        "SHAPConfig with a baseline in S3": {"$SHAPConfig": {"baseline": "s3://data/shap.csv"}},
        "SHAPConfig with a baseline of records": {"$SHAPConfig": {"baseline": {"instances": [[1, 2]]}}},
        "SHAPConfig with a baseline and clusters": {"$SHAPConfig": {"baseline": [[1]], "num_clusters": 2}},
        "ImageConfig of classification": {
            "$SHAPConfig": {"image_config": {"$ImageConfig": {"model_type": "IMAGE_CLASSIFICATION"}}}
        },
        "SHAPConfig and PDPConfig": [SHAP_CONFIG, {"$PDPConfig": {"features": ["age"]}}],
        "two of the same": [SHAP_CONFIG, SHAP_CONFIG],
    }
    | {
        f"ImageConfig with {name}": {
            "$SHAPConfig": {"image_config": {"$ImageConfig": {"model_type": "OBJECT_DETECTION", name: value}}}
        }
        for name, value in IMAGE["$ImageConfig"].items()
        if name != "model_type"
    }
)

# Forecasts.
SERIES: Json = {
    "target_time_series": "demand",
    "item_id": "item",
    "timestamp": "time",
    "dataset_format": {"$TimeSeriesJSONDatasetFormat": "columns"},
}
FORECAST = {"$ModelConfig": MODEL | {"time_series_model_config": {"$TimeSeriesModelConfig": {"forecast": "mean"}}}}


def forecast_data(series: Json) -> Json:
    time_series = {"$TimeSeriesDataConfig": series}
    return {"$DataConfig": DATA | {"dataset_type": "application/json", "time_series_data_config": time_series}}


SERIES_CONFIGS = {
    f"TimeSeriesDataConfig{variant}": forecast_data(arguments)
    for variant, arguments in calls(SERIES, {"related_time_series": ["price"], "static_covariates": ["shop"]})
} | {
    "TimeSeriesDataConfig of records by item": forecast_data(
        SERIES | {"dataset_format": {"$TimeSeriesJSONDatasetFormat": "item_records"}}
    ),
    "TimeSeriesDataConfig of records by time": forecast_data(
        SERIES | {"dataset_format": {"$TimeSeriesJSONDatasetFormat": "timestamp_records"}}
    ),
}
ASYMMETRIC_CONFIGS = configs(
    "AsymmetricShapleyValueConfig",
    {},
    {
        "direction": "anti_chronological",
        "granularity": "fine_grained",
        "num_samples": 5,
        "baseline": {"target_time_series": "zero"},
    },
    with_others={
        "granularity": {"num_samples": 5},
        "num_samples": {"granularity": "fine_grained"},
    },
    exclusive=[{"direction", "granularity"}],
)
