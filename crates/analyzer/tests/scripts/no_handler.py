from os.path import join

THRESHOLD = 1


def preproces_handler(inference_record):
    return join("a", "b")


def helper():
    pass
