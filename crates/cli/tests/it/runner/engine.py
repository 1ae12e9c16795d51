#!/usr/bin/env python3
"""Stands in for a container engine's command line: notes what it is told, and runs the program without a container.

What it runs finds the first volume by WATCHKEEPER_JOB_ROOT, as its path in the container would be elsewhere on the machine.
A signal to it is one to the program, and `rm --force` ends a container by its name.
"""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ("--rm", "--init")


def note(arguments):
    with open(os.path.join(HERE, "told"), "a") as told:
        told.write(" ".join(arguments).replace("\n", " ") + "\n")


def run(arguments):
    options, words = {}, iter(arguments)
    image = None
    for word in words:
        if word in FLAGS:
            continue
        if not word.startswith("--"):
            image = word
            break
        options.setdefault(word, []).append(next(words))
    command = options.get("--entrypoint", []) + list(words)
    environment = {"PATH": os.environ["PATH"], "IMAGE": image}
    with open(options["--env-file"][0]) as file:
        environment.update(line.rstrip("\n").split("=", 1) for line in file)
    for variable in options.get("--env", []):
        name, _, value = variable.partition("=")
        environment[name] = value
    for volume in options["--volume"]:
        folder, place, mode = volume.rsplit(":", 2)
        assert os.path.isdir(folder) and folder.endswith(place) and mode in ("ro", "rw"), volume
    first, place, _ = options["--volume"][0].rsplit(":", 2)
    environment["WATCHKEEPER_JOB_ROOT"] = first.removesuffix(place)
    with open(os.path.join(HERE, options["--name"][0]), "w") as file:
        file.write(str(os.getpid()))
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        sys.exit(f"exec: {command[0]}: {error}")


def remove(name):
    try:
        with open(os.path.join(HERE, name)) as file:
            os.kill(int(file.read()), signal.SIGKILL)
        os.remove(os.path.join(HERE, name))
    except OSError:
        pass


if __name__ == "__main__":
    note(sys.argv[1:])
    if sys.argv[1] == "run":
        run(sys.argv[2:])
    elif sys.argv[1] == "rm":
        remove(sys.argv[3])
