"""What a detached system left running, written down so that a later command stops exactly that and nothing else."""

import json
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local_stack.processes import ChildProcess, NotReadyError, wait_until

# The kernel counts a start in hundredths of a second after boot; the clock may be set a little in between.
_SAME_START_SECONDS = 1.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Recorded:
    """A process by pid and creation time, in seconds since the epoch: a pid alone may be somebody else's by now."""

    name: str
    pid: int
    created: float


@dataclass(frozen=True)
class State:
    """The processes in groups, in the order in which to stop these, and the addresses by name."""

    groups: tuple[tuple[Recorded, ...], ...]
    addresses: dict[str, str]

    @property
    def processes(self) -> list[Recorded]:
        return [process for group in self.groups for process in group]

    def running(self) -> dict[str, psutil.Process]:
        """Return by name what still runs of it."""
        return {recorded.name: process for recorded in self.processes if (process := still_ours(recorded))}

    def given(self, server: str) -> str | None:
        """Return the address of a server that it used and did not start, or None where it started that itself."""
        ours = {process.name for process in self.processes}
        return None if server in ours else self.addresses[server]


def record(process: ChildProcess) -> Recorded:
    return Recorded(name=process.name, pid=process.pid, created=process.created)


def write(path: Path, state: State) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # given addresses may hold passwords
    path.write_text(json.dumps(asdict(state), indent=2) + "\n")


def read(path: Path) -> State | None:
    """Return what was written, or None where nothing was left running."""
    if not path.exists():
        return None
    stored = json.loads(path.read_text())
    groups = tuple(tuple(Recorded(**process) for process in group) for group in stored["groups"])
    return State(groups=groups, addresses=stored["addresses"])


def still_ours(recorded: Recorded) -> psutil.Process | None:
    """Return the running process that was recorded, or None where it ended, even if its pid runs again."""
    try:
        process = psutil.Process(recorded.pid)
        same = abs(process.create_time() - recorded.created) <= _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop(group: Sequence[Recorded], *, within: float = _STOP_SECONDS) -> list[Recorded]:
    """End those processes that are still ours, all at once, and return them.

    Killed is what has not ended after `within` seconds; raises NotReadyError where even that does not end it.
    """
    ours = [recorded for recorded in group if still_ours(recorded)]
    _send(signal.SIGTERM, ours)
    try:
        _wait_for_the_end_of(ours, within)
    except NotReadyError:
        _send(signal.SIGKILL, ours)
        _wait_for_the_end_of(ours, within)
    return ours


def _send(number: signal.Signals, group: Sequence[Recorded]) -> None:
    for process in filter(None, map(still_ours, group)):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait_for_the_end_of(group: Sequence[Recorded], within: float) -> None:
    # Not psutil's wait: that lasts until init has collected the process, seconds after its end in some containers.
    names = ", ".join(recorded.name for recorded in group)
    wait_until(lambda: not any(map(still_ours, group)), name=f"the end of {names}", within=within)
