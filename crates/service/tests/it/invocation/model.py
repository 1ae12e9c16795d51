"""A model server of Python's standard library, which does what the first word of a body says.

    python3 model.py FOLDER      writes its port to FOLDER/port; streams go on once FOLDER/go exists
"""

import json
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER = pathlib.Path(sys.argv[1])


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.give(200, b"")

    def give(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        word, _, rest = body[:200].decode("latin-1").partition(" ")
        getattr(self, f"on_{word}", self.on_echo)(rest, body)

    do_PUT = do_POST

    def on_echo(self, _, body):
        self.give(200, body, [("Content-Type", self.headers.get("Content-Type", "text/plain"))])

    def on_headers(self, _, body):
        seen = {name.lower(): value for name, value in self.headers.items()}
        text = json.dumps({"method": self.command, "path": self.path, "headers": seen})
        self.give(200, text.encode(), [("Content-Type", "application/json")])

    def on_attributes(self, _, body):
        headers = [
            ("Content-Type", "text/csv; charset=utf-8"),
            ("X-Amzn-SageMaker-Custom-Attributes", "trace=1"),
            ("X-Amzn-SageMaker-New-Session-Id", "s1; Expires=2026-12-31T00:00:00Z"),
            ("X-Amzn-SageMaker-Closed-Session-Id", "s0"),
            ("X-Private", "stays here"),
            ("Connection", "keep-alive"),
        ]
        self.give(200, b"0.5\n", headers)

    def on_untyped(self, _, body):
        self.give(200, b"0.5")

    def on_empty(self, _, body):
        self.give(200, b"", [("Content-Type", "text/csv")])

    def on_status(self, rest, body):
        status, _, text = rest.partition(" ")
        self.give(int(status), text.encode(), [("Content-Type", "text/plain")])

    def on_sleep(self, rest, body):
        time.sleep(float(rest))
        self.give(200, b"late")

    def on_large(self, rest, body):
        self.give(200, b"x" * int(rest), [("Content-Type", "text/plain")])

    def on_garbage(self, rest, body):
        self.wfile.write(b"this is no HTTP\r\n\r\n")
        self.close_connection = True

    def on_half(self, rest, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\n0.5,")
        self.wfile.flush()
        self.close_connection = True

    def chunk(self, piece):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def on_stream(self, rest, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/jsonlines")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"first")
        while not (FOLDER / "go").exists():
            time.sleep(0.005)
        if rest == "broken":
            self.close_connection = True
            return
        self.chunk(b"second")
        self.wfile.write(b"0\r\n\r\n")


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
(FOLDER / "port.new").write_text(str(server.server_address[1]))
(FOLDER / "port.new").rename(FOLDER / "port")
server.serve_forever()
