"""Small disks of a campaign's own: an image in a file, mounted by a loop device. Needs root.

They are mounted in a mount namespace of the campaign's own, so that nobody else has them and nothing of them can be left over.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ledger import Finding

ENTERED = "CAMPAIGN_HAS_MOUNT_NAMESPACE"


class NoDisk(Exception):
    """This machine or this user cannot mount one; the text says why."""


def run(*command: str | Path) -> str:
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise NoDisk(f"{' '.join(map(str, command))}: {ended.stderr.strip() or ended.stdout.strip()}")
    return ended.stdout


def lack_of_disks() -> str | None:
    """Why there can be no disk of one's own here, or None."""
    if os.geteuid() != 0:
        return "only root may mount a disk of its own"
    missing = [name for name in ("unshare", "mkfs.ext4", "losetup") if shutil.which(name) is None]
    if missing:
        return f"there is no {', '.join(missing)}"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    return None


def enter_namespace() -> None:
    """Runs this program anew in a mount namespace of its own, where nothing lacks; returns where it is there already."""
    if os.environ.get(ENTERED):
        return
    os.environ[ENTERED] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.orig_argv[1:]])


class Disk:
    """A file system (ext4) of a size, at a folder. An error of it makes it read-only, as is usual."""

    def __init__(self, image: Path, folder: Path, megabytes: int) -> None:
        self.image, self.folder = image, folder
        folder.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-m", "0", image)
        self.mount()

    def mount(self) -> None:
        run("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)

    def unmount(self) -> None:
        """Sandboxes that were made meanwhile have the disk too; it is free once they are gone."""
        run("umount", self.folder)
        deadline = time.monotonic() + 60
        while run("losetup", "--associated", self.image):
            if time.monotonic() > deadline:
                raise Finding(f"processes hold the disk a minute after it was unmounted: {holders(self.folder)}")
            time.sleep(0.05)

    def fill(self) -> None:
        """Takes whatever is free, to the last block."""
        with (self.folder / "ballast").open("ab") as ballast:
            size, step = ballast.tell(), 64 << 20
            while step >= 512:
                try:
                    os.posix_fallocate(ballast.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def break_down(self) -> None:
        """Makes the file system find an error; from then on it is read-only."""
        device, *_ = self.mounted()
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("a campaign")
        if not self.is_read_only():
            raise Finding("the disk of the campaign did not become read-only")

    def is_read_only(self) -> bool:
        return not {"ro", "emergency_ro"}.isdisjoint(self.mounted()[3].split(","))

    def mounted(self) -> list[str]:
        """The fields of its line among the kernel's mounts: device, folder, kind, options."""
        lines = Path("/proc/mounts").read_text().splitlines()
        return next(line for line in lines if f" {self.folder} " in line).split(" ")

    def repair(self) -> None:
        """What an operator does: unmounts, has it checked, mounts again. Nobody may use it meanwhile."""
        self.unmount()
        checked = subprocess.run(["e2fsck", "-y", "-f", self.image], capture_output=True, text=True, check=False)
        if checked.returncode > 1:
            raise Finding(f"the disk of the campaign could not be repaired: {checked.stdout}")
        self.mount()
        if self.is_read_only():
            raise Finding(f"the disk of the campaign is read-only after it was repaired: {checked.stdout}")

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
        self.image.unlink(missing_ok=True)


def holders(folder: Path) -> list[str]:
    """Processes in whose namespace a folder is mounted."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and f" {folder} " in (process / "mounts").read_text(encoding="utf-8"):
                found.append(f"{process.name} {(process / 'cmdline').read_bytes()[:200]!r}")
        except OSError:
            continue
    return found
