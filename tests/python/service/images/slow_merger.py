"""The container that merges captures and ground truth, after two seconds: long enough to be met while it runs.

slow_merger.py PROGRAM
"""

import os
import sys
import time

print("merging soon", flush=True)
time.sleep(2)
os.execv(sys.argv[1], [sys.argv[1], "analyze", "groundtruth-merger"])
