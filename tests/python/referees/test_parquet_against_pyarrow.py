"""Parquet files that PyArrow writes, against the CSV that it writes of the same table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from watchkeeper import Watchkeeper

ROWS = 3_000


def table() -> pa.Table:
    generator = np.random.default_rng(11)

    def with_gaps(values: list, share: float = 0.1) -> list:
        return [None if gap else value for value, gap in zip(values, generator.random(ROWS) < share, strict=True)]

    whole = generator.integers(-1_000, 1_000, ROWS).tolist()
    words = generator.choice(["plain", "with, comma", 'with "quote"', "Größe"], ROWS).tolist()
    return pa.table(
        {
            "int64": pa.array(with_gaps(whole), pa.int64()),
            "int8": pa.array([value % 100 for value in whole], pa.int8()),
            "uint32": pa.array([abs(value) for value in whole], pa.uint32()),
            "double": pa.array(with_gaps((generator.normal(size=ROWS) * 100).tolist()), pa.float64()),
            "string": pa.array(with_gaps(words), pa.string()),
            "large_string": pa.array(words, pa.large_string()),
            "dictionary": pa.array(words).dictionary_encode(),
            "boolean": pa.array(with_gaps((generator.random(ROWS) < 0.3).tolist()), pa.bool_()),
        }
    )


def without_text_forms(feature: dict) -> dict:
    """A feature without the figure that hangs on how a number is written."""
    numerical = dict(feature.get("numerical_statistics", {}))
    numerical.pop("approximate_num_distinct_values", None)
    return feature | {"numerical_statistics": numerical}


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_parquet_says_the_same_as_csv(watchkeeper: Watchkeeper, tmp_path: Path, compression: str) -> None:
    data = table()
    parquet, text = tmp_path / "table.parquet", tmp_path / "table.csv"
    pa.parquet.write_table(data, parquet, compression=compression, row_group_size=700)
    decoded = data.set_column(data.schema.get_field_index("dictionary"), "dictionary", data["dictionary"].cast(pa.string()))
    pa.csv.write_csv(decoded, text)

    from_parquet, from_text = watchkeeper.baseline(parquet), watchkeeper.baseline(text)
    assert from_parquet.item_count() == from_text.item_count() == ROWS
    expected = from_text.statistics()
    features = from_parquet.statistics()
    assert list(features) == data.column_names
    for name, feature in features.items():
        if name == "double":
            feature, expected[name] = without_text_forms(feature), without_text_forms(expected[name])
        assert feature == expected[name]
    assert from_parquet.text("constraints.json") == from_text.text("constraints.json")

