"""What a request may put into a job's variables and arguments: the program's own affair, and nobody else's.

What programs can do once they run is in the tests of the sandbox (`crates/cli/tests/it`).
"""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from resources import ended_job, new_name, processing_input, row_counter_job
from surfaces import BUCKET, Attacked
from wire_clients import Clients

MARK = "/tmp/attacked-by-a-variable"
VARIABLES = [
    {"LD_PRELOAD": "/opt/ml/processing/input/data/evil.so", "LD_AUDIT": "/opt/ml/processing/input/data/evil.so"},
    {"PATH": "/opt/ml/processing/input/data"},
    {"BASH_ENV": f"/bin/touch {MARK}", "ENV": f"$(touch {MARK})", "PS4": f"$(touch {MARK})", "IFS": "/"},
    {"PYTHONPATH": "/opt/ml/processing/input/data", "PYTHONSTARTUP": "/opt/ml/processing/input/data/evil.py"},
    {"WATCHKEEPER_DATA_DIR": "/", "WATCHKEEPER_CONFIG": "/etc/passwd", "WATCHKEEPER_PROGRAM": "/bin/false"},
    {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "MALLOC_CONF": "x"},
    {"HOME": "/root", "TMPDIR": "/", "XDG_DATA_HOME": "/"},
    {"A": "x" * 10_000},
    {"A": "$(touch " + MARK + ")", "B": f"`touch {MARK}`", "C": f"; touch {MARK}", "D": f"\ntouch {MARK}\n"},
    {f"V{number}": "x" * 250 for number in range(100)},
]


def run(attacked: Attacked, environment: dict[str, str], *arguments: str) -> dict[str, Any] | None:
    """The job at its end; none where the request was refused."""
    clients = Clients(attacked.service)
    s3, sagemaker = clients("s3"), clients("sagemaker")
    name = new_name("variables")
    s3.put_object(Bucket=BUCKET, Key=f"{name}/evil.so", Body=b"\x7fELF" + b"\0" * 100)
    s3.put_object(Bucket=BUCKET, Key=f"{name}/data.csv", Body=b"1,2\n")
    source = processing_input("data", f"s3://{BUCKET}/{name}/")
    request = row_counter_job(name, [source], f"s3://{BUCKET}/{name}-out", *arguments)
    request["Environment"] = environment
    try:
        sagemaker.create_processing_job(**request)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error
        return None
    return ended_job(sagemaker, name)


@pytest.mark.parametrize("environment", VARIABLES, ids=lambda variables: next(iter(variables)))
def test_variables_are_the_programs_alone(attacked: Attacked, environment: dict[str, str]) -> None:
    """Whatever a loader, a shell or this project's own programs would heed: it reaches the job, and nothing before it."""
    job = run(attacked, environment)
    assert job is None or job["ProcessingJobStatus"] in ("Completed", "Failed"), job
    assert not Path(MARK).exists()
    assert "evil" not in attacked.service.log_text()


@pytest.mark.parametrize(
    "text", ["a\0b", "\0", "--help", "-", "", "$(touch " + MARK + ")", "'; touch " + MARK, "\u202e", "\x1b[2J"]
)
def test_arguments_are_the_programs_alone(attacked: Attacked, text: str) -> None:
    job = run(attacked, {"A": text or "x"}, text)
    assert job is None or job["ProcessingJobStatus"] in ("Completed", "Failed"), job
    assert not Path(MARK).exists()
    assert attacked.service.is_running()


@pytest.mark.parametrize("name", ["A=B", "", "a b", "1A", "A\0", "A\n", "\u00e4"])
def test_names_of_variables_that_are_none(attacked: Attacked, name: str) -> None:
    assert run(attacked, {name: "x"}) is None
