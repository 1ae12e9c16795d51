"""What the example `kernel_shap` of crates/engine computes, by the shap library: Kernel SHAP of a case's rows.

    python bench/shap_explainer.py CASE OUTPUT [--as-it-comes]

By default without the selection of ten features that the library's newer versions make, which takes most of the time and gives all other
features 0; `--as-it-comes` leaves it in.
"""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import scipy.linalg
import shap


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("case", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--as-it-comes", action="store_true")
    options = parser.parse_args()
    case = json.loads(options.case.read_text())
    scales = np.array(case["scales"])
    # A column a neuron, 0 for the features that it does not see: one product of matrices is what NumPy is fastest at.
    weights = scipy.linalg.block_diag(*(np.array(neuron)[:, None] for neuron in case["weights"]))

    def model(rows: np.ndarray) -> np.ndarray:
        sums = rows @ weights
        return (sums / (1 + np.abs(sums))) @ scales

    logging.getLogger("shap").setLevel(logging.ERROR)
    np.random.seed(case["seed"])
    explainer = shap.KernelExplainer(model, np.array(case["background"]))
    settings = {} if options.as_it_comes else {"l1_reg": False}
    attributions = explainer.shap_values(np.array(case["rows"]), nsamples=case["num_samples"], silent=True, **settings)
    options.output.write_text(json.dumps(attributions.tolist()))


if __name__ == "__main__":
    main()
