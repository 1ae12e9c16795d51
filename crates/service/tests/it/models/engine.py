#!/usr/bin/env python3
"""Stands in for a container engine's command line: notes what it is told, and runs the image's program without a container."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
arguments = sys.argv[1:]
with open(os.path.join(HERE, "told"), "a") as told:
    print(*arguments, file=told)
if arguments[0] == "run":
    options, words = {}, iter(arguments[1:])
    for word in words:
        if word in ("--rm", "--init"):
            continue
        if not word.startswith("--"):
            break
        options.setdefault(word, []).append(next(words))
    _, port, container_port = options["--publish"][0].split(":")
    model, place, mode = options["--volume"][0].split(":")
    with open(options["--env-file"][0]) as file:
        given = dict(line.rstrip("\n").split("=", 1) for line in file)
    assert (container_port, place, mode, given["SAGEMAKER_BIND_TO_PORT"]) == ("8080", "/opt/ml/model", "ro", "8080")
    assert not set(given) & set(os.environ), "what is meant for the container is not the engine's"
    environment = dict(os.environ, **given)
    environment.update(SAGEMAKER_BIND_TO_PORT=port, SM_MODEL_DIR=model, WATCHKEEPER_JOB_ROOT=HERE)
    os.execvpe("python3", ["python3", "-u", os.path.join(HERE, "server.py"), word, *words], environment)
