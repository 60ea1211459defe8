"""`rekey` of each service, as an operator uses it after putting a new key in front of the old one."""

import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretBytes

from convoke import mongo, rekeying
from convoke.commands import rekey as rekey_module
from convoke.contracts.topology import streams_of
from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database
from convoke.vault import CannotDecrypt, Vault
from local_stack import addresses
from tests.integration.commands.conftest import DATABASES, KEY, Done, Programs

NEW_KEY = base64.b64encode(b"n" * 32).decode()
OLD, NEW = {"k1": SecretBytes(b"k" * 32)}, {"k2": SecretBytes(b"n" * 32)}
Rekey = Callable[[str], Awaitable[Done]]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SERVICES = {program: service for service, program in addresses.SERVICES.items()}


@contextmanager
def database_of(programs: Programs, program: str) -> Iterator[Database]:
    client = mongo.connect(programs.environment["MONGODB_URL"])
    yield mongo.database(client, programs.settings(program)["MONGODB_DATABASE"])
    client.close()


@pytest.fixture
def rekey(programs: Programs) -> Rekey:
    both = {"ENCRYPTION_KEYS": f"k2={NEW_KEY},k1={KEY}"}
    return lambda program: replace(programs, environment=programs.environment | both).run(program, "rekey")


@pytest.mark.parametrize("program", DATABASES)
async def test_f73_where_nothing_is_stored_the_old_key_may_go(program: str, rekey: Rekey):
    done = await rekey(program)
    assert done.status == 0
    assert done.output.splitlines() == [
        "0 documents looked at, 0 secrets sealed anew",
        "k2: 0 secrets; it is the key that writes",
        "k1: no secrets; once every replica writes with k2, it may be taken out of ENCRYPTION_KEYS",
    ]


def letter_to(queue: str) -> Letter:
    return Letter("l1", queue, "unreadable", "no JSON", None, None, None, None, NOON, NOON, body=b"a body")


@pytest.mark.parametrize("program", DATABASES)
async def test_f73_each_services_letters_open_with_the_new_key_alone(program: str, programs: Programs, rekey: Rekey):
    streams = streams_of(SERVICES[program])
    with database_of(programs, program) as database:
        letters = DeadLetters(database, Vault(OLD), streams)
        await letters.keep(letter_to(streams[0].queue))
        alone = DeadLetters(database, Vault(NEW), streams)
        with pytest.raises(CannotDecrypt, match="the key 'k1' is not in ENCRYPTION_KEYS"):
            await alone.find("l1")
        done = await rekey(program)
        assert (done.status, done.output.splitlines()[:2]) == (
            0,
            ["1 document looked at, 1 secret sealed anew", "k2: 1 secret; it is the key that writes"],
        )
        found = await alone.find("l1")
        assert found
        assert found.body == b"a body"


async def test_f73_while_an_old_key_is_needed_it_says_so_and_fails(programs: Programs, rekey: Rekey):
    """Here by a secret of a key that is no longer in the ring."""
    queue = streams_of("notifier")[0].queue
    lost = Vault({"k0": SecretBytes(b"0" * 32)})
    with database_of(programs, "notifier") as database:
        await DeadLetters(database, lost, streams_of("notifier")).keep(letter_to(queue))
    done = await rekey("notifier")
    assert done.status == 1
    assert done.output.splitlines()[-1] == (
        "k0: 1 secret, and it is not in ENCRYPTION_KEYS: add it back and run this again"
    )
    assert done.errors == (
        "dead_letters/l1 could not be opened: "
        "sealed: the key 'k0' is not in ENCRYPTION_KEYS; add it back until rekeying is done\n"
    )


async def test_f73_what_a_replica_holds_remains_and_is_said_to_remain(
    programs: Programs, rekey: Rekey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rekeying, "TRIES", 1)
    queue = streams_of("notifier")[0].queue
    with database_of(programs, "notifier") as database:
        await DeadLetters(database, Vault(OLD), streams_of("notifier")).keep(letter_to(queue))
        lease = {"owner": "somebody", "until": datetime(2100, 1, 1, tzinfo=UTC)}
        await database["dead_letters"].update_one({}, {"$set": {"lease": lease}})
    done = await rekey("notifier")
    assert done.status == 1
    assert done.output.splitlines()[-1] == "k1: 1 secret left; keep it in ENCRYPTION_KEYS and run this again"


async def test_f73_it_says_how_far_it_is(programs: Programs, rekey: Rekey, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rekey_module, "SAY_EVERY", 0.0)
    queue = streams_of("notifier")[0].queue
    with database_of(programs, "notifier") as database:
        await DeadLetters(database, Vault(OLD), streams_of("notifier")).keep(letter_to(queue))
    assert (await rekey("notifier")).errors == "1 of 1 document, 1 secret sealed anew\n"
