"""Fails as the payload asks."""

import os
import re
import signal
import subprocess
import sys
import time

# A named pipe that a test reads: it comes to its end when this process and its children are gone.
if "LIFELINE" in os.environ:
    lifeline = os.open(os.environ["LIFELINE"], os.O_WRONLY)
    os.set_inheritable(lifeline, True)


def look_up(key):
    return {}[key]


def preprocess_handler(inference_record):
    way = inference_record.endpoint_input.data
    print("process %d is about to: %s" % (os.getpid(), way))
    if way == "raise":
        return look_up("feature")
    if way == "exit":
        sys.exit(3)
    if way == "end":
        os._exit(4)
    if way == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if way == "hang":
        while True:
            time.sleep(0.01)
    if way == "hang in C":
        re.match("(a*)*b", "a" * 60)
    if way == "hang with a child":
        subprocess.run(["sh", "-c", "echo the child runs; sleep 600"], close_fds=False)
    if way == "hang in a deep call":
        preprocess_handler(inference_record)
    if way == "wrong attribute":
        return inference_record.endpoint_inputs
    if way == "close":
        os.closerange(3, 100)
        time.sleep(600)
    if way == "print and hang":
        while True:
            print("still running")
