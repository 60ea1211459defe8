"""Whoever steals a copy of the databases reads no token, no way into a meeting and no start link (F73).

Everything that stores anything is used first. A dump is all documents of all collections of the four databases.
"""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

import httpx
import pytest

from convoke.rekeying import Rekeying, value_at
from convoke.settings import load
from convoke.vault import CannotDecrypt, Vault
from local_stack.addresses import SERVICES
from tests.e2e.everything_used import DATABASES, Used, everything_used
from tests.e2e.in_the_clear import Leak, Value, answers_of, leaks
from tests.e2e.test_looking_for_secrets import as_mime
from tests.e2e.world import World

# The first test also starts the whole system.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def used(shared_world: World) -> Iterator[Used]:
    shared_world.heal()
    with everything_used(shared_world) as used:
        yield used


def test_f73_a_dump_of_all_databases_holds_no_secret_in_the_clear(used: Used):
    dump = used.dump()
    assert leaks(dump, used.secrets) == set()
    assert answers_of(dump, used.challenge) == set()


def test_f73_the_dump_has_what_was_stored(used: Used):
    """Else nothing would be found for want of anything."""
    dump = used.dump()
    known = {leak.where.split(".")[0] for leak in leaks(dump, {"booking": {used.booking_id}})}
    assert known == {"booking", "meeting", "notifier"}
    sealed = {value.where for value in dump if value.raw.startswith((b"v1.", b"v2."))}
    assert sealed >= {
        "auth.authorizations.code_verifier",
        "auth.choices.tokens.access",
        "auth.choices.tokens.refresh",
        "auth.connections.tokens.access",
        "auth.connections.tokens.data_key",
        "auth.connections.tokens.refresh",
        "auth.erasures.person",
        "booking.dead_letters.sealed",
        "booking.sessions.idempotency.body",
        "booking.sessions.meeting.way_in.join_url",
        "booking.sessions.meeting.way_in.passcode",
        "booking.sessions.seats.join_token",
        "booking.sessions.seats.manage_token",
        "meeting.meetings.meeting.way_in",
        "notifier.correspondence.deliveries.mime",
        "notifier.correspondence.snapshot",
        "notifier.dead_letters.sealed",
        "notifier.notices.email",
    }


def test_f73_a_secret_that_is_planted_is_found(used: Used, request: pytest.FixtureRequest):
    """In a text, in bytes, and as a field's name."""
    planted = used.world.databases["booking"]["planted"]
    request.addfinalizer(planted.drop)
    token, passcode, state = (next(iter(used.secrets[kind])) for kind in ("access_token", "passcode", "state"))
    planted.insert_one({"deep": [{"er": as_mime(token)}], "raw": b"\x00" + passcode.encode(), state: 1})
    assert leaks(used.dump(), used.secrets) >= {
        Leak("access_token", "booking.planted.deep.er"),
        Leak("passcode", "booking.planted.raw"),
        Leak("state", f"booking.planted.{state}"),
    }


MAY_BE_TOLD = {"passcode", "passcode_in_link", "canary", "address"}
"""What events carry by design: the way into a meeting, and the addresses of a booking's pages."""


def test_asvs_16_2_5_no_log_and_no_metric_holds_a_secret_or_a_mail_address(used: Used):
    said = used.logged()
    assert leaks(said, {"booking": {used.booking_id}})
    metrics = [
        Value(
            f"/metrics of {service}", httpx.get(f"{used.world.system.urls[service]}/metrics", trust_env=False).content
        )
        for service in SERVICES
    ]
    assert leaks(said + metrics, used.secrets | {"mail address": used.people}) == set()


def test_asvs_10_1_1_no_event_carries_a_token_or_a_start_link(used: Used):
    told = used.published()
    assert leaks(told, {"booking": {used.booking_id}})
    assert leaks(told, {kind: known for kind, known in used.secrets.items() if kind not in MAY_BE_TOLD}) == set()


@pytest.mark.parametrize("service", DATABASES)
def test_f73_everything_that_was_stored_is_rekeyed_and_opens_with_the_new_key_alone(service: str, used: Used):
    """On a copy: the world goes on with its old key."""
    settings = used.world.system.settings(service)
    copied(used.world, DATABASES[service])
    old, new = settings["ENCRYPTION_KEYS"], f"new={base64.b64encode(b'n' * 32).decode()}"
    environment = settings | {"MONGODB_DATABASE": f"{DATABASES[service]}-copy"}
    changed, unreadable, left = asyncio.run(rekeyed(service, environment | {"ENCRYPTION_KEYS": f"{new},{old}"}))
    assert (unreadable, set(left)) == ({}, {"new"})
    assert 0 < changed == left["new"]
    newer = f"newer={base64.b64encode(b'm' * 32).decode()}"
    opened, unreadable, _ = asyncio.run(rekeyed(service, environment | {"ENCRYPTION_KEYS": f"{newer},{new}"}))
    assert (opened, unreadable) == (changed, {})


@pytest.mark.parametrize("service", DATABASES)
def test_f73_no_two_secrets_of_a_service_can_be_swapped(service: str, used: Used):
    """Between fields, documents and tenants: each is bound to a row that no other one has."""
    vault, stored = asyncio.run(all_secrets(service, used.world.system.settings(service)))
    assert len(stored) > 1
    for (row, secret), (_, another) in zip(stored.items(), [*stored.items()][1:], strict=False):
        assert vault.decrypt(secret, *row)
        with pytest.raises(CannotDecrypt, match="does not belong to"):
            vault.decrypt(another, *row)


def copied(world: World, name: str) -> None:
    world.databases.drop_database(f"{name}-copy")
    for collection in world.databases[name].list_collection_names():
        documents = [document | {"lease": None} for document in world.databases[name][collection].find()]
        if documents:
            world.databases[f"{name}-copy"][collection].insert_many(documents)


async def all_secrets(service: str, environment: dict[str, str]) -> tuple[Vault, dict[tuple[str, ...], str]]:
    """Return all that the ring has sealed of a service, by the row that it is bound to."""
    found: dict[tuple[str, ...], str] = {}
    async with rekeying_of(service, environment) as work:
        for source in work.sources:
            async for document in source.collection.find():
                for secret in source.secrets_in(document):
                    assert secret.row not in found, f"two secrets of {source.collection.name} are bound to the same row"
                    found[secret.row] = value_at(document, secret.path)
        return work.vault, found


def rekeying_of(service: str, environment: dict[str, str]) -> AbstractAsyncContextManager[Rekeying]:
    package = SERVICES[service]
    settings = load(import_module(f"{package}.settings").Settings, environment)
    opened: Callable[[Any], AbstractAsyncContextManager[Rekeying]] = import_module(f"{package}.app").rekeying
    return opened(settings)


async def rekeyed(service: str, environment: dict[str, str]) -> tuple[int, dict[str, str], dict[str, int]]:
    """Return how many secrets were sealed anew, what could not be opened, and how many each key has sealed then."""
    async with rekeying_of(service, environment) as work:
        changed = sum([secrets async for secrets in work.run()])
        return changed, work.unreadable, dict(await work.secrets_by_key())
