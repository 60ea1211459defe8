"""`make drill`: the whole system on clusters, under a load of bookings, while everything around and in it fails.

Ends with status 0 where nothing was lost or doubled and enough went really wrong, else with 1.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

import uvloop

from local_stack.progress import say
from tests.faults.drill.drill import Size, drill


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drill", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="repeats the choices")
    parser.add_argument("--bookings", type=int, default=2_000)
    parser.add_argument("--faults", type=int, default=100, help="at least so many; from 100 on, every kind of them")
    parser.add_argument("--folder", type=Path, help="for data and logs; a new one under the system's own for such")
    parser.add_argument("--rest-within", type=float, default=420.0, help="seconds to come to rest after the last fault")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix=f"convoke-drill-{asked.seed}-"))
    folder.mkdir(parents=True, exist_ok=True)
    size = Size(asked.seed, asked.bookings, asked.faults, rest_within=asked.rest_within)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(drill(size, folder))
    for line in report.lines():
        say(line)
    (folder / "report.txt").write_text("\n".join(report.lines()) + "\n")
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
