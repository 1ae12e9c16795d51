"""The AWS command line, version 1 (the second is in no package index), from nothing but environment variables."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources import ended_job, new_name, row_counter_job
from service import Service

Aws = Callable[..., str]


@pytest.fixture
def aws(service: Service, route: str, tmp_path: Path) -> Aws:
    environment = service.client_environment(route)

    def run(*arguments: str | Path, succeeds: bool = True) -> str:
        command = [sys.executable, Path(sys.executable).with_name("aws"), *arguments]
        ended = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert (ended.returncode == 0) == succeeds, ended.stderr + ended.stdout
        return ended.stdout if succeeds else ended.stderr

    return run


def test_objects(aws: Aws, tmp_path: Path) -> None:
    bucket = new_name("command-line")
    aws("s3", "mb", f"s3://{bucket}")
    assert bucket in aws("s3", "ls")
    local = tmp_path / "local"
    (local / "sub").mkdir(parents=True)
    (local / "a.txt").write_text("a")
    (local / "sub/b c.txt").write_text("b")
    (local / "large.bin").write_bytes(bytes(9 << 20))
    aws("s3", "sync", local, f"s3://{bucket}/copy")
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/copy/").splitlines()
    assert [line.split(maxsplit=3)[2:] for line in listed] == [
        ["1", "copy/a.txt"],
        [str(9 << 20), "copy/large.bin"],
        ["1", "copy/sub/b c.txt"],
    ]
    assert aws("s3", "sync", local, f"s3://{bucket}/copy") == "", "nothing has changed"
    aws("s3", "cp", f"s3://{bucket}/copy/large.bin", f"s3://{bucket}/large again.bin")
    aws("s3", "cp", f"s3://{bucket}/large again.bin", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == bytes(9 << 20)
    aws("s3", "mv", f"s3://{bucket}/copy/a.txt", f"s3://{bucket}/moved.txt")
    assert aws("s3", "cp", f"s3://{bucket}/moved.txt", "-") == "a"
    assert "404" in aws("s3", "cp", f"s3://{bucket}/copy/a.txt", "-", succeeds=False)
    aws("s3", "rm", "--recursive", f"s3://{bucket}/copy")
    aws("s3", "rb", "--force", f"s3://{bucket}")
    assert bucket not in aws("s3", "ls")


def test_control_plane_and_logs(aws: Aws, tmp_path: Path) -> None:
    name = new_name("command-line")
    aws("s3", "mb", f"s3://{name}")
    request = tmp_path / "job.json"
    request.write_text(json.dumps(row_counter_job(name, [], f"s3://{name}/out")))
    arn = json.loads(aws("sagemaker", "create-processing-job", "--cli-input-json", f"file://{request}"))[
        "ProcessingJobArn"
    ]
    ended_job(CommandLine(aws), name)
    aws("sagemaker", "wait", "processing-job-completed-or-stopped", "--processing-job-name", name)
    found = aws(
        "sagemaker",
        "list-processing-jobs",
        "--name-contains",
        name,
        "--query",
        "ProcessingJobSummaries[].ProcessingJobName",
    )
    assert json.loads(found) == [name]
    assert "ValidationException" in aws("sagemaker", "describe-endpoint", "--endpoint-name", name, succeeds=False)
    events = aws(
        "logs",
        "filter-log-events",
        "--log-group-name",
        "/aws/sagemaker/ProcessingJobs",
        "--log-stream-name-prefix",
        name + "/",
    )
    assert arn in events
    assert json.loads(aws("sts", "get-caller-identity"))["Account"] in arn
    assert name in aws("s3", "ls")
    aws("cloudwatch", "put-metric-data", "--namespace", name, "--metric-name", "m", "--value", "1")
    assert "m" in aws("cloudwatch", "list-metrics", "--namespace", name)
    aws("sagemaker", "add-tags", "--resource-arn", arn, "--tags", "Key=k,Value=v")
    assert json.loads(aws("sagemaker", "list-tags", "--resource-arn", arn))["Tags"] == [{"Key": "k", "Value": "v"}]


class CommandLine:
    """So much of a client as waiting for a job needs."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def describe_processing_job(self, *, ProcessingJobName: str) -> Any:  # noqa: N803
        return json.loads(self.aws("sagemaker", "describe-processing-job", "--processing-job-name", ProcessingJobName))
