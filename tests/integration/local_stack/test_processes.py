"""The supervisor: what it says of a child that dies, and what becomes of children without a parent."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_stack import environment, state
from local_stack.processes import ChildProcess, Health, NotReadyError, ProcessDiedError
from tests.support.eventually import eventually

_WAITING = "import signal; print('up', flush=True); signal.pause()"
_ANSWERING = """
import http.server, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write({body!r}.encode())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
print(server.server_port, flush=True)
server.serve_forever()
"""


def _child(code: str, folder: Path, *, detached: bool = False) -> ChildProcess:
    return ChildProcess(
        "a child",
        [sys.executable, "-c", code],
        environment=environment.inherited(),
        log=folder / "child.log",
        detached=detached,
    )


def _up(child: ChildProcess) -> bool:
    return "up" in child.log.read_text()


def test_a_dying_child_is_reported_with_its_last_log_lines(tmp_path: Path) -> None:
    """Whoever waits for a child that dies reads why, without opening its log."""
    child = _child("print('RABBITMQ_URL is missing'); raise SystemExit(2)", tmp_path)
    child.start()
    with pytest.raises(ProcessDiedError, match=r"(?s)a child ended with code 2.*RABBITMQ_URL is missing"):
        child.wait_until_healthy("http://127.0.0.1:9/", says="ok", within=30)


async def test_a_dead_child_is_not_ready_because_somebody_else_answers(tmp_path: Path) -> None:
    """Whatever a port says that the child could not have, death is what counts."""
    child = _child("raise SystemExit('the port is taken')", tmp_path)
    child.start()
    await eventually(lambda: not child.running)
    with pytest.raises(ProcessDiedError, match="the port is taken"):
        child.wait_until(lambda: True, within=30)


@pytest.mark.parametrize("body", ["It looks like you are trying to access MongoDB", '{"started": false}', "[]", "ok\n"])
async def test_a_200_with_another_body_is_not_health(tmp_path: Path, body: str) -> None:
    """A live child waits on while what answers is not it."""
    child = _child(_ANSWERING.format(body=body), tmp_path)
    child.start()
    await eventually(lambda: child.log.read_text().strip())
    url = f"http://127.0.0.1:{child.log.read_text().strip()}/"
    healthy: tuple[Health, ...] = ("ok", {"started": True})
    for says in healthy:
        with pytest.raises(NotReadyError):
            child.wait_until_healthy(url, says=says, within=0.1)
    child.wait_until_healthy(url, says=body, within=30)
    child.stop()


def test_a_child_that_is_never_ready_is_reported_and_can_be_killed(tmp_path: Path) -> None:
    """Waiting is bounded, and SIGKILL ends what waits for nothing."""
    child = _child(_WAITING, tmp_path)
    child.start()
    with pytest.raises(NotReadyError, match=r"not ready within 0\.1 s"):
        child.wait_until(lambda: False, within=0.1)
    child.kill()
    assert not child.running


def test_a_child_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    """Stopping is bounded too."""
    child = _child(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_WAITING}", tmp_path)
    child.start()
    child.wait_until(lambda: _up(child), within=30)
    child.stop(within=0.1)
    assert not child.running


def test_a_stopped_child_starts_again(tmp_path: Path) -> None:
    """The second start is another process with the same command."""
    child = _child(_WAITING, tmp_path)
    child.start()
    first = child.pid
    child.stop()
    child.start()
    assert child.running
    assert child.pid != first
    child.stop()


async def test_children_end_with_their_parent(tmp_path: Path) -> None:
    """A parent that is killed, and so cleans nothing up, leaves no child behind."""
    starts_a_child = (
        "import signal, sys; from pathlib import Path; from local_stack.processes import ChildProcess;"
        f"child = ChildProcess('grandchild', [sys.executable, '-c', {_WAITING!r}], environment={{}},"
        f" log=Path({str(tmp_path / 'grandchild.log')!r}));"
        "child.start(); print(child.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", starts_a_child], stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603, ASYNC220  # the code above
        assert parent.stdout is not None
        grandchild = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    await eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


def test_down_stops_what_was_recorded(tmp_path: Path) -> None:
    """What is read back from the file is enough to stop a process that has outlived its starter's handle."""
    child = _child(_WAITING, tmp_path, detached=True)
    child.start()
    state.write(tmp_path / "state.json", state.State(groups=((state.record(child),),), addresses={"a": "b"}))
    left = state.read(tmp_path / "state.json")
    assert left is not None
    assert state.stop(left.groups[0]) == left.processes
    assert not child.running


def test_down_leaves_a_pid_alone_that_is_not_ours(tmp_path: Path) -> None:
    """A pid that runs again for somebody else is recognised by its creation time."""
    stranger = _child(_WAITING, tmp_path)
    stranger.start()
    recorded = state.Recorded(name="ours, long gone", pid=stranger.pid, created=stranger.created - 3600)
    assert state.stop([recorded]) == []
    assert stranger.running
    stranger.stop()
