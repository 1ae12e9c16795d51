"""A model server as AWS's linear learner is: a logistic regression of `model.json`, asked and answering as that is.

`application/jsonlines` is `{"features": [...]}` a line, `application/json` is `{"instances": [{"features": [...]}]}`, `text/csv`
is a record a line; the answers are `{"predicted_label": 1, "score": 0.8}` a record, or `1,0.8` a line.

MISBEHAVES makes it do otherwise:

    status CODE TEXT        every request is answered so
    first NUMBER TEXT       the first so many requests are answered with status 500 and that text, then it behaves
    record AGE TEXT         so is every request with a record whose first feature is this
    text                    scores are texts
    short                   one answer too few
    slow SECONDS            every answer takes so long

START_FAILURE ends it at once with that line.
"""

import http.server
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KIND, _, DETAILS = os.environ.get("MISBEHAVES", "").partition(" ")
REQUESTS = iter(range(1, sys.maxsize))


class Failure(Exception):
    """What the server answers instead of predictions."""


class Model:
    def __init__(self, document: dict[str, Any]) -> None:
        self.weights, self.bias = document["weights"], document["bias"]
        self.threshold = document["label_threshold"]

    def answer(self, features: list[Any]) -> dict[str, Any]:
        total = math.fsum(weight * float(value) for weight, value in zip(self.weights, features, strict=True))
        score = 1 / (1 + math.exp(-total - self.bias))
        label = int(score > self.threshold)
        return {"predicted_label": label, "score": f"about {score:.1f}" if KIND == "text" else score}


def records(kind: str, body: str) -> Iterator[list[Any]]:
    if kind == "application/jsonlines":
        yield from (json.loads(line)["features"] for line in body.splitlines())
    elif kind == "application/json":
        yield from (instance["features"] for instance in json.loads(body)["instances"])
    elif kind == "text/csv":
        yield from (line.split(",") for line in body.splitlines())
    else:
        raise Failure(415, f"no such content type: {kind}")


def written(kind: str, answers: list[dict[str, Any]]) -> str:
    if kind == "application/jsonlines":
        return "".join(json.dumps(answer) + "\n" for answer in answers)
    if kind == "application/json":
        return json.dumps({"predictions": answers})
    return "".join(f"{answer['predicted_label']},{answer['score']}\n" for answer in answers)


def predictions(model: Model, kind: str, accepted: str, body: str) -> str:
    if KIND == "slow":
        time.sleep(float(DETAILS))
    if KIND == "status":
        code, _, text = DETAILS.partition(" ")
        raise Failure(int(code), text)
    if KIND == "first":
        count, _, text = DETAILS.partition(" ")
        if next(REQUESTS) <= int(count):
            raise Failure(500, text)
    asked = list(records(kind, body))
    if KIND == "record":
        age, _, text = DETAILS.partition(" ")
        if any(record[0] == float(age) for record in asked):
            raise Failure(500, text)
    answers = [model.answer(record) for record in asked]
    return written(accepted, answers[1:] if KIND == "short" else answers)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404, "", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        accepted = self.headers.get("Accept", "")
        accepted = kind if accepted in ("", "*/*") else accepted
        try:
            self.answer(200, predictions(self.model, kind, accepted, body), accepted)
        except Failure as failure:
            code, text = failure.args
            self.answer(code, text, "text/plain")
        except (ValueError, KeyError, TypeError) as error:
            self.answer(400, f"{type(error).__name__}: {error}", "text/plain")

    def answer(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line a request would fill the log."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    if failure := os.environ.get("START_FAILURE"):
        print(failure, file=sys.stderr, flush=True)
        return 3
    Handler.model = Model(json.loads((Path(os.environ["SM_MODEL_DIR"]) / "model.json").read_text()))
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
