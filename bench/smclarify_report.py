"""What a bias job of Watchkeeper computes, by smclarify: all metrics of both stages for every facet of a configuration.

python bench/smclarify_report.py DATASET CONFIG -o FILE
"""

import argparse
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from smclarify.bias import report

STAGES = {
    "post_training_bias": report.StageType.POST_TRAINING,
    "pre_training_bias": report.StageType.PRE_TRAINING,
}


def sections(frame: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    label, predicted, positive = (config[it] for it in ("label", "predicted_label", "label_values_or_threshold"))
    group = frame[config["group_variable"]] if "group_variable" in config else None
    found = {}
    for method, stage in STAGES.items():
        metrics = config["methods"][method]["methods"]
        facets: dict[str, Any] = {}
        for facet in config["facet"]:
            facets[facet["name_or_index"]] = report.bias_report(
                frame,
                report.FacetColumn(facet["name_or_index"], facet.get("value_or_threshold")),
                report.LabelColumn(label, frame[label], list(positive)),
                stage,
                report.LabelColumn(predicted, frame[predicted], list(positive)),
                ["all"] if metrics == "all" else metrics,
                group,
            )
        found[f"{method}_metrics"] = {"facets": facets}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="The metrics of a bias job, by smclarify")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    # smclarify knows text as objects.
    pd.set_option("future.infer_string", False)
    found = sections(pd.read_csv(options.dataset), json.loads(options.config.read_text()))
    options.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
