"""Returns what the payload asks for."""

import datetime
import decimal
import enum


class Colour(str, enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


class Scalar:
    """Looks like a scalar of NumPy."""

    def __init__(self, value, dtype, item):
        self.value, self.dtype, self.shape, self._item = value, dtype, (), item

    def item(self):
        return self._item

    def __str__(self):
        return self.value


class NAType:
    """Has the name of the missing value of pandas."""


VALUES = {
    "text": 'a "b" ü \n',
    "int": 1,
    "big": 123456789012345678901234567890,
    "float": 1.0,
    "small": 1e-05,
    "true": True,
    "none": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "decimal": decimal.Decimal("1.10"),
    "long decimal": decimal.Decimal("0.1234567890123456789012345"),
    "decimal nan": decimal.Decimal("NaN"),
    "date": datetime.date(2020, 2, 29),
    "moment": datetime.datetime(2020, 2, 29, 12, 30),
    "colour": Colour.RED,
    "size": Size.LARGE,
    "numpy float": Scalar("0.5", "float32", 0.5),
    "numpy time": Scalar("2020-02-29T00:00:00.000000000", "datetime64[ns]", 1582934400000000000),
    "numpy no time": Scalar("NaT", "datetime64[ns]", None),
    "pandas": NAType(),
    "half a pair": "\ud800",
}

CASES = {
    "dict": {"b": "2", "a": 1, "c": None},
    "keys": {7: "x", 2.5: "y", None: "z", False: "t"},
    "values": VALUES,
    "no values": {},
    "dicts": [{"a": 1}, {"b": 2.5}],
    "empty list": [],
    "none": None,
    "text": "1,2\n3,4\n",
    "empty text": "",
    "list": [1, "a", None, 2.5, True],
    "tuple": (1, float("nan")),
    "list of nan": [float("nan"), decimal.Decimal("5")],
    "number": 42,
    "set": {1},
    "nested": {"features": [1, 2]},
    "nested list": [1, [2]],
    "mixed list": [{"a": 1}, 2],
    "twice": {1: "a", "1": "b"},
    "bytes": b"1,2",
    "array": {"array": Scalar("[1 2]", "int64", Scalar("1", "int64", 1))},
}


def preprocess_handler(inference_record):
    return CASES[inference_record.endpoint_input.data]
