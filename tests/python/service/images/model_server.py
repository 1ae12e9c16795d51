"""A model server of a user's own, as a program: `/ping` and `/invocations` on SAGEMAKER_BIND_TO_PORT, and nothing else.

What it is asked says what it does. `text/x-command` bodies are commands, anything else is answered as it came, with
the variable SUFFIX behind it:

    describe                its folder, environment, arguments and headers, and what only this process has, as JSON
    sleep SECONDS           an answer that takes its time
    status CODE TEXT        another status, with that text
    stream COUNT SECONDS    an answer in so many parts, with that long between them
    break COUNT             so many parts of a longer answer, then the connection is cut
    bare                    an answer without a content type
    garbage                 bytes that are no HTTP
    die                     the process ends without an answer

START_SECONDS makes it slow to start, START_FAILURE ends it at once with that line.
"""

import http.server
import json
import os
import sys
import time
import uuid
from pathlib import Path

PART = b"0123456789" * 10
# Process ids do not tell processes apart: in a namespace of its own each is the second.
PROCESS = uuid.uuid4().hex


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/invocations":
            self.answer(404, b"")
            return
        kind = self.headers.get("Content-Type")
        if kind == "text/x-command":
            name, *arguments = body.decode().split(" ", 2)
            getattr(self, f"do_{name}")(*arguments)
        else:
            self.answer(200, body + os.environ.get("SUFFIX", "").encode(), kind)

    def answer(self, status: int, body: bytes, kind: str | None = "text/plain") -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
        if attributes := self.headers.get("X-Amzn-SageMaker-Custom-Attributes"):
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"seen {attributes}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_describe(self) -> None:
        folder = Path(os.environ["SM_MODEL_DIR"])
        files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
        description = {
            "files": files,
            "environment": dict(os.environ),
            "arguments": sys.argv[1:],
            "headers": dict(self.headers),
            "process": PROCESS,
        }
        self.answer(200, json.dumps(description).encode(), "application/json")

    def do_sleep(self, seconds: str) -> None:
        time.sleep(float(seconds))
        self.answer(200, b"slept")

    def do_status(self, code: str, text: str) -> None:
        self.answer(int(code), text.encode())

    def do_bare(self) -> None:
        self.answer(200, b"bare", None)

    def do_stream(self, count: str, seconds: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(int(count)):
            if number > 0:
                time.sleep(float(seconds))
            part = f"part {number};".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_break(self, count: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(PART) * (int(count) + 1)))
        self.end_headers()
        self.wfile.write(PART * int(count))
        self.wfile.flush()
        self.close_connection = True

    def do_garbage(self) -> None:
        self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def do_die(self) -> None:
        os._exit(7)

    def log_message(self, form: str, *values: object) -> None:
        print("model server:", form % values, flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    print("model server starts with", *sys.argv[1:], flush=True)
    if failure := os.environ.get("START_FAILURE"):
        print(failure, file=sys.stderr, flush=True)
        return 3
    # As talkative as model servers are: of a live log version 2 of the SDK shows only pages of ten that others follow.
    for part in range(1, 13):
        print(f"part {part} of 12 is loaded", flush=True)
    time.sleep(float(os.environ.get("START_SECONDS", 0)))
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
