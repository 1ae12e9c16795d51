import os
import sys


def preprocess_handler(inference_record):
    return [os.environ.get("MY_VARIABLE"), os.environ.get("HOME"), sys.stdin.read(), len(sys.argv)]
