"""Scripts as users of the SageMaker Python SDK write them, unmodified, against the service by both of its ways in."""

import datetime
import importlib.metadata
import json
import shutil
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adult
import churn
from endpoints import archive, churn_model, probability
from service import Service, clean_environment

SCRIPTS = Path(__file__).parent / "scripts"
MAJOR = importlib.metadata.version("sagemaker").split(".")[0]
VERSIONED = SCRIPTS / f"version_{MAJOR}"
ROLE = "arn:aws:iam::123456789012:role/monitoring"


@pytest.fixture
def run_name() -> str:
    """What keeps the names of one run apart from those of the next."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def captured(tmp_path: Path) -> datetime.datetime:
    """Puts the churn traffic into the script's folder, captured half an hour ago."""
    time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    folder = tmp_path / f"capture/{time:%Y/%m/%d/%H}"
    folder.mkdir(parents=True)
    (folder / "00-00-000-first.jsonl").write_text(churn.capture(churn.RUN["rows"], time))
    return time


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files that lie beside a script."""
    shutil.copy(churn.BASELINE, tmp_path / "baseline.csv")
    for name in ("preprocess.py", "postprocess.py"):
        shutil.copy(SCRIPTS / name, tmp_path)
    return tmp_path


def role_of(route: str) -> dict[str, str]:
    """By proxy a script asks `get_execution_role`, which calls a fixed address; otherwise it names its role."""
    return {} if route == "proxy" else {"EXECUTION_ROLE": ROLE}


@pytest.fixture
def trained(files: Path) -> dict[str, Any]:
    """A trained churn model, and the data to ask it about, beside the script. Gives the model."""
    model = churn_model()
    model_archive = archive({"model.json": json.dumps(model)})
    (files / "xgb-churn-prediction-model.tar.gz").write_bytes(model_archive)
    (files / "test_data.csv").write_text("".join(f"{row}\n" for row in churn.traffic(churn.RUN["rows"])))
    return model


@pytest.fixture(scope="session")
def command_line_baseline(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line writes for the same data; its documents are held to AWS's by the Rust tests."""
    folder = tmp_path_factory.mktemp("command-line")
    subprocess.run(
        [service.program, "baseline", churn.BASELINE, "-o", folder],
        env=clean_environment(),
        check=True,
        capture_output=True,
    )
    return folder


def test_churn_tutorial(
    run_script: Callable[..., str],
    service: Service,
    files: Path,
    captured: datetime.datetime,
    command_line_baseline: Path,
    route: str,
    run_name: str,
) -> None:
    printed = run_script(VERSIONED / "churn.py", RUN=run_name, **role_of(route))
    for name in ("statistics.json", "constraints.json"):
        ours = (files / "baseline" / name).read_bytes()
        assert ours == (command_line_baseline / name).read_bytes(), name
    texts = [(files / "baseline" / f"{kind}.json").read_text() for kind in ("statistics", "constraints")]
    churn.assert_churn_baseline(*texts)
    churn.assert_violations(json.loads((files / "violations/constraint_violations.json").read_text()))
    # The log of a job names it, and holds what the user's script printed.
    arn = printed.partition("baseline job ")[2].split()[0]
    assert churn.job_arns(printed).count(arn) >= 2, "the log does not hold the ARN of the job"
    assert "postprocess_handler saw" in printed
    assert f"preprocess_handler saw {churn.SCORE}" in printed
    assert "data-quality-monitoring-" in printed


@pytest.mark.parametrize("route", ["proxy" if MAJOR == "2" else "endpoint"])
def test_introduction_to_monitoring(
    run_script: Callable[..., str], files: Path, trained: dict[str, Any], route: str, run_name: str
) -> None:
    run_script(VERSIONED / "introduction.py", RUN=run_name, **role_of(route))
    predictions = [float(line) for line in (files / "predictions.csv").read_text().splitlines()]
    rows = (files / "test_data.csv").read_text().splitlines()
    for prediction, row in zip(predictions, rows, strict=True):
        assert abs(prediction - probability(trained, row)) < 1e-9
    churn.assert_violations(json.loads((files / "violations.json").read_text()))


@pytest.mark.parametrize("route", ["endpoint"])
def test_endpoints(run_script: Callable[..., str], trained: dict[str, Any], run_name: str) -> None:
    printed = run_script(VERSIONED / "endpoints.py", RUN=run_name)
    if MAJOR == "2":
        assert "model server starts with serve" in printed, "the live log of the deployment"


@pytest.mark.parametrize("route", ["endpoint"])
def test_batch_transform(run_script: Callable[..., str], files: Path, trained: dict[str, Any], run_name: str) -> None:
    header, *rows = (line.partition(",") for line in churn.BASELINE.read_text().splitlines())
    assert header[0] == "Churn"
    (files / "features.csv").write_text("".join(f"{line[2]}\n" for line in [header, *rows]))
    run_script(SCRIPTS / "transform.py", RUN=run_name)
    violations = json.loads((files / "violations.json").read_text())["violations"]
    expected = churn.columns_with_violations() - {"Churn"}
    assert {violation["feature_name"] for violation in violations} == expected
    assert len(violations) == len(expected)
    # The share of the run with so many records, which has the same for every column.
    assert all(f"{churn.RUN['percent']}%" in violation["description"] for violation in violations)


@pytest.mark.parametrize("route", ["proxy" if MAJOR == "2" else "endpoint"])
def test_model_quality(run_script: Callable[..., str], files: Path, trained: dict[str, Any], run_name: str) -> None:
    run_script(SCRIPTS / "model_quality.py", RUN=run_name)
    asked = [line.split(",") for line in (files / "asked.csv").read_text().splitlines()]
    rows = (files / "test_data.csv").read_text().splitlines()
    for (score, _), row in zip(asked, rows, strict=False):
        assert abs(float(score) - probability(trained, row)) < 1e-9
    cutoff = sorted(float(score) for score, _ in asked)[len(asked) // 2]
    counts = Counter((label, str(int(float(score) > cutoff))) for score, label in asked)
    statistics = json.loads((files / "statistics.json").read_text())
    assert statistics["dataset"]["item_count"] == len(asked) == 334
    metrics = statistics["binary_classification_metrics"]
    assert metrics["confusion_matrix"] == {actual: {said: counts[actual, said] for said in "01"} for actual in "01"}
    accuracy = (counts["0", "0"] + counts["1", "1"]) / len(asked)
    assert metrics["accuracy"]["value"] == accuracy
    violations = json.loads((files / "violations.json").read_text())["violations"]
    (text,) = [found["description"] for found in violations if found["metric_name"] == "accuracy"]
    assert text.startswith(f"Metric accuracy with {accuracy} +/- 0.0")


@pytest.mark.parametrize("route", ["endpoint"])
def test_model_quality_of_batches(
    run_script: Callable[..., str], files: Path, trained: dict[str, Any], run_name: str
) -> None:
    run_script(SCRIPTS / "model_quality_of_batches.py", RUN=run_name)


@pytest.fixture
def census(tmp_path: Path) -> Path:
    """The files of AWS's bias and attribution notebooks beside the script."""
    (tmp_path / "ll-adult-prediction-model.tar.gz").write_bytes(adult.model_archive())
    (tmp_path / "validation-dataset.jsonl").write_text(adult.DATASET)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in adult.ROWS))
    (tmp_path / "headers.json").write_text(json.dumps(adult.CONFIG["headers"]))
    (background,) = adult.SHAP_CONFIG["methods"]["shap"]["baseline"]
    (tmp_path / "background.json").write_text(json.dumps(background["features"]))
    (tmp_path / "train.csv").write_text(adult.csv([adult.CONFIG["headers"]]) + adult.features_and_labels())
    return tmp_path


def document(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("route", ["proxy" if MAJOR == "2" else "endpoint"])
def test_bias(run_script: Callable[..., str], census: Path, run_name: str) -> None:
    """The real window: as many requests as were captured, whose violations AWS's analyzer has told."""
    run_script(SCRIPTS / "bias.py", RUN=run_name, REQUESTS=str(adult.CAPTURES))
    adult.assert_same(document(census, "baseline.json"), adult.EXPECTED, tolerance=1e-12, flip_test=0.02)
    adult.assert_violations(document(census, "violations.json")["violations"])


@pytest.mark.parametrize("route", ["endpoint"])
def test_explainability(run_script: Callable[..., str], census: Path, run_name: str) -> None:
    run_script(SCRIPTS / "explainability.py", RUN=run_name)
    baseline = adult.attributions(document(census, "baseline.json"))
    adult.assert_same(baseline, adult.EXACT["global_shap_values"], tolerance=0.002)
    assert adult.ndcg(baseline, adult.attributions(document(census, "live.json"))) > 0.95
    (violation,) = document(census, "violations.json")["violations"]
    assert (violation["label"], violation["metric_name"]) == ("label0", "shap")
    drifted = {name: abs(value) for name, value in adult.attributions(document(census, "drifted.json")).items()}
    assert max(drifted, key=lambda name: drifted[name]) == "Occupation"
    score = float(violation["description"].split(" ")[3])
    assert score == pytest.approx(adult.ndcg(baseline, drifted), abs=1e-12) and score < 0.9


@pytest.mark.parametrize("route", ["proxy" if MAJOR == "2" else "endpoint"])
def test_clarify_processor(run_script: Callable[..., str], census: Path, run_name: str) -> None:
    printed = run_script(SCRIPTS / "clarify_processor.py", RUN=run_name)
    assert "processing-job/" in printed, "the live log of the first job"
    stages = ("post_training_bias_metrics", "pre_training_bias_metrics")
    expected_post, expected_pre = ({stage: adult.EXPECTED[stage]} for stage in stages)
    adult.assert_same(
        document(census, "post.json"), {"version": "1.0"} | expected_post, tolerance=1e-12, flip_test=0.02
    )
    pre = document(census, "pre.json")
    assert list(pre) == ["version", "pre_training_bias_metrics"]
    ((entry,),) = pre["pre_training_bias_metrics"]["facets"].values()
    ((wanted,),) = expected_pre["pre_training_bias_metrics"]["facets"].values()
    adult.assert_same(entry["metrics"], [one for one in wanted["metrics"] if one["name"] in ("CI", "DPL")])
    # Scores above the threshold, by Python's own arithmetic.
    records = [record["features"] for record in adult.RECORDS]
    difference = adult.difference_in_positives((record, adult.score(record) > 0.8) for record in records)
    bias = document(census, "bias.json")
    assert adult.metrics(bias)["Post-Training", "DPPL"] == pytest.approx(difference, abs=1e-12)
    adult.assert_same(bias["pre_training_bias_metrics"], expected_pre["pre_training_bias_metrics"], tolerance=1e-12)
    explained = document(census, "shap.json")
    assert adult.ndcg(adult.EXACT["global_shap_values"], adult.attributions(explained)) > 0.99
    assert [entry["feature_name"] for entry in explained["explanations"]["pdp"]] == ["Age", "Sex"]
    assert len((census / "out.csv").read_text().splitlines()) == 1 + len(records)
    both = document(census, "both.json")
    assert list(both) == ["version", "explanations", *stages]
    adult.assert_same(
        {stage: both[stage] for stage in stages}, expected_post | expected_pre, tolerance=1e-12, flip_test=0.02
    )


def test_own_container(
    run_script: Callable[..., str], files: Path, captured: datetime.datetime, route: str, run_name: str
) -> None:
    run_script(VERSIONED / "own_container.py", RUN=run_name, **role_of(route))


def test_data_quality_schedules(run_script: Callable[..., str], files: Path, run_name: str) -> None:
    (files / "transform").mkdir()
    shutil.copy(churn.ROOT / "examples/churn/current.csv", files / "transform/today.csv")
    hour = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    run_script(SCRIPTS / "data_quality_schedules.py", RUN=run_name, HOUR=f"{hour:%Y/%m/%d/%H}")


def test_monitoring_files(
    run_script: Callable[..., str], tmp_path: Path, command_line_baseline: Path, run_name: str
) -> None:
    for name in ("statistics.json", "constraints.json"):
        shutil.copy(command_line_baseline / name, tmp_path)
    run_script(SCRIPTS / "monitoring_files.py", RUN=run_name)


def test_refusals(run_script: Callable[..., str], run_name: str) -> None:
    run_script(SCRIPTS / "refusals.py", RUN=run_name)


def test_other_monitors(run_script: Callable[..., str], run_name: str) -> None:
    run_script(SCRIPTS / "other_monitors.py", RUN=run_name)


@pytest.mark.skipif(MAJOR != "3", reason="the second SDK has no such classes")
def test_resource_classes(run_script: Callable[..., str], run_name: str) -> None:
    run_script(VERSIONED / "resource_classes.py", RUN=run_name)
