import atexit
import os

atexit.register(lambda: print("last words", flush=True) or os._exit(5))


def preprocess_handler(inference_record):
    return []
