"""`python -m local_stack up|down|status|addresses|exec|run|demo|burst|outage`: the system on processes."""

import argparse
import re
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from local_stack import state
from local_stack.addresses import SERVICES
from local_stack.burst import BurstFailedError, burst
from local_stack.demo import DemoFailedError, demo
from local_stack.installation import CommandFailedError, InContainers, Installation, OnProcesses
from local_stack.installed import MissingServerError
from local_stack.outage import OutageFailedError, outage
from local_stack.processes import ProcessError
from local_stack.progress import say
from local_stack.system import System
from local_stack.tenant import NotInTimeError

_REPOSITORY = Path(__file__).parents[4]
_STATE = "state.json"


class NothingRunsError(Exception):
    """There is no running system to do this in."""


_FAILURES = (
    NothingRunsError,
    ProcessError,
    MissingServerError,
    CommandFailedError,
    DemoFailedError,
    BurstFailedError,
    OutageFailedError,
    NotInTimeError,
)
_CREDENTIALS = re.compile("//[^@/]*@")


def main() -> int:
    """Run the command and return the exit status: 0 when done, 1 with a reason on standard error."""
    arguments = vars(_parser().parse_args())
    command = arguments.pop("command")
    try:
        return int(command(**arguments))
    except _FAILURES as failure:
        print(failure, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".run"), help="data, logs and addresses (default: .run)")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("up", help="start the system and leave it running").set_defaults(command=up)
    commands.add_parser("down", help="stop what `up` left running").set_defaults(command=down)
    commands.add_parser("status", help="tell what runs and where").set_defaults(command=status)
    commands.add_parser("addresses", help="print where it runs, as variables for a shell").set_defaults(
        command=print_addresses
    )
    execute = commands.add_parser("exec", help="run a command of a service's own program in the running system")
    execute.add_argument("service", choices=SERVICES)
    execute.add_argument("arguments", nargs=argparse.REMAINDER, help="such as: organizations create --name Acme")
    execute.set_defaults(command=run_command)
    commands.add_parser("run", help="run the system until Ctrl-C").set_defaults(command=run)
    commands.add_parser(
        "demo", help="try it: on what runs in containers, else on processes for the time of the demo"
    ).set_defaults(command=show)
    commands.add_parser("burst", help="100 bookings at once, checked and measured").set_defaults(command=measure)
    down_for = commands.add_parser("outage", help="Zoom is down under a steady load; checked and measured")
    down_for.add_argument("--seconds", type=int, default=300, help="how long Zoom is down (default: 300)")
    down_for.set_defaults(command=measure_outage)
    return parser


def up(folder: Path) -> int:
    """Start the system and leave it running; where some of it runs already, start only the rest."""
    if _running(folder):
        say("The system runs already.")
        return status(folder)
    left = _still_running(folder)
    if left:
        ended = [process.name for process in left.processes if process.name not in left.running()]
        say(f"==> starting what ended: {', '.join(ended)}")
    system = System(folder, detached=True, left=left)
    system.start()
    state.write(folder / _STATE, system.recorded())
    _print_addresses(system.urls)
    return 0


def down(folder: Path) -> int:
    """Stop the processes that `up` started, and no other that has their pid by now."""
    _stop_what_was_left(folder)
    return 0


def status(folder: Path) -> int:
    """Print what runs; return 1 where something does not."""
    left = state.read(folder / _STATE)
    if left is None:
        say("Nothing runs. `up` starts it.")
        return 1
    for process in left.processes:
        say(f"{process.name:16} {'running' if state.still_ours(process) else 'ENDED'}  pid {process.pid}")
    _print_addresses(left.addresses)
    return 0 if _running(folder) else 1


def print_addresses(folder: Path) -> int:
    """Print a variable for each address of the running system, as AUTH_SERVICE_URL=http://127.0.0.1:8001."""
    for name, address in _installation(folder).urls.items():
        if address.startswith("http"):
            say(f"{name.upper().replace('-', '_')}_URL={address}")
    return 0


def run_command(folder: Path, service: str, arguments: list[str]) -> int:
    """Run a command of a service's own program, on processes or in containers; its exit status is returned."""
    return _installation(folder).program(service, *arguments).run()


def run(folder: Path) -> int:
    """Run the system in the foreground until SIGINT or SIGTERM."""
    if _running(folder):
        say("The system runs already; `down` stops it.")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), System(folder) as system:
        _print_addresses(system.urls)
        say("Ctrl-C stops it.")
        threading.Event().wait()
    return 0


def show(folder: Path) -> int:
    """Run the demo on the containers of docker-compose.yml where those run, else on a system of its own."""
    containers = InContainers(_REPOSITORY)
    if containers.is_running():
        say("==> the demo runs on docker compose's containers")
        demo(containers)
        return 0
    started = time.monotonic()
    with System(folder / "demo", log_level="INFO") as system:
        say(
            f"==> the system is up after {time.monotonic() - started:.1f} s; its logs are in {folder / 'demo' / 'logs'}"
        )
        demo(OnProcesses(system))
    say(f"\n==> done, and stopped, after {time.monotonic() - started:.1f} s")
    return 0


def measure(folder: Path) -> int:
    """Run the burst on a system of its own and print what it measured."""
    with System(folder / "burst", log_level="WARNING") as system:
        for line in burst(system).lines():
            say(f"    {line}")
    return 0


def measure_outage(folder: Path, seconds: int) -> int:
    """Let Zoom be down for so long on a system of its own, with two replicas that call it, and print what it measured.

    Everything starts anew, as an earlier run's bookings would be counted too.
    """
    own = folder / "outage"
    shutil.rmtree(own, ignore_errors=True)
    with System(own, replicas={"meeting-service": 2}, log_level="WARNING") as system:
        for line in outage(system, seconds).lines():
            say(f"    {line}")
    return 0


def _installation(folder: Path) -> Installation:
    """Return what runs: the processes that `up` left, else docker compose's containers; raises NothingRunsError."""
    if left := _still_running(folder):
        return OnProcesses(System(folder, left=left))
    containers = InContainers(_REPOSITORY)
    if containers.is_running():
        return containers
    raise NothingRunsError("Nothing runs. `make up` starts it.")


def _stop_what_was_left(folder: Path) -> None:
    left = state.read(folder / _STATE)
    for group in left.groups if left else ():
        for stopped in state.stop(group):
            say(f"stopped {stopped.name}")
    (folder / _STATE).unlink(missing_ok=True)


def _still_running(folder: Path) -> state.State | None:
    """Return what an earlier `up` left, as long as something of it runs."""
    left = state.read(folder / _STATE)
    return left if left and left.running() else None


def _running(folder: Path) -> bool:
    left = state.read(folder / _STATE)
    return left is not None and all(map(state.still_ours, left.processes))


def _print_addresses(addresses: dict[str, str]) -> None:
    for name, address in addresses.items():
        say(f"    {name:16} {_CREDENTIALS.sub('//', address)}")


if __name__ == "__main__":
    sys.exit(main())
