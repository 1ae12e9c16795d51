import logging
import os
import subprocess
import sys

print("loaded")


def preprocess_handler(inference_record, logger):
    logger.debug("a detail of %s", inference_record.endpoint_input.data)
    logger.info("information")
    logger.warning("a warning")
    logger.error("an error\nof two lines")
    print("printed")
    print("to standard error", file=sys.stderr)
    logging.warning("by the root logger")
    sys.stdout.flush()
    os.write(1, b"by the system\n")
    subprocess.run(["sh", "-c", "echo by a child; echo unread input:$(cat)"], check=True)
    os.write(2, b"not \xff UTF-8\r\n")
    os.write(2, b"no line end")
