"""The health check of the images, run as the container engine runs it, against a server on this machine."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local_stack import environment
from local_stack.processes import free_port

HEALTHY = Path(__file__).parents[3] / "deploy" / "docker" / "healthy.py"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a server that is ready, and says 503 on every other path."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def _status(path: str, **ports: int) -> int:
    told = {**environment.inherited(), **{name: str(port) for name, port in ports.items()}}
    return subprocess.run([sys.executable, "-IS", str(HEALTHY), path], env=told, check=False, timeout=30).returncode  # noqa: S603


def test_a_server_that_answers_200_is_healthy(port: int) -> None:
    """Where the server listens is what the server itself was told."""
    assert _status("/health/ready", HTTP_PORT=port) == 0
    assert _status("/health/ready", ZOOM_SANDBOX_PORT=port) == 0


def test_a_server_that_is_not_ready_is_not_healthy(port: int) -> None:
    """Any other answer counts as none."""
    assert _status("/health/elsewhere", HTTP_PORT=port) == 1


def test_where_nothing_listens_nothing_is_healthy() -> None:
    """A refused connection is an answer too: no traceback, status 1."""
    assert _status("/health/ready", HTTP_PORT=free_port()) == 1
