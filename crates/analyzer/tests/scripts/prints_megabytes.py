"""Prints 50 megabytes: in lines, in one line, and by a child process."""

import subprocess
import sys

MEGABYTE = 1000 * 1000
LINE = "x" * 99


def preprocess_handler(inference_record):
    for _ in range(25 * MEGABYTE // 100):
        print(LINE)
    sys.stdout.write("y" * 20 * MEGABYTE)
    print()
    subprocess.run([sys.executable, "-c", "print('z' * %d)" % (5 * MEGABYTE)], check=True)
    return inference_record
