"""The Python side of a user script: loads it, hands it captured records, sends back what it returned.

Started by `process.rs` as `python3 -B -c SOURCE STAGE SCRIPT POSITION_FILE`. Frames come on standard input and leave
on standard output, each with its length before it (64 bit, little endian). The script itself never sees these two:
it reads from the null device, and whatever it or its subprocesses print goes to standard error, the log.

Needs Python 3.8 and nothing outside the standard library.
"""

import datetime
import decimal
import faulthandler
import importlib.machinery
import importlib.util
import inspect
import json
import logging
import math
import mmap
import os
import re
import signal
import struct
import sys
import traceback
import types
from json.encoder import encode_basestring

# Written to the log after every reply, so that the reader of the log knows what belongs to which batch.
LOG_MARKER = b"\x1ewatchkeeper: end of batch\x1e\n"

HANDLERS = {"preprocessor": "preprocess_handler", "postprocessor": "postprocess_handler"}

SKIPPED, UNCHANGED, RECORD, ROWS, ROW, CSV = b"SURDLC"

# The parts of a captured record: attribute, and name in `captureData`.
PARTS = (
    ("endpoint_input", "endpointInput"),
    ("endpoint_output", "endpointOutput"),
    ("batch_transform_output", "batchTransformOutput"),
)

PARSED_ATTRIBUTES = frozenset(
    ("event_dict", "event_metadata", "event_version", "ground_truth") + tuple(attribute for attribute, _ in PARTS)
)


decode = json.JSONDecoder(strict=False).decode


class Unusable(Exception):
    """The script cannot be used; the text says why, and no traceback would say more."""


class NotFlat(Exception):
    """The handler returned what is no row."""


# ---- What the handler gets ------------------------------------------------------------------------------------------


class EventMetadata:
    __slots__ = ("event_id", "event_time", "custom_attribute", "inference_id", "__dict__")

    def __init__(self, members):
        self.event_id = members.get("eventId")
        self.event_time = members.get("inferenceTime")
        self.custom_attribute = members.get("customAttributes")
        self.inference_id = members.get("inferenceId")


class EventData:
    """One payload. It reads and writes the members of the record's `event_dict`, so the two never differ."""

    __slots__ = ("_members", "mode", "__dict__")

    def __init__(self, members):
        self._members = members
        self.mode = members.get("mode")

    @property
    def data(self):
        return self._members.get("data")

    @data.setter
    def data(self, value):
        self._members["data"] = value

    @property
    def encoding(self):
        return self._members.get("encoding")

    @encoding.setter
    def encoding(self, value):
        self._members["encoding"] = value

    @property
    def observedContentType(self):
        return self._members.get("observedContentType")

    @observedContentType.setter
    def observedContentType(self, value):
        self._members["observedContentType"] = value

    def as_dict(self):
        return {
            "encoding": self.encoding,
            "data": self.data,
            "observedContentType": self.observedContentType,
        }

    def __str__(self):
        return str(self.as_dict())


class CapturedRecord:
    """One captured record. The line is parsed when the handler first asks for something in it."""

    __slots__ = ("_line", "__dict__") + tuple(sorted(PARSED_ATTRIBUTES))

    def __init__(self, line):
        object.__setattr__(self, "_line", line)

    def __getattr__(self, name):
        if name in PARSED_ATTRIBUTES:
            self._parse()
            return object.__getattribute__(self, name)
        raise AttributeError(
            "a captured record has no attribute %r; it has %s" % (name, ", ".join(sorted(PARSED_ATTRIBUTES)))
        )

    def __setattr__(self, name, value):
        if name in PARSED_ATTRIBUTES:
            self.event_dict  # Parses the line now, so that parsing it later cannot undo this assignment.
        object.__setattr__(self, name, value)

    def _is_untouched(self):
        try:
            object.__getattribute__(self, "event_dict")
        except AttributeError:
            return True
        return False

    def _parse(self):
        event = decode(self._line.decode())
        if not isinstance(event, dict):
            raise ValueError("the captured record is not a JSON object")
        capture = members_of(event, "captureData") or {}
        put = object.__setattr__
        for attribute, name in PARTS:
            put(self, attribute, optional(EventData, members_of(capture, name)))
        put(self, "ground_truth", optional(EventData, members_of(event, "groundTruthData")))
        put(self, "event_metadata", optional(EventMetadata, members_of(event, "eventMetadata")))
        put(self, "event_version", event.get("eventVersion"))
        put(self, "event_dict", event)

    # Old scripts ask for `inference_record.event_data.endpointInput`.
    event_data = property(lambda self: self)
    endpointInput = property(lambda self: self.endpoint_input)
    endpointOutput = property(lambda self: self.endpoint_output)
    batchTransformOutput = property(lambda self: self.batch_transform_output)

    def as_dict(self):
        """The record as a dictionary, payloads without their mode. As at AWS this is `event_dict` itself, changed."""
        event = self._updated_event()
        for attribute, _ in PARTS:
            part = getattr(self, attribute)
            if part is not None:
                members = part.as_dict()
                part._members.clear()
                part._members.update(members)
        return event

    def _updated_event(self):
        """`event_dict` with the parts that the handler replaced or removed."""
        event = self.event_dict
        capture = event.get("captureData")
        for attribute, name in PARTS:
            part = getattr(self, attribute)
            if part is None:
                if capture:
                    capture.pop(name, None)
            elif isinstance(part, EventData):
                if capture is None:
                    capture = event["captureData"] = {}
                capture[name] = part._members
            else:
                raise NotFlat("The record's `%s` is %s; change its `.data` instead" % (attribute, described(part)))
        return event

    def __str__(self):
        return str(self.as_dict())


def members_of(parent, name):
    members = parent.get(name)
    if members is not None and not isinstance(members, dict):
        raise ValueError("the record's %s is a %s, not an object" % (name, type(members).__name__))
    return members


def optional(kind, members):
    return None if members is None else kind(members)


# ---- What the handler returns ---------------------------------------------------------------------------------------

# Types that the JSON encoder writes as they are wanted, infinite numbers apart.
PLAIN = frozenset((str, int, float, bool, type(None)))
ONLY_TEXT = frozenset((str,))

encode_flat = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
encode_nested = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

WANTED = "return a dict, a list of dicts, a list of values, a text with CSV lines, the record, or None to skip it"


def outcome_of(returned):
    """What the handler returned, as a kind and the text that goes with it."""
    if isinstance(returned, dict):
        if isinstance(returned.get("captureData"), dict):
            return RECORD, record_text(returned)
        return ROWS, "[" + row_text(returned) + "]"
    if returned is None:
        return SKIPPED, ""
    if isinstance(returned, str):
        return CSV, str.__str__(returned)
    if isinstance(returned, CapturedRecord):
        if returned._is_untouched():
            return UNCHANGED, ""
        return RECORD, record_text(returned._updated_event())
    if isinstance(returned, (list, tuple)):
        return outcome_of_list(returned)
    raise NotFlat("The handler returned %s; %s" % (described(returned), WANTED))


def outcome_of_list(returned):
    if not returned:
        return SKIPPED, ""
    if isinstance(returned[0], dict):
        rows = []
        for position, row in enumerate(returned):
            if not isinstance(row, dict):
                raise NotFlat("Item %d of the returned list is %s, the first is a dict" % (position, described(row)))
            if isinstance(row.get("captureData"), dict):
                raise NotFlat("Item %d of the returned list is a whole record; return it by itself" % position)
            rows.append(row_text(row))
        return ROWS, "[" + ",".join(rows) + "]"
    return ROW, list_text(returned)


def row_text(row):
    if PLAIN.issuperset(map(type, row.values())) and ONLY_TEXT.issuperset(map(type, row)):
        try:
            return encode_flat(row)
        except ValueError:
            pass  # A number that is not finite.
    members = {}
    for key, value in row.items():
        text = str.__str__(key) if isinstance(key, str) else str(key)
        if text in members:
            raise NotFlat("Two keys are both `%s` when turned into text" % text)
        members[text] = value_text(value, "Key `%s`" % text)
    return "{" + ",".join([encode_basestring(key) + ":" + value for key, value in members.items()]) + "}"


def list_text(values):
    if PLAIN.issuperset(map(type, values)):
        try:
            return encode_flat(values)
        except ValueError:
            pass
    items = [value_text(value, "Item %d" % position) for position, value in enumerate(values)]
    return "[" + ",".join(items) + "]"


def value_text(value, place):
    """A value as JSON text; `place` says in a message where it stands."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # The missing values of pandas.
        return "null"
    if isinstance(value, str):
        return encode_basestring(str.__str__(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return number_text(value, float.__repr__(value))
    if isinstance(value, decimal.Decimal):
        return number_text(value, str(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return encode_basestring(value.isoformat())
    # A NumPy scalar, or an array or tensor of no dimension.
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "shape", None) == ():
        if str(value.dtype).startswith("datetime64"):  # Its item may be a count of nanoseconds.
            text = str(value)
            return "null" if text == "NaT" else encode_basestring(text)
        item = value.item()
        if not hasattr(item, "dtype"):
            return value_text(item, place)
    raise NotFlat("%s is %s; a value must be text, a number, a bool or None" % (place, described(value)))


def number_text(value, text):
    if math.isfinite(value):
        return text
    if math.isnan(value):
        return "null"
    return '"Infinity"' if value > 0 else '"-Infinity"'


def record_text(event):
    for name, members in event["captureData"].items():
        data = members.get("data") if isinstance(members, dict) else None
        if not isinstance(data, (str, type(None))):
            raise NotFlat("The returned record's `%s` has %s as data; data must be text" % (name, described(data)))
    try:
        return encode_nested(event)
    except (TypeError, ValueError) as error:
        raise NotFlat("The returned record cannot be written as JSON: %s" % error)


def described(value):
    text = repr(value)
    if len(text) > 200:
        text = text[:200] + "..."
    return "`%s` of type %s" % (text, type(value).__name__)


# ---- The script -----------------------------------------------------------------------------------------------------


def load_handler(script, function):
    path = os.path.abspath(script)
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    sys.path.insert(0, os.path.dirname(path))
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    if name in sys.modules:
        name = "script_" + name
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    handler = getattr(module, function, None)
    if callable(handler):
        return handler
    functions = [
        "`%s`" % key
        for key, value in vars(module).items()
        if isinstance(value, types.FunctionType) and value.__module__ == name
    ]
    found = "it defines " + ", ".join(functions) if functions else "it defines no function at all"
    raise Unusable("`%s` does not define the function `%s`; %s" % (os.path.basename(path), function, found))


def positional_parameters(handler):
    """How many arguments the handler takes by position, and how many of them it must get."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return 1, 1
    by_position = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = [parameter for parameter in by_position if parameter.default is parameter.empty]
    takes_any = any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters)
    return max(len(by_position), int(takes_any)), len(required)


def extra_arguments(handler):
    """What the preprocessor gets after the record: nothing, or the logger."""
    taken, required = positional_parameters(handler)
    if taken == 0 or required > 2:
        raise Unusable(
            "`preprocess_handler` takes %d arguments; it must take `(inference_record)` or "
            "`(inference_record, logger)`" % max(taken, required)
        )
    return (script_logger(),) if taken >= 2 else ()


def script_logger():
    logger = logging.getLogger("preprocessor")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    return logger


# ---- Frames ---------------------------------------------------------------------------------------------------------


class Connection:
    """The pipes to the analyzer, out of the script's way."""

    def __init__(self):
        self._requests = os.fdopen(os.dup(0), "rb")
        self._replies = os.fdopen(os.dup(1), "wb")
        self.log = os.dup(2)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def receive(self):
        """The next request; nothing at the end, whether it was announced or the analyzer is gone."""
        header = self._requests.read(8)
        return self._requests.read(struct.unpack("<Q", header)[0]) if len(header) == 8 else b""

    def send(self, *pieces):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # The script may have put anything there, or closed it.
                pass
        os.write(self.log, LOG_MARKER)
        self._replies.write(struct.pack("<Q", sum(map(len, pieces))))
        for piece in pieces:
            self._replies.write(piece)
        self._replies.flush()

    def send_failure(self, failure):
        self.send(b"F", bytes_of(json.dumps(failure, ensure_ascii=False)))


def lines_of(request):
    count = struct.unpack_from("<Q", request)[0]
    start = 8 + 8 * count
    for length in struct.unpack_from("<%dQ" % count, request, 8):
        yield request[start : start + length]
        start += length


def bytes_of(text):
    try:
        return text.encode()
    except UnicodeEncodeError:  # Half of a surrogate pair.
        return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


def failure_of(error):
    """What the analyzer shall say about an exception."""
    if isinstance(error, Unusable):
        return {"kind": "unusable", "message": str(error), "details": ""}
    if isinstance(error, NotFlat):
        return {"kind": "not_flat", "message": str(error), "details": ""}
    trace = error.__traceback__
    while trace is not None and is_internal(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    details = "".join(traceback.format_exception(type(error), error, trace))
    if isinstance(error, SystemExit):
        return {"kind": "raised", "message": "the script called sys.exit(%r)" % (error.code,), "details": details}
    if isinstance(error, ModuleNotFoundError):
        details += "the script runs with %s; install what it imports for this interpreter, or set " % sys.executable
        details += "WATCHKEEPER_PYTHON to one that has it\n"
    message = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
    return {"kind": "raised", "message": message[-1] if message else type(error).__name__, "details": details}


def is_internal(file_name):
    return file_name == failure_of.__code__.co_filename or file_name.startswith("<frozen importlib")


def preprocess(connection, handler, position):
    extra = extra_arguments(handler)
    connection.send(b"R")
    done = 0
    while True:
        request = connection.receive()
        if not request:
            return
        kinds, texts = bytearray(), []
        try:
            for line in lines_of(request):
                # Read by the analyzer when this process ends or hangs.
                done += 1
                struct.pack_into("<Q", position, 0, done)
                kind, text = outcome_of(handler(CapturedRecord(line), *extra))
                kinds.append(kind)
                texts.append(bytes_of(text))
        except BaseException as error:
            connection.send_failure(failure_of(error))
            return
        connection.send(b"R", kinds, struct.pack("<%dQ" % len(texts), *map(len, texts)), *texts)


def postprocess(connection, handler):
    connection.send(b"R")
    if connection.receive():
        try:
            handler()
        except BaseException as error:
            # An orderly end is a success, as of any program.
            if not isinstance(error, SystemExit) or error.code not in (None, 0):
                connection.send_failure(failure_of(error))
                return
        connection.send(b"R")
        connection.receive()


def die_with_analyzer():
    """Between requests the end of the pipe says that the analyzer is gone; a script that hangs needs this."""
    try:
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        pass  # Not Linux.


def main():
    stage, script, position_file = sys.argv[1:4]
    sys.argv = [script]
    connection = Connection()
    die_with_analyzer()
    faulthandler.enable(file=connection.log)
    # Sent before this process is killed at its time limit: shows where the script hangs, even in C.
    faulthandler.register(signal.SIGUSR1, file=connection.log, all_threads=True)
    with open(position_file, "r+b") as file:
        position = mmap.mmap(file.fileno(), 8)
    try:
        handler = load_handler(script, HANDLERS[stage])
        if stage == "preprocessor":
            return preprocess(connection, handler, position)
        return postprocess(connection, handler)
    except BaseException as error:
        connection.send_failure(failure_of(error))


main()
