"""The operators' interface, signed as its commands sign."""

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from victim import KEY, Victim

PAGE = 1000


def ask(victim: Victim, path: str, query: dict[str, str] | None = None, body: Any = None) -> Any:
    """A GET, or with a body a POST."""
    url = f"http://{victim.listen}/_watchkeeper/{path}" + (f"?{urlencode(query)}" if query else "")
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest("GET" if body is None else "POST", url, {"Content-Type": "application/json"}, data)
    credentials = Credentials(KEY["WATCHKEEPER_ACCESS_KEY_ID"], KEY["WATCHKEEPER_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "watchkeeper", "eu-west-1").add_auth(request)
    plain = urllib.request.Request(url, data, dict(request.headers.items()), method=request.method)
    with urllib.request.urlopen(plain, timeout=60) as answer:
        return json.load(answer)


def executions(victim: Victim, schedule: str, start: str | None = None) -> list[dict[str, Any]]:
    """All rows of a schedule, whatever became of the tick, the oldest first; those at a moment or later."""
    rows: list[dict[str, Any]] = []
    query = {"schedule": schedule, "limit": str(PAGE)} | ({"from": start} if start else {})
    while True:
        page = ask(victim, "executions", query)
        rows += page["executions"]
        if not page.get("next"):
            return rows[::-1]
        query["after"] = page["next"]
