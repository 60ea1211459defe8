"""Bugs in how tokens are refreshed, kept and dropped, and in whom a webhook is believed."""

from tests.faults.mutants.mutant import Mutant
from tests.faults.mutants.planted.places import AUTH, CONVOKE, OF_AUTH

TOKENS = (
    Mutant(
        "refresh without a lock",
        f"{CONVOKE}/due_work.py",
        '{"due_at": {"$lte": now}, "$or": [{"lease": None}, {"lease.until": {"$lte": now}}]}',
        '{"due_at": {"$lte": now}}',
        (f"{OF_AUTH}/test_refreshing_under_fire.py",),
    ),
    Mutant(
        "keep the tokens of a disconnected connection",
        f"{AUTH}/mongo/connections.py",
        '{"status": "disconnected", **_ERASED, ',
        '{"status": "disconnected", ',
        (f"{OF_AUTH}/test_disconnecting.py",),
    ),
    Mutant(
        "relay what Zoom did not sign",
        f"{AUTH}/domain/webhooks.py",
        "return signers[0] if signers else None",
        "return secrets[0]",
        (f"{OF_AUTH}/test_webhooks.py",),
    ),
    Mutant(
        "give a connection up although it was renewed",
        f"{AUTH}/mongo/connections.py",
        '    return {"_id": connection.id, "tokens.version": connection.token_version}',
        '    return {"_id": connection.id}',
        (f"{OF_AUTH}/test_refreshing.py",),
    ),
    Mutant(
        "throw new tokens away when the database is away",
        f"{AUTH}/handlers/refreshing.py",
        "SAVE_FOR = 300.0",
        "SAVE_FOR = -1.0",
        (f"{OF_AUTH}/test_refreshing.py",),
    ),
)
