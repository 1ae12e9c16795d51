#!/usr/bin/env python3
"""Train the model of `watchkeeper demo` on a part of the churn data, and write it as model.json.

    python3 examples/churn/train.py [OUTPUT]

A logistic regression that says how likely it is that a customer leaves. It is trained on the first 1,333 customers of
baseline.csv; the other 1,000 are those that the demo asks it about. Of the 70 columns it takes twelve: what was used,
and the two plans. States and area codes tell it nothing, nor does the account length.

The file is what the built-in image `watchkeeper-logistic` reads: p = 1 / (1 + exp(-(intercept + coefficients . x))),
with coefficients of the columns as they are, not scaled. They are rounded to nine digits, so that the same file comes
out on every machine.

Needs scikit-learn.
"""

import csv
import json
import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
TRAINING_ROWS = 1_333
TARGET = "Churn"
FEATURES = [
    "VMail Message",
    "Day Mins",
    "Day Calls",
    "Eve Mins",
    "Eve Calls",
    "Night Mins",
    "Night Calls",
    "Intl Mins",
    "Intl Calls",
    "CustServ Calls",
    "Int'l Plan_yes",
    "VMail Plan_yes",
]


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "model.json"
    with open(HERE / "baseline.csv", newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    customers = [[float(row[feature]) for feature in FEATURES] for row in rows]
    has_left = [int(row[TARGET]) for row in rows]

    scaler = StandardScaler().fit(customers[:TRAINING_ROWS])
    regression = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    regression.fit(scaler.transform(customers[:TRAINING_ROWS]), has_left[:TRAINING_ROWS])
    probabilities = regression.predict_proba(scaler.transform(customers[TRAINING_ROWS:]))[:, 1]
    area = roc_auc_score(has_left[TRAINING_ROWS:], probabilities)
    print(f"area under the curve of the customers it has not seen: {area:.3f}")

    coefficients = regression.coef_[0] / scaler.scale_
    intercept = regression.intercept_[0] - coefficients @ scaler.mean_
    model = {
        "intercept": rounded(intercept),
        "coefficients": [rounded(coefficient) for coefficient in coefficients],
        "features": FEATURES,
        "output": "probability",
    }
    output.write_text(json.dumps(model, indent=2) + "\n", encoding="utf-8")


def rounded(number: float) -> float:
    return float(f"{number:.9g}")


if __name__ == "__main__":
    main()
