"""What a program that uses the Rust SDK pays to compile it: a fresh crate that depends on `watchkeeper` alone, built in debug from
nothing. `cargo xtask bench sdk-build [--features local]`.

CPU seconds of all of cargo's processes, downloads not counted. Dependencies from a registry are not compiled incrementally, those by
path are unless told otherwise, so that is switched off (`--incremental`: left on, about a seventh more). The claim is that it stays below
60 without `local`; the least of several rounds is what counts, as other programs on the machine only add."""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAIM = 60.0
MAIN = """\
fn main() -> Result<(), watchkeeper::Error> {
    let session = watchkeeper::Session::builder().region("eu-central-1").build()?;
    println!("{}", session.region());
    Ok(())
}
"""


def make_crate(folder: Path, features: str) -> None:
    """The versions are the workspace's: cargo takes from its lock file what it needs."""
    named = ", ".join(f'"{feature}"' for feature in features.split(",") if feature)
    dependency = f'watchkeeper = {{ path = "{ROOT / "crates/sdk"}", features = [{named}] }}'
    manifest = f'[package]\nname = "fresh"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n{dependency}\n\n[workspace]\n'
    (folder / "Cargo.toml").write_text(manifest)
    (folder / "src").mkdir()
    (folder / "src/main.rs").write_text(MAIN)
    shutil.copy(ROOT / "Cargo.lock", folder / "Cargo.lock")


def build(folder: Path, incremental: bool) -> tuple[float, float, int]:
    """CPU seconds, seconds, and crates."""
    environment = {name: value for name, value in os.environ.items() if name not in ("RUSTFLAGS", "RUSTC_WRAPPER")}
    environment |= {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_TERM_COLOR": "never"}
    environment["CARGO_INCREMENTAL"] = str(int(incremental))
    subprocess.run(["cargo", "fetch"], cwd=folder, env=environment, check=True, capture_output=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    built = subprocess.run(["cargo", "build"], cwd=folder, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        raise SystemExit(built.stderr)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, seconds, sum(line.lstrip().startswith("Compiling") for line in built.stderr.splitlines()) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", default="", help="of the crate, separated by commas")
    parser.add_argument("--incremental", action="store_true", help="as cargo compiles a dependency by path")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    least = float("inf")
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            make_crate(Path(name), arguments.features)
            cpu, seconds, crates = build(Path(name), arguments.incremental)
        print(f"{crates} crates, {cpu:.1f} CPU seconds, {seconds:.1f} seconds on {os.cpu_count()} cores", flush=True)
        least = min(least, cpu)
    if least >= CLAIM and "local" not in arguments.features:
        raise SystemExit(f"not below {CLAIM:.0f} CPU seconds")


if __name__ == "__main__":
    main()
