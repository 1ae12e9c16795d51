"""pandas over s3fs: data frames by `s3://` addresses, from nothing but environment variables, as notebooks use them."""

import subprocess
import sys
import uuid

from service import Service

SCRIPT = """
import os
import pandas
import s3fs

bucket = "frames-" + os.environ["RUN"]
files = s3fs.S3FileSystem()
files.mkdir(bucket)
frame = pandas.DataFrame({"a": range(100_000), "b": [f"text {number}" for number in range(100_000)]})
frame.to_csv(f"s3://{bucket}/folder/frame.csv", index=False)
pandas.testing.assert_frame_equal(pandas.read_csv(f"s3://{bucket}/folder/frame.csv"), frame)
frame.head().to_json(f"s3://{bucket}/folder/frame.json", orient="records", lines=True)
assert len(pandas.read_json(f"s3://{bucket}/folder/frame.json", lines=True)) == 5
assert sorted(files.ls(f"{bucket}/folder")) == [f"{bucket}/folder/frame.csv", f"{bucket}/folder/frame.json"]
assert files.info(f"{bucket}/folder/frame.csv")["size"] == len(frame.to_csv(index=False))
with files.open(f"{bucket}/folder/frame.csv", "rb") as opened:
    opened.seek(-9, 2)
    assert opened.read() == b"xt 99999\\n", "the end of the file"
try:
    pandas.read_csv(f"s3://{bucket}/folder/missing.csv")
    raise AssertionError("read a file that is not there")
except FileNotFoundError:
    pass
files.rm(f"{bucket}/folder", recursive=True)
files.rmdir(bucket)
print("done")
"""


def test_data_frames(service: Service, route: str) -> None:
    environment = service.client_environment(route) | {"RUN": uuid.uuid4().hex[:8]}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
