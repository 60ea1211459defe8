"""`make crash-pairs`: every pair of faults of every scenario, on all processors, with progress; stopped, it goes on.

What was tried is kept in a file, by first fault; `--afresh` begins anew. A pair that does harm ends it with status 1.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import structlog

from tests.faults.crashes.effects import Fault, How
from tests.faults.crashes.enumerator import run, single_faults
from tests.faults.crashes.points import POINTS

KEPT_IN = Path(".crash-pairs")
First = tuple[str, int, How]


def main() -> int:
    """Try what has not been tried yet, for as long as was asked for; return the status."""
    asked = _arguments()
    if asked.afresh:
        KEPT_IN.unlink(missing_ok=True)
    tried = set(KEPT_IN.read_text().split("\n")) if KEPT_IN.exists() else set[str]()
    left = [first for first in _firsts(asked.seed) if _name(first) not in tried]
    print(f"{len(left)} first faults are left, each with every second one; seed {asked.seed}", flush=True)  # noqa: T201
    return _try_all(left, time.monotonic() + asked.minutes * 60, asked.processes)


def _try_all(left: list[First], until: float, processes: int) -> int:
    pairs, done, waiting = 0, 0, iter(left)
    with ProcessPoolExecutor(processes) as pool, KEPT_IN.open("a") as kept:
        while firsts := list(islice(waiting, processes * 2)):
            for future in as_completed([pool.submit(seconds_after, first) for first in firsts]):
                first, count, wrong = future.result()
                pairs, done = pairs + count, done + 1
                print(f"{done}/{len(left)}, {pairs} pairs: {_name(first)}", flush=True)  # noqa: T201
                if wrong:
                    print("\n".join(wrong), flush=True)  # noqa: T201
                    return 1
                kept.write(f"{_name(first)}\n")
            if time.monotonic() > until:
                print("the time is over; the same command goes on from here")  # noqa: T201
                break
    return 0


def seconds_after(first: First) -> tuple[First, int, list[str]]:
    """Try every second fault after a first one; return how many there are, and what went wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(_seconds_after(first))


async def _seconds_after(first: First) -> tuple[First, int, list[str]]:
    scenario, fault = first[0], Fault(first[1], first[2])
    recovery = (await run(scenario, fault)).since_last_fault
    runs = [await run(scenario, fault, second) for second in single_faults(recovery)]
    return first, len(runs), [str(one) for one in runs if one.wrong]


def _firsts(seed: int) -> Iterator[First]:
    all_of_them = [(name, fault.at, fault.how) for name, points in POINTS.items() for fault in single_faults(points)]
    random.Random(seed).shuffle(all_of_them)  # noqa: S311 - repeatable, no secret
    return iter(all_of_them)


def _name(first: First) -> str:
    scenario, at, how = first
    return f"{scenario} {how} {at}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash-pairs")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--afresh", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
