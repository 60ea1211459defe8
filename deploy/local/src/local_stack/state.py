"""What a detached system left running, written down so that a later command stops exactly that and nothing else."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local_stack.processes import ChildProcess

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


def record(process: ChildProcess) -> Recorded:
    return Recorded(name=process.name, pid=process.pid, created=process.created)


def write(path: Path, state: State) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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

    Killed is what has not ended after `within` seconds.
    """
    ours = [(recorded, process) for recorded in group if (process := still_ours(recorded)) is not None]
    running = [process for _, process in ours]
    for process in running:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(running, timeout=within)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=within)
    return [recorded for recorded, _ in ours]
