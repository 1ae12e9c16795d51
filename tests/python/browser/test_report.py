"""The HTML reports of data quality, of model quality and of bias and attributions, as a reader meets it: from the file system, without a network, by keyboard, light and dark."""

import json
import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from browser.chromium import Chromium
from watchkeeper import CHURN, NOTHING_FOUND, VIOLATIONS, Outcome, Watchkeeper, program

REPORT = "report.html"
MODEL_QUALITY = Path(__file__).resolve().parents[3] / "crates" / "analyzer" / "tests" / "goldens" / "model-quality"
FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])"


def data_quality(watchkeeper: Watchkeeper) -> Outcome:
    return watchkeeper.check(CHURN / "current.csv", CHURN / "baseline.csv")


def model_quality(watchkeeper: Watchkeeper) -> Outcome:
    attributes = ("--probability-attribute", "probability", "--ground-truth-attribute")
    recorded = MODEL_QUALITY / "churn-binary-baseline" / "baseline.csv"
    baseline = watchkeeper.quality_baseline(recorded, "BinaryClassification", *attributes, "label")
    window = MODEL_QUALITY / "churn-live-window-a" / "scores_and_ground_truth.csv"
    options = ("--baseline", baseline.folder, *attributes, "ground_truth")
    outcome = watchkeeper.run("quality", "check", window, *options)
    assert outcome.status == VIOLATIONS, outcome.stderr
    return outcome


# Two scores of a record of age, city and hours; what is told to the model changes which feature counts.
MODEL = """
import math, sys
by_age, by_city = map(float, sys.argv[1:])
for line in sys.stdin.read().splitlines():
    age, city, hours = line.replace('"', "").split(",")
    score = 1 / (1 + math.exp(-by_age * (float(age) - 45) - by_city * (city == "oslo") - 0.02 * (float(hours) - 40)))
    print(f"{score},{1 - score}")
"""


def people(watchkeeper: Watchkeeper, accepts: str) -> Path:
    """Ages, cities, hours, a label, and a prediction that depends on the city."""
    rows = [(18 + index * 7 % 60, ("oslo", "bergen", "molde")[index % 3], 20 + index * 13 % 50) for index in range(150)]
    lines = [f"{age},{city},{hours},{hours % 2},{int(city != accepts)}" for age, city, hours in rows]
    dataset = watchkeeper.scratch / f"{accepts}.csv"
    dataset.write_text("\n".join(["age,city,hours,label,predicted", *lines, ""]))
    return dataset


def bias(watchkeeper: Watchkeeper) -> Outcome:
    options = ("--label", "label", "--positive", "1", "--predicted-label", "predicted", "--facet", "city=oslo", "--group", "age")
    baseline = watchkeeper.run("bias", "baseline", people(watchkeeper, "molde"), *options)
    assert baseline.status == NOTHING_FOUND, baseline.stderr
    outcome = watchkeeper.run("bias", "check", people(watchkeeper, "oslo"), *options, "--baseline", baseline.folder)
    assert outcome.status == VIOLATIONS, outcome.stderr
    return outcome


def attributions(watchkeeper: Watchkeeper) -> Outcome:
    config = {
        "dataset_type": "text/csv",
        "methods": {
            "shap": {"num_clusters": 2, "save_local_shap_values": True},
            "pdp": {"grid_resolution": 10, "features": ["age", "city"]},
        },
        "predictor": {"label_headers": ["yes", "no"]},
    }
    (watchkeeper.scratch / "config.json").write_text(json.dumps(config))
    (watchkeeper.scratch / "model.py").write_text(MODEL)
    dataset = people(watchkeeper, "molde")

    def explain(command: str, weights: str, *options: str | Path) -> Outcome:
        model = f"{sys.executable} {watchkeeper.scratch / 'model.py'} {weights}"
        arguments = ("--config", watchkeeper.scratch / "config.json", "--model", model, "--exclude", "label,predicted")
        return watchkeeper.run("explain", command, dataset, *arguments, *options)

    baseline = explain("baseline", "0.05 0.1")
    assert baseline.status == NOTHING_FOUND, baseline.stderr
    outcome = explain("check", "0.001 2", "--baseline", baseline.folder)
    assert outcome.status == VIOLATIONS, outcome.stderr
    return outcome


@pytest.fixture(scope="module", params=[data_quality, model_quality, bias, attributions], ids=lambda made: made.__name__)
def check(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome: Outcome = request.param(Watchkeeper(program(), tmp_path_factory.mktemp("check")))
    return outcome


@pytest.fixture
def page(check: Outcome, tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(os.environ.get("CHROMIUM", "chromium"), tmp_path / "profile") as chromium:
        chromium.open(check.folder / REPORT)
        yield chromium


class References(HTMLParser):
    """Addresses that a browser fetches by itself: every `src`, `href`, `poster`... but those of links to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            is_link = tag == "a" and name == "href"
            if name in ("src", "srcset", "href", "xlink:href", "poster", "action", "data") and not is_link:
                self.fetched.append(value or "")


def test_the_file_names_nothing_outside_itself(check: Outcome) -> None:
    text = check.text(REPORT)
    references = References()
    references.feed(text)
    outside = [address for address in references.fetched if not address.startswith(("#", "data:"))]
    assert outside == []
    assert re.findall(r"@import|url\((?!['\"]?(?:data:|#))[^)]*\)", text) == []


def test_opening_it_asks_for_nothing_and_raises_nothing(page: Chromium, check: Outcome) -> None:
    own = (check.folder / REPORT).resolve().as_uri()
    assert [address for address in page.requests if not address.startswith("data:")] == [own]
    assert page.complaints == []


def test_it_shows_every_violation(page: Chromium, check: Outcome) -> None:
    violations = check.document("constraint_violations.json")["violations"]
    assert len(violations) >= 2
    if violations[0].get("constraint_check_type") in ("bias_drift_check", "feature_attribution_drift_check"):
        marked = page.evaluate(
            "Array.from(document.querySelectorAll('tr.violated, section.violated')).filter(it => it.checkVisibility())"
            ".map(it => it.dataset.metric ?? it.dataset.label)"
        )
        assert sorted(marked) == sorted(violation.get("label", violation["metric_name"]) for violation in violations)
        return
    assert len(violations) >= 4
    if "metric_name" in violations[0]:
        marked = page.evaluate(
            "Array.from(document.querySelectorAll('tr.violated')).filter(it => it.checkVisibility())"
            ".map(it => it.dataset.metric.replaceAll(/_([a-z])/g, (_, letter) => letter.toUpperCase()))"
        )
        assert sorted(marked) == sorted(violation["metric_name"] for violation in violations)
        return
    text = page.evaluate("document.body.innerText")
    for violation in violations:
        assert violation["feature_name"] in text


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` or `color(srgb r g b)`, as the Web Content Accessibility Guidelines define it."""
    largest = 1 if colour.startswith("color(srgb ") else 255
    parts = [float(part) / largest for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Every element that has text of its own, with its colour and the nearest background that is painted behind it.
TEXT_COLOURS = """
Array.from(document.body.querySelectorAll("*")).flatMap(element => {
  const ownText = Array.from(element.childNodes).filter(it => it.nodeType === 3).map(it => it.data.trim()).join("");
  if (!ownText || !element.checkVisibility() || element.closest("svg, script, style")) return [];
  let behind = element;
  while (behind && /, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const background = behind ? getComputedStyle(behind).backgroundColor : "canvas";
  return [[ownText.slice(0, 40), getComputedStyle(element).color, background]];
})
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page: Chromium, scheme: str) -> None:
    page.prefer_colours(scheme)
    texts = page.evaluate(TEXT_COLOURS)
    assert len(texts) > 20
    backgrounds = [luminance(background) for _, _, background in texts]
    assert (sum(backgrounds) / len(backgrounds) > 0.5) == (scheme == "light")
    faint = []
    for text, colour, background in texts:
        lighter, darker = sorted((luminance(colour), luminance(background)), reverse=True)
        if (lighter + 0.05) / (darker + 0.05) < 4.5:
            faint.append((text, colour, background))
    assert faint == []


def test_the_keyboard_reaches_everything_in_reading_order(page: Chromium) -> None:
    count = page.evaluate(
        f"window.focusable = Array.from(document.querySelectorAll(\"{FOCUSABLE}\")).filter(it => it.checkVisibility());"
        "window.focusable.length"
    )
    assert count > 0
    for expected in range(count):
        page.press_tab()
        reached, is_marked = page.evaluate(
            "(() => { const style = getComputedStyle(document.activeElement);"
            "return [window.focusable.indexOf(document.activeElement),"
            "        style.outlineStyle !== 'none' || style.boxShadow !== 'none']; })()"
        )
        assert reached == expected
        assert is_marked, f"nothing shows that element {expected} has the focus"


@pytest.mark.parametrize("width", [360, 400, 1280])
def test_the_page_fits_the_window(page: Chromium, width: int) -> None:
    """Wide tables and charts scroll by themselves; the page does not."""
    page.resize(width, 900)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("check", "drawn"),
    [(bias, ["svg.distance-plot"]), (attributions, ["svg.slopes", "svg.dots", "svg.step", "svg.dependence-curve"])],
    indirect=["check"],
)
def test_charts_keep_their_size_in_a_narrow_window(page: Chromium, drawn: list[str]) -> None:
    for width in (360, 1280):
        page.resize(width, 900)
        for chart in drawn:
            sizes = page.evaluate(
                f"Array.from(document.querySelectorAll('{chart}')).filter(it => it.checkVisibility())"
                ".map(it => [it.getBoundingClientRect().width, it.getBoundingClientRect().height])"
            )
            assert sizes, chart
            assert all(wide > 60 and high > 15 for wide, high in sizes), (chart, sizes)
