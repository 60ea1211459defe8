"""The collection `dead_letters`: one document per letter, whatever copies of it arrive; bodies are encrypted."""

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta

from prometheus_client import Gauge
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock, utc_now
from convoke.contracts.topology import Stream
from convoke.erasure.portions import create_index
from convoke.messaging.dead_letters.letter import Decision, Letter
from convoke.mongo import Database, Document
from convoke.rekeying import Secret
from convoke.vault import Vault

log: BoundLogger = get_logger(__name__)

REMEMBERED_FOR = timedelta(days=365)
"""How long it can be seen what was decided about a letter; its body goes with the decision."""

WAITING = Gauge("convoke_dead_letters_waiting", "Dead letters that wait for an operator", ["queue"])

_WITHOUT_BODY = {"sealed": 0}
_FIELDS = frozenset(field.name for field in fields(Letter)) - {"id", "body", "decisions"}


class DeadLetters:
    """The dead letters of one service's own streams."""

    def __init__(self, database: Database, vault: Vault, streams: Sequence[Stream], clock: Clock = utc_now) -> None:
        self.streams = streams
        self.collection = database["dead_letters"]
        self._vault = vault
        self._clock = clock

    async def prepare(self) -> None:
        """Create the indexes, and say what waits."""
        await self.collection.create_index([("state", 1), ("queue", 1), ("_id", 1)], name="waiting")
        await create_index(self.collection)
        await self.collection.create_index([("organization_id", 1), ("state", 1)], name="organization")
        await self.collection.create_index("forget_at", name="expiry", expireAfterSeconds=0)
        for queue, letters in (await self.waiting()).items():
            if letters:
                log.warning("dead_letters.waiting", queue=queue, letters=letters)

    async def keep(self, letter: Letter) -> None:
        """Store a letter that has just died, again or for the first time: it waits now, whatever was decided before."""
        values = asdict(letter)
        for name in ("id", "body", "deaths", "decisions", "first_died_at"):
            del values[name]
        await self.collection.update_one(
            {"_id": letter.id},
            {
                "$set": values | {"sealed": self._sealed(letter)},
                "$setOnInsert": {"first_died_at": letter.first_died_at, "decisions": []},
                "$inc": {"deaths": 1},
                "$unset": {"forget_at": ""},
            },
            upsert=True,
        )

    async def waiting(self) -> dict[str, int]:
        """Return how many letters wait, by queue."""
        return {
            stream.queue: await self.collection.count_documents({"state": "waiting", "queue": stream.queue})
            for stream in self.streams
        }

    async def measure(self) -> None:
        """Show in the metrics how many letters wait."""
        for queue, letters in (await self.waiting()).items():
            WAITING.labels(queue).set(letters)

    async def all(self, *, decided: bool = False) -> AsyncIterator[Letter]:
        """Yield the letters that wait, or those that were decided about, without their bodies."""
        wanted = {"state": {"$ne": "waiting"} if decided else "waiting"}
        async for document in self.collection.find(wanted, _WITHOUT_BODY):
            yield self._letter(document)

    async def find(self, letter_id: str, *, with_body: bool = True) -> Letter | None:
        """Return a letter. Raises CannotDecrypt where its body is wanted."""
        document = await self.collection.find_one({"_id": letter_id}, None if with_body else _WITHOUT_BODY)
        return self._letter(document) if document else None

    async def decide(self, letter: Letter, decision: Decision) -> bool:
        """Store what was decided and erase the body; False where the letter has died again since it was read."""
        as_it_was = {"_id": letter.id, "state": "waiting", "deaths": letter.deaths}
        decided = await self.collection.update_one(
            as_it_was,
            {
                "$set": {"state": decision.state, "forget_at": decision.at + REMEMBERED_FOR},
                "$push": {"decisions": asdict(decision)},
                "$unset": {"sealed": ""},
            },
        )
        return decided.modified_count == 1

    def now(self) -> datetime:
        return self._clock()

    def _letter(self, document: Document) -> Letter:
        plain = {name: document[name] for name in _FIELDS if name in document}
        decisions = tuple(Decision(**decision) for decision in document["decisions"])
        return Letter(id=document["_id"], body=self.opened(document), decisions=decisions, **plain)

    def _sealed(self, letter: Letter) -> str:
        return self._vault.encrypt(base64.b64encode(letter.body or b"").decode(), *_row(letter.id))

    def opened(self, document: Document) -> bytes | None:
        """Return the body in a document, None where it is erased. Raises CannotDecrypt."""
        if "sealed" not in document:
            return None
        return base64.b64decode(self._vault.decrypt(document["sealed"], *_row(document["_id"])))


def _row(letter_id: str) -> tuple[str, ...]:
    return "dead_letters", letter_id, "body"


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a letter's document."""
    if "sealed" in document:
        yield Secret("sealed", _row(document["_id"]))
