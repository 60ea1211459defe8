"""SIGTERM ends each service in order and in time, nothing half-done; and a service that cannot work says why."""

import functools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pymongo.errors import ConnectionFailure

from local_stack import installed
from local_stack.addresses import SERVICES
from local_stack.mongodb import direct_client
from local_stack.processes import ChildProcess, free_port
from tests.e2e.checker import at_rest, orphans, settled
from tests.e2e.mail_gate import Moment
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

# Stories that were cut off come to rest when a lease of 60 s has passed; the first test also starts the system.
pytestmark = pytest.mark.timeout(240)

GRANTED = 10.0
"""Seconds that container engines grant between SIGTERM and SIGKILL."""

LONGEST_RECOVERY = 100.0
FINISHED_WHILE_STOPPING = 2.0
"""Seconds; less than the 6 that a stopping service gives to what is under way."""

NOBODY_WAITS_SO_LONG = 9.0
"""Seconds; more than those 6, and less than the patience with Zoom and the mail server."""


@pytest.mark.parametrize("service", SERVICES)
def test_sigterm_under_load_ends_in_time_with_nothing_lost_or_doubled(service: str, world: World):
    """Bookings are made, moved and cancelled all the while; no work is left to a lease that must first pass."""
    stories = [Story(world, f"while {service} stops {n}").connected() for n in range(8)]
    with _load(stories):
        until("some bookings", lambda: sum(bool(story.booking) for story in stories) > 2, every=0.01)
        _stops_in_order(world, service)
        assert _leases_of(world, service) == 0
        world.system.start_again(service)
    settled(world, [story.expected for story in stories], within=LONGEST_RECOVERY)
    at_rest(world)
    assert orphans(world) == []


def test_what_meeting_service_has_begun_at_zoom_is_finished_or_found_again(world: World):
    """An answer that comes in time is stored before the end; for a later one the meeting is adopted afterwards."""
    finished, cut_off = (Story(world, f"{name} at Zoom").connected() for name in ("finished", "cut off"))
    for story, seconds in ((cut_off, NOBODY_WAITS_SO_LONG), (finished, FINISHED_WHILE_STOPPING)):
        world.zoom.fault("create_meeting", "slow", delay_seconds=seconds, user_id=story.zoom_user)
        story.book()
        user = story.zoom_user
        until("the call at Zoom", lambda user=user: world.zoom.unanswered("create_meeting", user))  # type: ignore[misc]
    _stops_in_order(world, "meeting-service")
    until("the link", lambda: finished.now()["meeting"]["status"] == "ready")
    assert cut_off.now()["meeting"]["status"] == "pending"
    world.system.start_again("meeting-service")
    settled(world, [finished.expected, cut_off.expected], within=LONGEST_RECOVERY)


def test_a_mail_that_is_being_sent_is_finished_before_the_notifier_ends(world: World):
    """The mail server has it and takes two seconds to say so: it is not sent again."""
    story = Story(world, "finished mail").connected()
    hold = world.system.gate.hold(story.host_mail, Moment.BEFORE_ANSWER)
    story.book()
    until("the mail at the server", hold.reached.is_set)
    answer = threading.Timer(FINISHED_WHILE_STOPPING, world.system.gate.release)
    answer.start()
    _stops_in_order(world, "notifier")
    answer.join()
    world.system.start_again("notifier")
    settled(world, [story.expected], within=LONGEST_RECOVERY)
    at_rest(world, within=LONGEST_RECOVERY)
    assert len(world.mails.mails(story.host_mail)) == 1


def test_sigterm_ends_a_service_in_time_while_its_servers_are_away(world: World):
    """Whatever it waits for, it stops waiting."""
    story = Story(world, "stopped without servers").connected()
    world.mongodb.kill()
    with pytest.raises(httpx.HTTPStatusError):
        story.book_once()
    world.rabbitmq.kill()
    _stops_in_order(world, *SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_or_wrong_setting_is_named_in_one_line(service: str, world: World):
    """Status 2, before anything is connected; the value of a wrong setting is not shown."""
    good = world.system.settings(service)
    broken = {name: value for name, value in good.items() if name != "RABBITMQ_URL"}
    broken |= {"HTTP_PORT": "eighty", "ENCRYPTION_KEYS": "canary=c2hvcnQ="}
    ended = subprocess.run(  # noqa: S603  # a service of our own
        _command(service), env=broken, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.splitlines()
    assert "RABBITMQ_URL is missing" in line
    assert "HTTP_PORT" in line
    assert "ENCRYPTION_KEYS" in line
    assert "c2hvcnQ" not in line
    assert ended.stdout == ""


def test_a_standalone_mongodb_is_refused(world: World, tmp_path: Path):
    """Without a replica set nothing that is acknowledged would be safe: status 1, and a log line that says so."""
    with _standalone_mongodb(tmp_path) as url:
        started = [_start(world, service, {"MONGODB_URL": url}) for service in SERVICES]
        for process in started:
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 1, output
            assert "MONGODB_URL leads to a standalone server; a replica set is required" in output


@contextmanager
def _load(stories: list[Story]) -> Iterator[None]:
    """Tell all stories at once, each act on the heels of the one before; every other one is cancelled."""

    def tell(story: Story, *, cancel: bool) -> None:
        # Whoever is told late is told the newest only.
        story.methods = None
        story.book()
        story.reschedule()
        if cancel:
            story.cancel()

    clients = [
        threading.Thread(target=tell, args=(story,), kwargs={"cancel": n % 2 == 0}, daemon=True)
        for n, story in enumerate(stories)
    ]
    for client in clients:
        client.start()
    yield
    for client in clients:
        client.join(60)
        assert not client.is_alive()


def _stops_in_order(world: World, *services: str) -> None:
    """Send SIGTERM and see the processes leave by themselves, with status 0, in the time that is granted."""
    processes = [world.system.process(service) for service in services]
    asked = time.monotonic()
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        ended = until(f"the end of {process.name}", functools.partial(_end_of, process.pid), every=0.02)
        took = time.monotonic() - asked
        assert took < GRANTED, f"{process.name} took {took:.1f} s"
        assert (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0), process.name
        assert '"service.stopped"' in process.log.read_text().splitlines()[-1]


def _leases_of(world: World, service: str) -> int:
    """Count what is claimed in a service's database; a service that ended in order holds nothing."""
    database = world.databases[service.removesuffix("-service")]
    collections = [database[name] for name in database.list_collection_names()]
    return sum(collection.count_documents({"lease.owner": {"$exists": True}}) for collection in collections)


def _end_of(pid: int) -> os.waitid_result | None:
    """Return how a child ended, and leave it to be waited for by its owner; None while it runs."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)


def _command(service: str) -> list[str]:
    return [sys.executable, "-m", SERVICES[service]]


def _start(world: World, service: str, changed: dict[str, str]) -> subprocess.Popen[str]:
    settings = world.system.settings(service) | {"HTTP_PORT": str(free_port())} | changed
    return subprocess.Popen(  # noqa: S603  # a service of our own
        _command(service), env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@contextmanager
def _standalone_mongodb(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [str(installed.mongod()), "--quiet", "--nounixsocket", "--bind_ip", "127.0.0.1", "--port", str(port)]
    server = ChildProcess(
        "standalone", [*command, "--dbpath", str(folder)], environment={}, log=folder.with_suffix(".log")
    )
    server.start()
    try:
        server.wait_until(functools.partial(_pings, port), within=60)
        yield f"mongodb://127.0.0.1:{port}/"
    finally:
        server.kill()


def _pings(port: int) -> bool:
    try:
        with direct_client("127.0.0.1", port) as client:
            return bool(client.admin.command("ping"))
    except ConnectionFailure:
        return False
