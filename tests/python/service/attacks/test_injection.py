"""Texts of strangers and of jobs, where people and programs read them: logs, terminals, reports, metrics, documents."""

import html.parser
import json
import re
import subprocess
import xml.etree.ElementTree
from pathlib import Path
from urllib.parse import quote

import pytest

from raw_requests import Request, Signing, sign
from resources import ended_job, new_name, row_counter_job
from service import CONFIGURATION, Service, clean_environment, program
from surfaces import BUCKET, FORM, JSON10, OBJECT, Attacked, operation
from wire_clients import Clients

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
FORGED = "2026-01-01T00:00:00Z  INFO forged: everything is fine"
NASTY = f"a\r\n{FORGED}\n{ESCAPE}\u202e\u009b31mb"
# The same as `printf` understands it: arguments of jobs are of one line.
PRINTED = r"\0033]0;owned\0007\0033[2Jvisible\r\nsecond\0233line\n"
MESSAGE = rf"a\r\n{FORGED}\n\0033]0;owned\0007\0033[2J"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def everything_with(attacked: Attacked, text: str) -> None:
    """The text wherever a request has room for one, signed and not."""
    coded, plain = quote(text, safe=""), text.encode("latin-1", "replace").decode("latin-1")
    visible = re.sub(r"[\r\n\x00]", "", plain)
    paths = [f"/{BUCKET}/{coded}", f"/{coded}", f"/endpoints/{coded}/invocations", f"/_watchkeeper/{coded}"]
    paths += [
        f"/_watchkeeper/schedules/{coded}/run",
        f"/_watchkeeper/jobs/{coded}/logs",
        f"/{BUCKET}?prefix={coded}&x={coded}",
    ]
    for path in paths:
        for method in ("GET", "POST", "PUT"):
            target, _, query = path.partition("?")
            request = Request(method, target, "s3" if BUCKET in path else "sagemaker", query=query)
            for headers in ((), (("User-Agent", visible), ("X-Amz-Target", visible), ("Referer", visible))):
                asked = attacked.addressed(request.changed(headers=headers))
                attacked.wire.send(asked)
                attacked.wire.send(sign(asked, Signing(attacked.key)))
    attacked.wire.raw(f"CONNECT {visible}:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1", "replace"))
    attacked.wire.raw(f"CONNECT {coded}.amazonaws.com:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    attacked.wire.raw(f"GET / HTTP/1.1\r\nHost: {visible}\r\n\r\n".encode("latin-1", "replace"))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={visible}/20260101/{visible}/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    attacked.wire.raw(
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode("latin-1", "replace")
    )
    for target, members in {
        "SageMaker.CreateModel": {"ModelName": text, "ExecutionRoleArn": text},
        "SageMaker.ListModels": {"NameContains": text, "NextToken": text},
        "SageMaker.DescribeEndpoint": {"EndpointName": text},
        "SageMaker.CreateMonitoringSchedule": {
            "MonitoringScheduleName": "x",
            "MonitoringScheduleConfig": {"ScheduleConfig": {"ScheduleExpression": text}},
        },
    }.items():
        attacked.ask("sagemaker", target, json.dumps(members).encode())
    attacked.call("POST", "/_watchkeeper/keys", "sagemaker", body=json.dumps({"description": text[:200]}).encode())


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_of_the_log_is_one_of_the_services_own(tmp_path: Path, form: str) -> None:
    """At the level at which every request is logged: no line that a client wrote, and nothing that a terminal obeys."""
    settings = f'\n[log]\nlevel = "info,watchkeeper_service=trace,hyper=trace,tower=trace"\nformat = "{form}"\n'
    service = Service(tmp_path, CONFIGURATION + settings).start()
    attacked = Attacked(service)
    s3 = Clients(service)("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    everything_with(attacked, NASTY)
    service.stop()
    log = service.log.read_bytes().decode()
    assert "request" in log and len(log.splitlines()) > 80, "requests are logged"
    assert CONTROLS.search(log.replace("\n", "")) is None
    for line in log.split("\n")[:-1]:
        if form == "json":
            assert isinstance(json.loads(line), dict), line
        else:
            # A backtrace or a text of several lines would begin otherwise.
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z +(TRACE|DEBUG|INFO|WARN|ERROR) [\w:]+", line), line
            assert not line.startswith(FORGED)


def test_what_commands_print_is_what_they_mean(attacked: Attacked) -> None:
    """A job prints what a terminal would obey; keys and reasons hold it: commands show it, and write none of it."""
    clients = Clients(attacked.service)
    s3, sagemaker = clients("s3"), clients("sagemaker")
    name = new_name("terminal")
    request = row_counter_job(name, [], f"s3://{BUCKET}/{name}", PRINTED, MESSAGE)
    script = 'printf "%b" "$0"; printf "%b" "$1" > /opt/ml/output/message; exit 3'
    request["AppSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", script]
    sagemaker.create_processing_job(**request)
    job = ended_job(sagemaker, name)
    assert job["ProcessingJobStatus"] == "Failed" and "\x1b]0;owned" in job["FailureReason"], job
    made = attacked.call("POST", "/_watchkeeper/keys", "sagemaker", body=json.dumps({"description": NASTY}).encode())
    assert made.status == 200, made
    key = json.loads(made.body)["access_key_id"]
    s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
    shown = {}
    for arguments in (
        ("logs", name),
        ("keys", "list"),
        ("status",),
        ("executions",),
        ("why", "none"),
        ("run", NASTY),
        ("logs", NASTY),
    ):
        ended = attacked.service.run(*arguments, succeeds=False)
        shown[arguments] = ended.stdout
        printed = ended.stdout + ended.stderr
        assert CONTROLS.search(printed) is None, (arguments, printed)
        # What was typed may have lines; what is stored by others may not make one.
        assert not any(line.startswith(FORGED) for line in ended.stdout.splitlines()), (arguments, printed)
    assert "visible" in shown["logs", name]
    assert key in shown["keys", "list"]
    attacked.call("DELETE", f"/_watchkeeper/keys/{key}", "sagemaker")


COLUMNS = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</title><img src=x onerror=alert(3)>",
    '" onmouseover="alert(4)',
    "' onfocus='alert(5)",
    "<!--",
    "]]>",
    "{{7*7}}",
    "${7*7}",
    "javascript:alert(6)",
    "\u2028alert(7)",
    ESCAPE,
    "&lt;b&gt;",
]


class Elements(html.parser.HTMLParser):
    """The elements and attributes of a page, as a browser sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: set[str] = set()
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.in_script = tag == "script"
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.in_script = self.in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts.append(data)


def watchkeeper(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [program(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=60, check=False)


def csv_of(rows: list[list[str]]) -> str:
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)


def test_a_report_shows_columns_and_values_and_obeys_none(tmp_path: Path) -> None:
    """Names and values of a dataset that are markup: the page has the scripts of a report without them, and no more."""
    plain = [f"column {number}" for number in range(len(COLUMNS))]
    pages = {}
    for name, columns in (("plain", plain), ("nasty", COLUMNS)):
        rows = [[f"{columns[place]} {row % 7}" for place in range(len(columns))] for row in range(60)]
        shifted = [[f"{columns[place]} {row % 3}" for place in range(len(columns) - 1)] + ["1"] for row in range(60)]
        (tmp_path / f"{name}.csv").write_text(csv_of([columns, *rows]))
        (tmp_path / f"{name}-later.csv").write_text(csv_of([columns, *shifted]))
        made = watchkeeper("baseline", tmp_path / f"{name}.csv", "-o", tmp_path / name)
        assert made.returncode == 0, made.stderr
        checked = watchkeeper(
            "check", tmp_path / f"{name}-later.csv", "--baseline", tmp_path / name, "-o", tmp_path / f"{name}-check"
        )
        assert checked.returncode == 1, checked.stderr
        for ended in (made, checked):
            assert CONTROLS.search(ended.stdout + ended.stderr) is None, ended
        pages[name] = (tmp_path / f"{name}-check" / "report.html").read_text()
    found = {}
    for name, page in pages.items():
        parser = Elements()
        parser.feed(page)
        found[name] = parser
    nasty, usual = found["nasty"], found["plain"]
    assert nasty.tags <= usual.tags | {"br"}, nasty.tags - usual.tags
    assert len(nasty.scripts) == len(usual.scripts)
    handlers = [
        one
        for one in nasty.attributes
        if one[1].startswith("on") or "javascript:" in one[2] and one[1] in ("href", "src")
    ]
    assert handlers == []
    for text in COLUMNS[:3]:
        assert text not in pages["nasty"]
    policy = [value for tag, name, value in nasty.attributes if tag == "meta" and "default-src" in value]
    assert policy or "script-src" not in pages["nasty"]


def test_the_page_of_metrics_is_of_whole_lines(attacked: Attacked) -> None:
    """Names of metrics, and operations that nobody has: the page has one series a line, and none that a stranger made up."""
    nasty = 'x"} 1\nforged_metric{a="b'
    for text in (nasty, "back\\slash", "\\", '"', "a\tb", "ä€\U0001f4a3"):
        data = {
            "Namespace": "attacks",
            "MetricData": [{"MetricName": text, "Value": 1.0, "Dimensions": [{"Name": text, "Value": text}]}],
        }
        target = "GraniteServiceVersion20100801.PutMetricData"
        answer = attacked.ask("monitoring", target, json.dumps(data).encode(), JSON10)
        assert answer.status in (200, 400), answer
    for number in range(50):
        made_up = operation("sagemaker", f"SageMaker.MadeUp{number}", b"{}")
        assert attacked.wire.send(attacked.addressed(made_up)).status == 400
        assert attacked.wire.send(attacked.signed(made_up)).status == 400
        form = Request(
            "POST",
            "/",
            "sts",
            headers=(("Content-Type", FORM),),
            body=f"Action=MadeUp{number}&Version=2011-06-15".encode(),
        )
        assert 400 <= attacked.wire.send(attacked.addressed(form)).status < 500
    page = attacked.wire.raw(b"GET /_watchkeeper/metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert page.status == 200
    assert "MadeUp" not in page.text, "what strangers make up would be kept for ever"
    label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
    line = re.compile(rf"#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{{{label}(?:,{label})*,?\}})? \S+|")
    for text in page.body.decode().split("\n"):
        assert line.fullmatch(text), text
        assert not text.startswith("forged_metric")


@pytest.mark.parametrize("text", ["<x>&\"'", "]]>", "\x01\x08\x0b\x1b", "\ufffe\uffff", "\ud7ff\ue000", "&#0;"])
def test_documents_of_errors_and_listings_are_whole(attacked: Attacked, text: str) -> None:
    """What a client sent comes back within XML and JSON: parsers of others read it, and read nothing else in it."""
    forms = [
        f"Action=AssumeRole&Version=2011-06-15&RoleArn={quote(text)}&RoleSessionName={quote(text)}",
        f"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole/{quote(text)}&RoleSessionName=session",
        f"Action={quote(text)}&Version=2011-06-15",
        f"Action=GetRole&Version=2010-05-08&RoleName={quote(text)}",
    ]
    for body in forms:
        for service in ("sts", "iam"):
            answer = attacked.call("POST", "/", service, headers=(("Content-Type", FORM),), body=body.encode())
            if answer.body.startswith(b"<"):
                root = xml.etree.ElementTree.fromstring(answer.body)
                assert [element.tag for element in root.iter()].count("x") == 0
            else:
                json.loads(answer.body)
    key = f"{text}/of/documents"
    assert attacked.call("PUT", f"/{BUCKET}/{quote(key)}", "s3", body=b"x").status == 200
    queries = [
        f"list-type=2&prefix={quote(text)}",
        f"list-type=2&delimiter={quote(text)}",
        f"list-type=2&encoding-type=url&start-after={quote(text)}",
    ]
    for query in queries:
        answer = attacked.call("GET", f"/{BUCKET}", "s3", query=query)
        assert answer.status == 200, answer
        try:
            root = xml.etree.ElementTree.fromstring(answer.body)
        except xml.etree.ElementTree.ParseError:
            # XML 1.0 has no way to write these characters: clients ask for `encoding-type=url`, as AWS's own do.
            assert CONTROLS.search(text) or "\ufffe" in text, answer
            assert "encoding-type" not in query
            continue
        assert [element.tag for element in root.iter()].count("x") == 0
    attacked.call("DELETE", f"/{BUCKET}/{quote(key)}", "s3")
    missing = attacked.call("GET", f"/{BUCKET}/{quote(text)}-missing", "s3")
    assert missing.status == 404
    xml.etree.ElementTree.fromstring(missing.body)
    copied = attacked.call(
        "PUT", f"/{BUCKET}/copied", "s3", headers=(("X-Amz-Copy-Source", quote(f"/{BUCKET}/{OBJECT}{text}")),)
    )
    assert copied.status in (400, 404)
    xml.etree.ElementTree.fromstring(copied.body)
