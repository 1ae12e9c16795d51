"""A network namespace for one process, whose cable can be pulled: nothing it sends arrives, and nobody is told. Needs root."""

import os
import shutil
import subprocess

from disks import run


def lack_of_namespaces() -> str | None:
    """Why there can be none here, or None."""
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    if shutil.which("ip") is None:
        return "there is no ip (package iproute2)"
    return None


class Namespace:
    """A namespace and the pair of devices that connects it, with an address at each end."""

    def __init__(self) -> None:
        number = os.getpid() % 250 + 1
        self.name = f"campaign-{os.getpid()}"
        self.device = f"wkc{os.getpid() % 100_000}"
        self.host, self.inside = f"10.213.{number}.1", f"10.213.{number}.2"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.device, "type", "veth", "peer", "name", "up0", "netns", self.name)
        run("ip", "address", "add", f"{self.host}/24", "dev", self.device)
        run("ip", "link", "set", self.device, "up")
        self.run_inside("ip", "address", "add", f"{self.inside}/24", "dev", "up0")
        self.run_inside("ip", "link", "set", "up0", "up")
        self.run_inside("ip", "link", "set", "lo", "up")

    @property
    def prefix(self) -> list[str]:
        """What a command begins with that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def run_inside(self, *command: str) -> None:
        run(*self.prefix, *command)

    def cut(self) -> None:
        run("ip", "link", "set", self.device, "down")

    def heal(self) -> None:
        run("ip", "link", "set", self.device, "up")

    def remove(self) -> None:
        subprocess.run(["ip", "link", "delete", self.device], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)
