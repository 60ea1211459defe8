"""Child processes: started with a log file each, waited for until they are ready, stopped by pid, started again."""

import ctypes
import functools
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from local_stack import progress

_LOG_LINES_SHOWN = 20
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1

_PORTS = range(15_000, 31_384)
"""Below those of clients (from 32768 on in Linux, net.ipv4.ip_local_port_range): one of theirs may be taken by any
connection before its server listens, or while that is down."""
_BETWEEN_PROCESSES = 64
"""Processes that look for ports at the same time look at different ones first."""
_looked_at = itertools.count()

Health = str | Mapping[str, str | bool]
"""What a healthy process answers: exactly this text, or a JSON object with at least these fields."""


class ProcessError(Exception):
    """A child process did not do what the system needs; the message ends with the last lines of its log."""


class ProcessDiedError(ProcessError):
    """The process ended before it was ready."""


class NotReadyError(ProcessError):
    """The process runs but was not ready in time."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on right now."""
    return free_ports(1)[0]


def free_ports(count: int, *, besides: Collection[int] = ()) -> list[int]:
    """Return different free ports, none of them in `besides`; those that were returned last come last again.

    Raises OSError where there are not so many.
    """
    first = os.getpid() * _BETWEEN_PROCESSES
    ports = (_PORTS[(first + next(_looked_at)) % len(_PORTS)] for _ in _PORTS)
    found = list(itertools.islice((port for port in ports if port not in besides and _is_free(port)), count))
    if len(found) < count:
        raise OSError(f"{count} free ports are wanted, and there are {len(found)} from {min(_PORTS)} to {max(_PORTS)}")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(ready: Callable[[], bool], *, name: str, within: float) -> None:
    """Return once `ready()` is true; raises NotReadyError after `within` seconds."""
    with progress.waiting_for(name) as show:
        deadline = time.monotonic() + within
        while not ready():
            if time.monotonic() > deadline:
                raise NotReadyError(f"{name} was not ready within {within:g} s")
            show()
            time.sleep(_POLL_SECONDS)


class ChildProcess:
    """One process of the system. Started again, it runs the same command in the same environment.

    A child ends when the process that started it dies, unless it was made `detached`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        detached: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None
        self._left: psutil.Process | None = None

    @property
    def pid(self) -> int:
        """The pid of the last start; raises ProcessError before the first."""
        last = self._process or self._left
        if last is None:
            raise ProcessError(f"{self.name} was never started")
        return last.pid

    @property
    def running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._left is not None and _alive(self._left)

    @property
    def created(self) -> float:
        """When the running process was created, in seconds since the epoch: with the pid it names the process."""
        return psutil.Process(self.pid).create_time()

    def take_over(self, left: psutil.Process) -> None:
        """Count a process that an earlier detached run left as this one: it is not started, nor stopped, from here."""
        self._left = left

    def start(self) -> None:
        """Start and return at once; a process that already runs is left as it is."""
        if not self.running:
            self._process = _launcher().submit(self._spawn).result()

    def wait_until(self, ready: Callable[[], bool], *, within: float) -> None:
        """Return once `ready()` is true; raises ProcessDiedError or, after `within` seconds, NotReadyError."""

        def alive_and_ready() -> bool:
            # Death first: behind the port of a child that could not have it, somebody else may answer.
            self.refuse_if_dead()
            return ready()

        try:
            wait_until(alive_and_ready, name=self.name, within=within)
        except NotReadyError as late:
            raise NotReadyError(self._report(str(late))) from None

    def wait_until_healthy(self, url: str, *, says: Health, within: float) -> None:
        """Return once a GET of `url` answers 200 with what only this process says; raises like `wait_until`."""
        with httpx.Client(timeout=2, trust_env=False) as client:
            self.wait_until(lambda: _answers(client, url, says), within=within)

    def refuse_if_dead(self) -> None:
        """Raise ProcessDiedError where the process was started, or taken over, and has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise ProcessDiedError(self._report(f"{self.name} ended with code {code} before it was ready"))
        if self._left is not None and not self.running:
            raise ProcessDiedError(self._report(f"{self.name} ended meanwhile"))

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once; does nothing where none runs."""
        if self._process is not None and self.running:
            self._process.terminate()

    def stop(self, *, within: float = 15) -> None:
        """Ask the process to end, and kill it after `within` seconds; does nothing where none runs."""
        if self._process is None or not self.running:
            return
        self.ask_to_stop()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process, and what it started itself, with SIGKILL; does nothing where none runs."""
        if self._process is not None and self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def let_go(self) -> None:
        """Leave a detached process to itself: it is meant to outlive this one, which otherwise warns at its end."""
        if self._process is not None:
            self._process.returncode = 0

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # the commands are this package's own
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=None if self._detached else _die_with_parent(),  # noqa: PLW1509  # one system call
            )

    def _report(self, problem: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        return "\n".join([f"{problem}; the end of {self.log}:", *(f"    {line}" for line in lines)])


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _answers(client: httpx.Client, url: str, says: Health) -> bool:
    try:
        answer = client.get(url)
        return answer.status_code == httpx.codes.OK and _says(answer, says)
    except (httpx.HTTPError, ValueError):
        return False  # nobody there yet, or nobody who speaks HTTP or JSON


def _says(answer: httpx.Response, says: Health) -> bool:
    if isinstance(says, str):
        return answer.text == says
    body = answer.json()
    return isinstance(body, dict) and says.items() <= body.items()


@functools.cache
def _launcher() -> ThreadPoolExecutor:
    # Linux sends the parent-death signal when the *thread* that forked ends, so one thread that lives as long as
    # the interpreter starts all children.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


def _die_with_parent() -> Callable[[], object]:
    # The library is loaded before the fork: between fork and exec only the call itself is safe.
    call = ctypes.CDLL(None, use_errno=True).prctl
    return functools.partial(call, _PR_SET_PDEATHSIG, int(signal.SIGKILL))
