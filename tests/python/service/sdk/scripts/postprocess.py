"""A post-analytics script: it adds a file of its own to the results."""

import os
from pathlib import Path


def postprocess_handler():
    results = Path(os.environ["output_path"])
    names = sorted(path.name for path in results.iterdir())
    (results / "postprocessed.txt").write_text("\n".join(names))
    print("postprocess_handler saw", *names)
