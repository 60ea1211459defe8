"""What the replicas share of an outage: that Zoom does not answer, and when one of them may probe it next.

An outage is a document with `due_at`, so that a probe is claimed like all due work: by one replica at a time.
"""

from datetime import datetime, timedelta
from random import uniform

from pymongo.errors import DuplicateKeyError

from convoke.due_work import Claim
from convoke.mongo import Collection, Database

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)


class Outages:
    """The collection `outages`: one document per address of Zoom's API that is, or was, down."""

    def __init__(self, database: Database) -> None:
        self.collection: Collection = database["outages"]

    async def begin(self, api_url: str, now: datetime) -> bool:
        """Note that Zoom is down; tells whether nobody had noted that yet."""
        outage = {"began_at": now, "probes": 0, "due_at": now + pause(0)}
        try:
            await self.collection.update_one({"_id": api_url, "due_at": None}, {"$set": outage}, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    async def next_probe(self, api_url: str) -> datetime | None:
        """Return when Zoom is probed next, None where it is not down."""
        outage = await self.collection.find_one({"_id": api_url}, {"due_at": 1})
        return outage["due_at"] if outage else None

    async def put_off(self, claim: Claim, until: datetime, probes: int) -> None:
        """Give the claim back: the next probe is due at `until`, after so many in vain."""
        change = {"$set": {"due_at": until, "probes": probes, "lease": None}}
        await self.collection.update_one(claim.still_ours, change)

    async def end(self, claim: Claim) -> bool:
        """Let calls pass again; False where another replica has the claim by now."""
        ended = await self.collection.update_one(claim.still_ours, {"$set": {"due_at": None, "lease": None}})
        return ended.modified_count == 1


def pause(probes: int) -> timedelta:
    """Return how long to wait after so many probes in vain; never the same for two outages that began together."""
    doubled: timedelta = min(FIRST_PAUSE * 2 ** min(probes, 10), LONGEST_PAUSE)
    return doubled * uniform(0.8, 1.2)  # noqa: S311 - spreads the probes, keeps no secret
