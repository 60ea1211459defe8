"""Attempts to connect Zoom: found by the id in their link, then by the hash of their state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from auth_service.domain.authorizations import (
    LINK_LIVES,
    STATE_LIVES,
    AnotherBrowser,
    Authorization,
    Link,
    StateExpired,
    StateReused,
    StateUnknown,
    hash_of,
)
from auth_service.domain.connections import Owner
from convoke.clock import Clock, utc_now
from convoke.ids import new_id, new_token
from convoke.mongo import Database, Document, find_surely
from convoke.rekeying import Secret
from convoke.vault import Vault

KEEP_AFTER_EXPIRY = 86_400
"""Seconds that a spent state is told apart from an unknown one, so that its page can say what happened."""


class Authorizations:
    """One document per attempt; opening its link and consuming its state are one atomic write each."""

    def __init__(self, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self._collection = database["authorizations"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self._collection.create_index("expires_at", name="expiry", expireAfterSeconds=KEEP_AFTER_EXPIRY)
        await self._collection.create_index("state_hash", name="state", sparse=True)

    async def add(self, authorization: Authorization) -> tuple[Link, datetime]:
        """Store an attempt; returns the link that begins it, and when that expires."""
        link, now = Link(new_id("za"), new_token()), self._clock()
        await self._collection.insert_one(
            {
                "_id": link.attempt_id,
                "link_hash": hash_of(link.secret),
                "organization_id": authorization.owner.organization_id,
                "host_id": authorization.owner.host_id,
                "requested_by": authorization.requested_by,
                "return_to": authorization.return_to,
                "created_at": now,
                "expires_at": now + LINK_LIVES,
                "browser_hash": None,
                "used_at": None,
            }
        )
        return link, now + LINK_LIVES

    async def begun_by(self, link: Link, browser: str) -> Authorization:
        """Return the attempt, if this browser may still open it. Raises what `open` raises."""
        found = await find_surely(self._collection, _of(link))
        if (
            found is None
            or found["used_at"]
            or found["expires_at"] <= self._clock()
            or not _may_be_opened(found, browser)
        ):
            raise self._why_not(found, browser)
        return _authorization(found)

    async def open(self, link: Link, browser: str, state: str, code_verifier: str) -> Authorization:
        """Bind the attempt to a browser and to a state, for STATE_LIVES; the same browser may do so again.

        Raises StateUnknown, AnotherBrowser, StateReused or StateExpired.
        """
        attempt, now, browser_hash = await self.begun_by(link, browser), self._clock(), hash_of(browser)
        row = _row(attempt.owner.organization_id, link.attempt_id)
        opened = {
            "browser_hash": browser_hash,
            "state_hash": hash_of(state),
            "code_verifier": self._vault.encrypt(code_verifier, *row),
            "expires_at": now + STATE_LIVES,
        }
        free = {"used_at": None, "expires_at": {"$gt": now}, "browser_hash": {"$in": [None, browser_hash]}}
        outcome = await self._collection.update_one({**_of(link), **free}, {"$set": opened})
        if not outcome.matched_count:
            raise self._why_not(await find_surely(self._collection, _of(link)), browser)
        return attempt

    async def consume(self, state: str, browser: str) -> Authorization:
        """Return the attempt, once, to the browser that opened it.

        Raises StateUnknown, AnotherBrowser, StateReused or StateExpired; another browser spends nothing.
        """
        the_one, now = {"state_hash": hash_of(state)}, self._clock()
        found = await self._collection.find_one_and_update(
            {**the_one, "used_at": None, "expires_at": {"$gt": now}, "browser_hash": hash_of(browser)},
            {"$set": {"used_at": now}, "$unset": {"code_verifier": ""}},
        )
        if found is None:
            raise self._why_not(await find_surely(self._collection, the_one), browser)
        verifier = self._vault.decrypt(found["code_verifier"], *_row(found["organization_id"], found["_id"]))
        return replace(_authorization(found), code_verifier=verifier, came_back_at=now)

    def _why_not(self, found: Document | None, browser: str) -> Exception:
        if found is None:
            return StateUnknown()
        if not _may_be_opened(found, browser):
            return AnotherBrowser()
        return StateReused(found["return_to"]) if found["used_at"] else StateExpired(found["return_to"])


def _of(link: Link) -> Document:
    return {"_id": link.attempt_id, "link_hash": hash_of(link.secret)}


def _may_be_opened(found: Document, browser: str) -> bool:
    return found["browser_hash"] in (None, hash_of(browser))


def _authorization(found: Document) -> Authorization:
    owner = Owner(found["organization_id"], found["host_id"])
    return Authorization(owner, found["requested_by"], return_to=found["return_to"])


def _row(organization_id: str, attempt_id: str) -> tuple[str, str, str]:
    return organization_id, attempt_id, "code_verifier"


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in an attempt's document."""
    if "code_verifier" in document:
        yield Secret("code_verifier", _row(document["organization_id"], document["_id"]))
