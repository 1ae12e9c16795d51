"""Records all cases: `python tests/python/sdk_requests/record.py [names]`, in the environment of the SageMaker SDK 2.

Writes `crates/sdk/tests/requests/<name>.json`, from which the Rust SDK's test knows what Python's sends."""

import json
import sys
import tempfile
from pathlib import Path

from cases import suites
from exchanges import Json
from recorder import Recorder

RECORDINGS = Path(__file__).parents[3] / "crates/sdk/tests/requests"


def text_of(cases: list[Json]) -> str:
    """A recording as it lies in its file: an exchange a line, so that a change shows where it is. Answers return, and
    are named by their number."""
    answers: dict[str, int] = {}
    for case in cases:
        for step in case["steps"]:
            for exchange in step["exchanges"]:
                exchange["answer"] = answers.setdefault(compact(exchange["answer"]), len(answers))
    texts = ",\n".join(case_text(case) for case in cases)
    return '{"answers": [\n' + ",\n".join(f"  {answer}" for answer in answers) + f'\n], "cases": [\n{texts}\n]}}\n'


def case_text(case: Json) -> str:
    head = {name: value for name, value in case.items() if name != "steps"}
    steps = ",\n".join(step_text(step) for step in case["steps"])
    return f'  {compact(head)[:-1]}, "steps": [\n{steps}\n  ]}}'


def step_text(step: Json) -> str:
    head = compact({name: value for name, value in step.items() if name != "exchanges"})
    exchanges = ",\n".join(f"      {compact(exchange)}" for exchange in step["exchanges"])
    return f'    {head[:-1]}, "exchanges": [' + (f"\n{exchanges}\n    ]}}" if exchanges else "]}")


def compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    wanted = sys.argv[1:]
    RECORDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        for name, cases in suites().items():
            if not wanted or name in wanted:
                recorded = [recorder.record(case) for case in cases()]
                (RECORDINGS / f"{name}.json").write_text(text_of(recorded))


if __name__ == "__main__":
    main()
