"""Bugs in how tokens are refreshed, kept and dropped, and in whom a webhook is believed."""

from tests.faults.mutants.mutant import Mutant
from tests.faults.mutants.planted.places import AUTH, CONVOKE, OF_AUTH, RACES

TOKENS = (
    Mutant(
        "refresh without a lock",
        f"{CONVOKE}/due_work.py",
        '{self._due_at: {"$lte": now}, **self._free_at(now)}',
        '{self._due_at: {"$lte": now}}',
        (f"{OF_AUTH}/test_refreshing_under_fire.py",),
    ),
    Mutant(
        "keep the tokens of a disconnected connection",
        f"{AUTH}/mongo/connections.py",
        '"$set": {**ended, **ERASED, ',
        '"$set": {**ended, ',
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
        f"{AUTH}/mongo/documents.py",
        '    return {"_id": connection.id, "tokens.version": connection.token_version}',
        '    return {"_id": connection.id}',
        (f"{OF_AUTH}/test_refreshing.py",),
    ),
    Mutant(
        "throw new tokens away when the database is away",
        f"{AUTH}/handlers/refreshing.py",
        "SAVE_FOR = 300.0",
        "SAVE_FOR = -1.0",
        (f"{OF_AUTH}/test_refreshing_interrupted.py",),
    ),
    Mutant(
        "bring a connection back that its owner has ended",
        f"{AUTH}/mongo/refreshes.py",
        '{**at_version(connection), "status": "active"}, change)',
        '{"_id": connection.id}, change)',
        (RACES,),
    ),
    Mutant(
        "let a code that is exchanged late undo what was decided since",
        f"{AUTH}/mongo/connections.py",
        "        if _is_overtaken(attempt, known, user):",
        "        if False:",
        (RACES,),
    ),
    Mutant(
        "tell an end twice",
        f"{AUTH}/mongo/connections.py",
        '        as_known = {**at_version(connection), "status": connection.status}',
        '        as_known = {"_id": connection.id}',
        (RACES,),
    ),
    Mutant(
        "ask for a reconnect although the tokens were renewed",
        f"{AUTH}/mongo/refreshes.py",
        '            {**at_version(connection), "status": "active", "deauthorized_at": None},',
        '            {"_id": connection.id},',
        (RACES,),
    ),
    Mutant(
        "leave a data key behind",
        f"{AUTH}/mongo/sealed_tokens.py",
        'ERASED = {"tokens.access": "", "tokens.refresh": "", "tokens.data_key": ""}',
        'ERASED = {"tokens.access": "", "tokens.refresh": ""}',
        (RACES,),
    ),
)
