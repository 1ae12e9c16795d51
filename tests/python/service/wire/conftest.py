"""boto3 for the route of a test, every answer of which is held to botocore's model."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from response_shapes import ResponseChecker
from service import Service

Clients = Callable[..., Any]


@pytest.fixture(scope="session")
def checker() -> ResponseChecker:
    return ResponseChecker()


def set_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Makes this process's variables those of the client: nothing of before may stay."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def clients(
    service: Service, route: str, checker: ResponseChecker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Clients]:
    """Makes a client of a service, from nothing but the environment."""
    set_environment(monkeypatch, service.client_environment(route))
    session = boto3.Session()

    def client(name: str, **options: Any) -> Any:
        made = session.client(name, **options)
        checker.watch(made)
        return made

    yield client
