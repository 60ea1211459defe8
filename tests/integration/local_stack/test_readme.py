"""The walk in README's "Use it", run line by line as it stands there, on a system of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import IO

import httpx
import pytest

from local_stack import environment, state
from local_stack.mailbox import Mailbox
from tests.support.eventually import eventually

README = Path(__file__).parents[3] / "README.md"
UP = ".venv/bin/python -m local_stack up"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder like a clone after `make setup`; what the walk leaves running ends with the test."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    yield tmp_path
    subprocess.run([sys.executable, "-m", "local_stack", "down"], cwd=tmp_path, check=True)


def walk() -> str:
    """Return the commands with a pause where a person consents, and `make up` as it is without an engine."""
    section = README.read_text().split("\n## Use it\n")[1].split("\n## ")[0]
    connecting, booking = BLOCK.findall(section)
    assert connecting.startswith("make up\n")
    return f"set -euo pipefail\n{connecting.replace('make up', UP, 1)}read -r\n{booking}"


def consent(address: str) -> str:
    """Press Continue, then Allow on Zoom's page; return the text of the page that one ends on."""
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        first = browser.get(address)
        zooms = browser.post(first.url, data=hidden_in(first))
        allow = {**hidden_in(zooms), "user_id": "host-1", "decision": "allow"}
        return browser.post(zooms.url.join("/oauth/authorize"), data=allow).raise_for_status().text


def hidden_in(page: httpx.Response) -> dict[str, str]:
    return {name: unescape(value) for name, value in HIDDEN.findall(page.raise_for_status().text)}


def line_that_starts_with(start: str, output: IO[str]) -> str:
    seen = ""
    for line in output:
        seen += line
        if line.startswith(start):
            return line.strip()
    raise AssertionError(seen)


@pytest.mark.timeout(120)
async def test_the_walk_ends_with_a_link_and_two_mails(folder: Path) -> None:
    """From nothing to the join link, with no other step than the ones that README shows."""
    own = {name: value for name, value in environment.caller().items() if name not in ("RABBITMQ_URL", "MONGODB_URL")}
    with subprocess.Popen(  # noqa: S603, ASYNC220  # this shell is the whole test
        ["/bin/bash", "-c", walk()], cwd=folder, env=own, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert "connected" in consent(line_that_starts_with("http", shell.stdout))
        shell.stdin.write("\n")
        shell.stdin.flush()
        link = line_that_starts_with('"join_url":', shell.stdout)
        mails = json.loads(shell.stdout.read())
    assert shell.returncode == os.EX_OK
    assert "zoom.us/j/" in link
    assert "messages" in mails
    left = state.read(folder / ".run" / "state.json")
    assert left is not None
    with Mailbox(left.addresses["mails"]) as sink:
        await eventually(lambda: all(map(sink.mails, ("hanna@host.example", "gus@guest.example"))))
