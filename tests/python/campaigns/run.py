#!/usr/bin/env python3
"""The fault campaigns: a real service under work and faults, again and again, and everything compared after each.

    cargo xtask campaign NAME [--times N] [--seed S] [--keep DIR]

Exit status 1 at the first finding; the folder of the campaign, with its journal, the service's log and its data, is then
kept and named.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "service")]

from campaigns import CAMPAIGNS  # noqa: E402 - found by the line above
from disks import enter_namespace  # noqa: E402


def main() -> int:
    arguments = argparse.ArgumentParser(prog="cargo xtask campaign")
    arguments.add_argument("name", choices=[*CAMPAIGNS])
    arguments.add_argument("--times", type=int, default=20, help="how many faults there are to be")
    arguments.add_argument("--seed", type=int, help="what is done, and when the faults come; printed when it is drawn")
    arguments.add_argument("--brief", action="store_true", help="outages last seconds instead of a minute")
    arguments.add_argument("--keep", type=Path, help="a folder for what is left, whatever the end")
    given = arguments.parse_args()
    reason = CAMPAIGNS[given.name].lacks()
    if reason is not None:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    if CAMPAIGNS[given.name].needs_disk:
        enter_namespace()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = given.keep or Path(tempfile.mkdtemp(prefix=f"campaign-{given.name}-"))
    print(f"{given.name}: seed {seed}, {given.times} times, in {folder}", flush=True)
    campaign = CAMPAIGNS[given.name](folder, seed, given.brief)
    try:
        campaign.run(given.times, lambda text: print(f"{time.strftime('%H:%M:%S')} {text}", flush=True))
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            traceback.print_exc()
        print(f"FINDING in round {campaign.round}, seed {seed}: {error}\nwhat is left is in {folder}", flush=True)
        return 1
    finally:
        campaign.clean_up()
    if given.keep is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
