"""Attributions of features: the shap library explains the same models; scikit-learn and NumPy judge what is beside them.

Each explanation is a job of the processing image, its model a server of this process.
"""

import csv
import itertools
import json
import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shap
from sklearn.cluster import KMeans
from sklearn.metrics import ndcg_score, silhouette_score

from watchkeeper import Watchkeeper, analyze

Model = Callable[[np.ndarray], np.ndarray]
"""Scores of rows; a column each where there are several."""


@dataclass
class Hosted:
    """Models on HTTP, each at a path of its own."""

    port: int
    models: dict[str, Model] = field(default_factory=dict)

    def url(self, model: Model) -> str:
        path = f"/{len(self.models)}"
        self.models[path] = model
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture(scope="module")
def hosted() -> Iterator[Hosted]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body of an answer are two writes: without this, each waits for the other side's delayed acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            rows = np.array([line.split(",") for line in body.split("\n")], dtype=float)
            scores = hosted.models[self.path](rows)
            lines = [",".join(map(repr, np.atleast_1d(score).tolist())) for score in scores]
            answer = "\n".join(lines).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hosted = Hosted(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield hosted
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Explained:
    output: Path

    def analysis(self) -> dict[str, Any]:
        return json.loads((self.output / "analysis.json").read_text(encoding="utf-8"))

    def kernel_shap(self, label: str = "label0") -> dict[str, Any]:
        return self.analysis()["explanations"]["kernel_shap"][label]

    def rows(self, name: str) -> list[list[str]]:
        with open(self.output / "explanations_shap" / name, newline="", encoding="utf-8") as file:
            return list(csv.reader(file))

    def local(self) -> np.ndarray:
        return np.array(self.rows("out.csv")[1:], dtype=float)


@dataclass
class Jobs:
    watchkeeper: Watchkeeper
    hosted: Hosted
    runs: int = 0

    def run(
        self,
        rows: np.ndarray,
        methods: dict[str, Any],
        model: Model,
        *options: str,
        variables: dict[str, str] | None = None,
        baseline: dict[str, Any] | None = None,
    ) -> Explained:
        self.runs += 1
        root = self.watchkeeper.scratch / f"job-{self.runs}"
        folder = root / "opt/ml/processing"
        for name in ("input/config", "input/data"):
            (folder / name).mkdir(parents=True)
        (folder / "input/data/rows.csv").write_text("".join(",".join(map(repr, row)) + "\n" for row in rows.tolist()))
        config = {
            "dataset_type": "text/csv",
            "headers": [f"x{index}" for index in range(rows.shape[1])],
            "methods": methods,
            "predictor": {"endpoint_name": "model"},
        }
        (folder / "input/config/analysis_config.json").write_text(json.dumps(config))
        environment = {"watchkeeper_predictor_url": self.hosted.url(model)} | (variables or {})
        if baseline is not None:
            (folder / "baseline.json").write_text(json.dumps(baseline))
            environment["baseline_constraints"] = "/opt/ml/processing/baseline.json"
        ended = analyze(self.watchkeeper.program, "clarify-processing", root, environment, *options)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return Explained(folder / "output")


@pytest.fixture
def jobs(watchkeeper: Watchkeeper, hosted: Hosted) -> Jobs:
    return Jobs(watchkeeper, hosted)


def shap_config(**settings: Any) -> dict[str, Any]:
    return {"shap": {"save_local_shap_values": True, "use_logit": False, "agg_method": "mean_abs"} | settings}


def by_shap(model: Model, background: np.ndarray, rows: np.ndarray, samples: int, link: str = "identity") -> np.ndarray:
    """Without the library's selection of ten features."""
    logging.getLogger("shap").setLevel(logging.ERROR)
    explainer = shap.KernelExplainer(model, background, link=link)
    return np.array(explainer.shap_values(rows, nsamples=samples, l1_reg=False, silent=True))


def polynomial(generator: np.random.Generator, features: int) -> Model:
    """Probabilities with interactions of up to four features."""
    terms = [
        (generator.normal(0, 1), generator.choice(features, min(features, generator.integers(1, 5)), replace=False))
        for _ in range(2 * features)
    ]

    def model(rows: np.ndarray) -> np.ndarray:
        sums = sum(weight * np.tanh(rows[:, chosen]).prod(axis=1) for weight, chosen in terms)
        return 1 / (1 + np.exp(-sums))

    return model


@pytest.mark.parametrize("seed", range(24))
def test_all_coalitions(jobs: Jobs, seed: int) -> None:
    generator = np.random.default_rng(seed)
    features, links = 1 + seed % 8, ("identity", "logit")
    link = links[seed // 8 % 2]
    model = polynomial(generator, features)
    # Two decimals: the library takes numbers that are almost equal for equal ones.
    background = generator.normal(0, 1, (generator.integers(1, 5), features)).round(2)
    rows = generator.normal(0, 1, (7, features)).round(2)
    # Rows with some features of the background, and one with all of them.
    rows[1, ::2] = background[0, ::2]
    rows[2] = background[0]
    config = shap_config(baseline=background.tolist(), use_logit=link == "logit")
    explained = jobs.run(rows, config, model)
    wanted = by_shap(model, background, rows, 2**features, link)
    np.testing.assert_allclose(explained.local(), wanted.reshape(rows.shape), rtol=0, atol=1e-9)
    mean = model(background).mean()
    expected_value = math.log(mean / (1 - mean)) if link == "logit" else mean
    assert explained.kernel_shap()["expected_value"] == pytest.approx(expected_value, abs=1e-12)
    attributed = list(explained.kernel_shap()["global_shap_values"].values())
    np.testing.assert_allclose(attributed, np.abs(wanted.reshape(rows.shape)).mean(axis=0), rtol=0, atol=1e-9)


def test_several_scores(jobs: Jobs) -> None:
    generator = np.random.default_rng(3)
    models = [polynomial(generator, 5) for _ in range(3)]

    def model(rows: np.ndarray) -> np.ndarray:
        return np.stack([model(rows) for model in models], axis=1)

    background, rows = generator.normal(0, 1, (2, 5)).round(2), generator.normal(0, 1, (6, 5)).round(2)
    explained = jobs.run(rows, shap_config(baseline=background.tolist(), agg_method="median"), model)
    # The library: rows, features, scores; the file has score after score.
    wanted = by_shap(model, background, rows, 32)
    np.testing.assert_allclose(explained.local(), wanted.transpose(0, 2, 1).reshape(6, 15), rtol=0, atol=1e-9)
    header = [f"x{feature}_label{score}" for score in range(3) for feature in range(5)]
    assert explained.rows("out.csv")[0] == header
    for score in range(3):
        attributed = list(explained.kernel_shap(f"label{score}")["global_shap_values"].values())
        np.testing.assert_allclose(attributed, np.median(wanted[:, :, score], axis=0), rtol=0, atol=1e-9)


def neurons(
    generator: np.random.Generator, number: int, each: int
) -> tuple[Model, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """A model whose exact Shapley values follow from the features of one neuron at a time, and these."""
    weights, scales = generator.normal(0, 0.8, (number, each)), generator.normal(0, 1, number)
    subsets = np.array(list(itertools.product((0, 1), repeat=each)), dtype=bool)
    place = 1 << np.arange(each - 1, -1, -1)
    sizes = subsets.sum(axis=1)
    share = 1 / (each * np.array([math.comb(each - 1, min(size, each - 1)) for size in sizes]))

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh((rows.reshape(len(rows), number, each) * weights).sum(axis=2)) @ scales

    def exact(background: np.ndarray, row: np.ndarray) -> np.ndarray:
        values = np.zeros((number, each))
        for neuron in range(number):
            own = slice(neuron * each, (neuron + 1) * each)
            sums = (subsets @ (row[own] * weights[neuron]))[:, None] + ~subsets @ (background[:, own] * weights[neuron]).T
            worth = scales[neuron] * np.tanh(sums).mean(axis=1)
            for feature in range(each):
                without = np.flatnonzero(~subsets[:, feature])
                values[neuron, feature] = (share[without] * (worth[without + place[feature]] - worth[without])).sum()
        return values.ravel()

    return model, exact


@pytest.mark.parametrize(("number", "each", "samples"), [(3, 5, 200), (5, 6, 500), (6, 8, 600)])
def test_sampled_coalitions_are_as_accurate(jobs: Jobs, number: int, each: int, samples: int) -> None:
    generator = np.random.default_rng(number)
    model, exact = neurons(generator, number, each)
    background = generator.normal(0, 1, (2, number * each)).round(2)
    rows = generator.normal(0, 1, (60, number * each)).round(2)
    explained = jobs.run(rows, shap_config(baseline=background.tolist(), num_samples=samples), model)
    truth = np.array([exact(background, row) for row in rows])
    np.random.seed(0)
    errors = ((explained.local() - truth) ** 2).mean(axis=1)
    theirs = ((by_shap(model, background, rows, samples) - truth) ** 2).mean(axis=1)
    # Both draw: three standard errors of the mean difference.
    assert (errors - theirs).mean() < 3 * (errors - theirs).std(ddof=1) / math.sqrt(len(rows)), (errors.mean(), theirs.mean())
    difference = model(rows) - model(background).mean()
    np.testing.assert_allclose(explained.local().sum(axis=1), difference, rtol=0, atol=1e-8)


def test_threads_change_nothing_and_a_seed_changes_draws(jobs: Jobs) -> None:
    generator = np.random.default_rng(5)
    model, _ = neurons(generator, 4, 5)
    rows = generator.normal(0, 1, (50, 20)).round(2)
    config = shap_config(baseline=rows[:2].tolist(), num_samples=100, seed=1)
    runs = [jobs.run(rows, config, model, "--threads", threads) for threads in ("1", "4")]
    for name in ("analysis.json", "explanations_shap/out.csv"):
        assert len({(run.output / name).read_bytes() for run in runs}) == 1
    other = jobs.run(rows, shap_config(baseline=rows[:2].tolist(), num_samples=100, seed=2), model)
    assert not np.array_equal(other.local(), runs[0].local())


def standardised(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
    return (rows - of.mean(axis=0)) / of.std(axis=0)


@pytest.mark.parametrize("seed", range(6))
def test_clusters(jobs: Jobs, seed: int) -> None:
    """Centres cost no more than scikit-learn's, and the silhouette decides how many there are."""
    generator = np.random.default_rng(seed)
    clusters, features = int(generator.integers(2, 7)), int(generator.integers(2, 9))
    centres = generator.normal(0, 10, (clusters, features))
    rows = (centres[generator.integers(0, clusters, 240)] + generator.normal(0, 1, (240, features))).round(3)
    scaled = standardised(rows, rows)
    inertias, silhouettes = {}, {}
    for number in range(2, 13):
        found = KMeans(number, n_init=10, random_state=0).fit(scaled)
        inertias[number], silhouettes[number] = found.inertia_, silhouette_score(scaled, found.labels_)
    best = max(silhouettes, key=lambda number: silhouettes[number])

    def model(rows: np.ndarray) -> np.ndarray:
        return rows[:, 0]

    for asked in (None, clusters, clusters + 3):
        settings = {"num_samples": 2} if asked is None else {"num_samples": 2, "num_clusters": asked}
        baseline = jobs.run(rows, shap_config(**settings), model).rows("baseline.csv")
        assert baseline[0] == [f"x{index}" for index in range(features)]
        found = standardised(np.array(baseline[1:], dtype=float), rows)
        assert len(found) == (asked or best)
        inertia = ((scaled[:, None, :] - found[None, :, :]) ** 2).sum(axis=2).min(axis=1).sum()
        assert inertia <= 1.05 * inertias[len(found)]


def test_drift_scores(jobs: Jobs) -> None:
    """The attributions of a linear model at a row of ones over zeros are its weights, so each score of the model is a case."""
    generator = np.random.default_rng(11)
    cases, features = 120, 9
    live = generator.gamma(0.5, 1, (cases, features)).round(2)
    baseline = generator.gamma(0.5, 1, (cases, features)).round(2)
    # Ties among live values, zeros, the same order.
    live[:30] = live[:30].round(0)
    live[30:40] = 0
    baseline[40:50] = live[40:50]

    def model(rows: np.ndarray) -> np.ndarray:
        return rows @ live.T

    names = [f"x{index}" for index in range(features)]
    labels = {
        f"label{case}": {"global_shap_values": dict(zip(names, values, strict=True)), "expected_value": 0.0}
        for case, values in enumerate(baseline.tolist())
    }
    explained = jobs.run(
        np.ones((1, features)),
        shap_config(baseline=[[0] * features]),
        model,
        # Whatever the score is, it is below this.
        variables={"watchkeeper_ndcg_threshold": "2"},
        baseline={"version": "1.0", "explanations": {"kernel_shap": labels}},
    )
    violations = json.loads((explained.output / "constraint_violations.json").read_text())["violations"]
    assert [violation["label"] for violation in violations] == list(labels)
    for case, violation in enumerate(violations):
        kernel_shap = explained.kernel_shap(f"label{case}")
        # What was found, rounding included: it decides ties.
        found = np.array([list(kernel_shap["global_shap_values"].values())])
        score = float(violation["description"].removeprefix("Feature attribution drift ").split(" ")[0])
        assert score == pytest.approx(ndcg_score(baseline[case : case + 1], found), abs=1e-12)


def test_partial_dependence(jobs: Jobs) -> None:
    generator = np.random.default_rng(2)
    model = polynomial(generator, 4)
    rows = generator.normal(0, 1, (80, 4)).round(2)
    rows[:, 3] = generator.integers(0, 2, 80) + 0.5
    config = {"pdp": {"features": ["x2", "x0", "x3"], "grid_resolution": 12}}
    entries = jobs.run(rows, config, model).analysis()["explanations"]["pdp"]
    assert [entry["feature_name"] for entry in entries] == ["x2", "x0", "x3"]
    for entry in entries:
        feature = int(entry["feature_name"][1:])
        counts, edges = np.histogram(rows[:, feature], bins=12)
        np.testing.assert_allclose(entry["data_distribution"], counts / 80, atol=1e-12)
        np.testing.assert_allclose(entry["feature_values"], (edges[1:] + edges[:-1]) / 2, atol=1e-12)
        for value, prediction in zip(entry["feature_values"], entry["model_predictions"][0], strict=True):
            replaced = rows.copy()
            replaced[:, feature] = value
            assert prediction == pytest.approx(model(replaced).mean(), abs=1e-12)
