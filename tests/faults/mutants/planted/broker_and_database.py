"""Bugs in how RabbitMQ and MongoDB are used, and in the plumbing on them."""

from tests.faults.mutants.mutant import Mutant
from tests.faults.mutants.planted.places import CONVOKE, OF_CONVOKE

BROKER_AND_DATABASE = (
    Mutant(
        "acknowledge before the commit",
        f"{CONVOKE}/messaging/consumer.py",
        "ack_policy=AckPolicy.REJECT_ON_ERROR",
        "ack_policy=AckPolicy.ACK_FIRST",
        (f"{OF_CONVOKE}/test_settling_failures.py",),
    ),
    Mutant(
        "write to the primary alone (w=1)",
        f"{CONVOKE}/mongo.py",
        'write_concern=WriteConcern(w="majority", j=True, wtimeout=ANSWER_WITHIN)',
        "write_concern=WriteConcern(w=1)",
        (f"{OF_CONVOKE}/test_mongo.py",),
    ),
    Mutant(
        "run on a standalone MongoDB",
        f"{CONVOKE}/mongo.py",
        'if "setName" not in hello:',
        "if False:",
        (f"{OF_CONVOKE}/test_mongo.py",),
    ),
    Mutant(
        "take a new primary's word that there is none",
        f"{CONVOKE}/mongo.py",
        "    if found is not None:\n        return found\n",
        "    return found\n",
        (f"{OF_CONVOKE}/test_finding_surely.py",),
    ),
    Mutant(
        "publish without mandatory",
        f"{CONVOKE}/messaging/publisher.py",
        "mandatory=True",
        "mandatory=False",
        (f"{OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "take a returned message for published",
        f"{CONVOKE}/messaging/broker.py",
        "on_return_raises=True",
        "on_return_raises=False",
        (f"{OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "dead-letter at most once",
        f"{CONVOKE}/messaging/broker.py",
        '"x-dead-letter-strategy": "at-least-once"',
        '"x-dead-letter-strategy": "at-most-once"',
        (f"{OF_CONVOKE}/test_topology.py",),
    ),
    Mutant(
        "acknowledge what could not be dead-lettered",
        f"{CONVOKE}/messaging/consumer.py",
        "            raise RejectMessage(requeue=False) from error\n",
        "            return\n",
        (f"{OF_CONVOKE}/test_settling_failures.py",),
    ),
    Mutant(
        "pull from the outbox before publishing",
        f"{CONVOKE}/messaging/outbox.py",
        "                for event in self._expand(document, pending):\n"
        "                    await self._publisher.publish(event)\n"
        "                confirmed.append(pending)\n",
        "                confirmed.append(pending)\n"
        "                for event in self._expand(document, pending):\n"
        "                    await self._publisher.publish(event)\n",
        (f"{OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "forget what was published",
        f"{CONVOKE}/messaging/outbox.py",
        '"$slice": -PUBLISHED_KEPT',
        '"$slice": 0',
        (f"{OF_CONVOKE}/test_outbox_replay.py",),
    ),
    Mutant(
        "never sweep the outbox",
        f"{CONVOKE}/messaging/outbox.py",
        "LEFT_BEHIND_AFTER = timedelta(seconds=3)",
        "LEFT_BEHIND_AFTER = timedelta(days=3)",
        (f"{OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "claim without regard to a lease",
        f"{CONVOKE}/due_work.py",
        '{self._due_at: {"$lte": now}, **self._free_at(now)}',
        '{self._due_at: {"$lte": now}}',
        (f"{OF_CONVOKE}/test_due_work.py",),
    ),
    Mutant(
        "store results without asking for the lease",
        f"{CONVOKE}/due_work.py",
        'return {"_id": self.document["_id"], f"{self.lease}.owner": self.owner}',
        'return {"_id": self.document["_id"]}',
        (f"{OF_CONVOKE}/test_due_work.py",),
    ),
    Mutant(
        "leave secrets unbound to their row",
        f"{CONVOKE}/vault.py",
        "def _associated(version: str, row: tuple[str, ...]) -> bytes:\n",
        "def _associated(version: str, row: tuple[str, ...]) -> bytes:\n    row = ()\n",
        ("tests/unit/convoke/test_vault.py",),
    ),
    Mutant(
        "rekey a document that somebody holds",
        f"{CONVOKE}/rekeying.py",
        'lease["until"] > self._clock()',
        'lease["until"] is None',
        (f"{OF_CONVOKE}/test_rekeying.py",),
    ),
    Mutant(
        "rekey over what a replica has just written",
        f"{CONVOKE}/rekeying.py",
        '{"_id": document["_id"]} | as_read',
        '{"_id": document["_id"]}',
        (f"{OF_CONVOKE}/test_rekeying.py",),
    ),
)
