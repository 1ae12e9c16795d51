"""A model server that does what a request's first word says: it stands for all that real ones do, and should not do."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.environ.get("WATCHKEEPER_JOB_ROOT", "")
released = threading.Event()
connections = 0
sick = False


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        global connections
        connections += 1
        super().setup()

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path == "/slow":
            return self.answer(200, b"slow")
        if sick:
            time.sleep(100)
        self.answer(int(os.environ.get("PING_STATUS", "200")), b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        word, _, rest = body.decode(errors="replace").partition(" ")
        action = getattr(self, "do_" + word.strip().replace("-", "_"), None)
        if action is None:
            return self.answer(200, body)
        action(rest)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_echo(self, rest):
        self.answer(200, rest.encode(), [("Content-Type", self.headers.get("Content-Type", ""))])

    def do_told(self, rest):
        files = []
        for folder, _, names in os.walk(os.environ["SM_MODEL_DIR"]):
            for name in names:
                path = os.path.join(folder, name)
                kind = "link" if os.path.islink(path) else "program" if os.access(path, os.X_OK) else "file"
                relative = os.path.relpath(path, os.environ["SM_MODEL_DIR"])
                files.append([relative, kind, open(path).read()])
        told = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "path": self.path,
            "files": sorted(files),
        }
        self.answer(200, json.dumps(told).encode())

    def do_connections(self, rest):
        self.answer(200, str(connections).encode())

    def do_pid(self, rest):
        self.answer(200, str(os.getpid()).encode())

    def do_error(self, rest):
        self.answer(int(rest), b"the model is angry", [("X-Amzn-SageMaker-Custom-Attributes", "angry")])

    def do_slow(self, rest):
        time.sleep(float(rest))
        self.answer(200, b"at last")

    def do_flood(self, rest):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(200):
            self.wfile.write(bytes(1 << 20))

    def do_hang(self, rest):
        time.sleep(100)

    def do_die(self, rest):
        print("I am dying")
        sys.stdout.flush()
        os._exit(7)

    def do_killed(self, rest):
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_garbage(self, rest):
        self.wfile.write(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")
        self.close_connection = True

    def do_half(self, rest):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"the first part")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_nothing(self, rest):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_close(self, rest):
        self.answer(200, b"closing", [("Connection", "close")])
        self.close_connection = True

    def do_close_silently(self, rest):
        self.answer(200, b"closing")
        self.close_connection = True

    def do_stream(self, rest):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"first")
        released.wait(60)
        self.chunk(b"second")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def do_release(self, rest):
        released.set()
        self.answer(200, b"released")

    def do_sick(self, rest):
        global sick
        sick = True
        self.answer(200, b"sick")


def main():
    print("model server with", *sys.argv[1:])
    marker = os.path.join(ROOT, "started")
    is_first = not os.path.exists(marker)
    open(marker, "a").close()
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    if "FAIL" in os.environ:
        print("ModuleNotFoundError: No module named 'xgboost'", file=sys.stderr)
        sys.exit(3)
    if "PORT_IS_TAKEN_ONCE" in os.environ and is_first:
        holder = "import socket, time; s = socket.create_server(('127.0.0.1', %d)); print('held', flush=True); time.sleep(3)"
        process = subprocess.Popen(
            [sys.executable, "-c", holder % port], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        process.stdout.readline()
        print("OSError: [Errno 98] Address already in use", file=sys.stderr)
        sys.exit(1)
    if "IGNORE_TERM" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, goodbye)
    time.sleep(float(os.environ.get("SLOW_START", "0")))
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def goodbye(*arguments):
    print("goodbye")
    sys.stdout.flush()
    os._exit(0)


main()
