"""Attempts to connect Zoom, found by the hash of their state."""

from datetime import datetime

from auth_service.domain.authorizations import (
    STATE_LIVES,
    Authorization,
    StateExpired,
    StateReused,
    StateUnknown,
    hash_of_state,
)
from auth_service.domain.connections import Owner
from convoke.clock import Clock, utc_now
from convoke.mongo import Database
from convoke.vault import Vault

KEEP_AFTER_EXPIRY = 86_400
"""Seconds that a spent state is told apart from an unknown one, so that its page can say what happened."""


class Authorizations:
    """One document per attempt; consuming its state is one atomic write."""

    def __init__(self, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self._collection = database["authorizations"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self._collection.create_index("expires_at", name="expiry", expireAfterSeconds=KEEP_AFTER_EXPIRY)

    async def add(self, state: str, authorization: Authorization) -> datetime:
        """Store an attempt; returns when it expires."""
        state_hash, now = hash_of_state(state), self._clock()
        owner = authorization.owner
        await self._collection.insert_one(
            {
                "_id": state_hash,
                "organization_id": owner.organization_id,
                "host_id": owner.host_id,
                "requested_by": authorization.requested_by,
                "code_verifier": self._vault.encrypt(
                    authorization.code_verifier, owner.organization_id, state_hash, "code_verifier"
                ),
                "created_at": now,
                "expires_at": now + STATE_LIVES,
                "used_at": None,
            }
        )
        return now + STATE_LIVES

    async def consume(self, state: str) -> Authorization:
        """Return the attempt, once. Raises StateUnknown, StateReused or StateExpired."""
        state_hash, now = hash_of_state(state), self._clock()
        found = await self._collection.find_one_and_update(
            {"_id": state_hash, "used_at": None, "expires_at": {"$gt": now}},
            {"$set": {"used_at": now}, "$unset": {"code_verifier": ""}},
        )
        if found is None:
            raise await self._why_not(state_hash)
        organization_id = found["organization_id"]
        return Authorization(
            owner=Owner(organization_id, found["host_id"]),
            requested_by=found["requested_by"],
            code_verifier=self._vault.decrypt(found["code_verifier"], organization_id, state_hash, "code_verifier"),
            came_back_at=now,
        )

    async def _why_not(self, state_hash: str) -> StateUnknown | StateReused | StateExpired:
        found = await self._collection.find_one({"_id": state_hash})
        if found is None:
            return StateUnknown()
        return StateReused() if found["used_at"] else StateExpired()
