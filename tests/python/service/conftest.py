"""What every part of the suite shares: one running service a process, and the two ways in for a client."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service import Service

ROUTES = ("endpoint", "proxy")
SCRIPT_SECONDS = 300


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of this process: started once, and ended with SIGTERM, after which nothing of it may remain."""
    service = Service(tmp_path_factory.mktemp("service")).start()
    yield service
    assert service.is_running(), f"the service has ended by itself; its log: {service.log_text()[-2000:]}"
    service.stop()
    assert service.job_folders() == [], "jobs left folders"


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """The endpoint URL, or proxy mode."""
    return request.param


@pytest.fixture
def run_script(service: Service, tmp_path: Path, route: str) -> Callable[..., str]:
    """Runs a user's script in a folder of its own, with nothing but environment variables. Gives what it printed."""

    def run(script: Path, **variables: str) -> str:
        ended = subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            env=service.client_environment(route) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )
        if ended.returncode != 0:
            pytest.fail(f"{script.name} failed by way of the {route}:\n{ended.stdout[-6000:]}", pytrace=False)
        return ended.stdout

    return run
