"""`make mutants`: plants each bug of the list into a copy of the code, and shows which test catches it.

First the same tests have to pass on the sound copy: only then does a failure speak of the bug.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from local_stack.mongodb import MongoDB
from local_stack.processes import free_port
from local_stack.progress import say
from local_stack.rabbitmq import RabbitMQ
from tests.faults.mutants.mutant import Mutant
from tests.faults.mutants.planted import MUTANTS
from tests.faults.mutants.tree import Tree, Verdict

TESTS_FAILED = 1
"""pytest's exit status for that, and for nothing else."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--jobs", type=int, default=3, help="how many at once")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not arguments.names or mutant.name in arguments.names]
    with tempfile.TemporaryDirectory(prefix="convoke-mutants-") as folder, _servers(Path(folder)) as servers:
        say(f"copying the tree {arguments.jobs} times")
        trees = [Tree(Path(folder) / f"copy{number}") for number in range(arguments.jobs)]
        _must_be_sound(trees[0], chosen, servers)
        caught = _hunt(trees, chosen, servers)
    _show(chosen, caught)
    sys.exit(0 if all(caught[mutant.name] for mutant in chosen) else 1)


@contextmanager
def _servers(folder: Path) -> Iterator[Mapping[str, str]]:
    """Have one RabbitMQ and one MongoDB for all, and give their addresses as tests take them."""
    broker = RabbitMQ(folder / "rabbitmq", management_port=free_port())
    database = MongoDB(folder / "mongodb")
    with ExitStack() as ended:
        for server in (broker, database):
            ended.callback(server.kill)
            server.start()
        broker.wait_until_ready()
        database.wait_until_ready()
        yield {
            "RABBITMQ_URL": broker.url,
            "RABBITMQ_MANAGEMENT_URL": str(broker.management_url),
            "MONGODB_URL": database.url,
        }


def _must_be_sound(tree: Tree, mutants: Sequence[Mutant], servers: Mapping[str, str]) -> None:
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    say(f"running {len(tests)} tests and files of tests on the sound code")
    verdict = tree.test(tests, servers, "--numprocesses", "3", "--dist", "loadfile")
    if verdict.status != 0:
        sys.exit(f"the sound code fails: nothing can be said of mutants\n{verdict.end}")


def _hunt(trees: Sequence[Tree], mutants: Sequence[Mutant], servers: Mapping[str, str]) -> dict[str, str]:
    """Return for each mutant the first test that caught it, empty where none did."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def hunt(mutant: Mutant) -> Verdict:
        tree = free.get()
        try:
            with tree.with_bug(mutant):
                return tree.test(mutant.tests, servers, "-x")
        finally:
            free.put(tree)

    started, caught = time.monotonic(), {}
    with ThreadPoolExecutor(len(trees)) as pool:
        hunts = {pool.submit(hunt, mutant): mutant for mutant in mutants}
        for number, done in enumerate(as_completed(hunts), 1):
            name, verdict = hunts[done].name, done.result()
            caught[name] = verdict.failed[0] if verdict.status == TESTS_FAILED and verdict.failed else ""
            seconds = time.monotonic() - started
            say(f"[{number}/{len(mutants)}, {seconds:.0f} s] {name}: {caught[name] or 'SURVIVED'}")
            if not caught[name]:
                say(verdict.end)
    return caught


def _show(mutants: Sequence[Mutant], caught: Mapping[str, str]) -> None:
    width = max(len(mutant.name) for mutant in mutants)
    say(f"\n{'planted bug':{width}}  caught by")
    for mutant in mutants:
        say(f"{mutant.name:{width}}  {caught[mutant.name] or 'NOTHING'}")
    say(f"\n{sum(map(bool, caught.values()))} of {len(mutants)} caught")


if __name__ == "__main__":
    main()
