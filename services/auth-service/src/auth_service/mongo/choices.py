"""Choices between two Zoom users that wait for their owner, with the sealed tokens of the newer one.

One document per choice, and due work: tokens that were not accepted are revoked at Zoom, then erased; an accepted
choice that was left in the middle is carried out.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from auth_service.domain.authorizations import (
    CHOICE_LIVES,
    REVOKE_WITHIN,
    Authorization,
    Choice,
    ChoiceExpired,
    ChoiceMade,
    ChoiceUnknown,
    hash_of,
)
from auth_service.domain.connections import Connection, Owner, Tokens, ZoomUser
from convoke.clock import Clock, utc_now
from convoke.due_work import Claim
from convoke.ids import new_id
from convoke.mongo import Database, Document, find_surely
from convoke.rekeying import Secret
from convoke.vault import Vault

KEEP_FOR = timedelta(days=1)
"""So that the page can say what was decided."""

FINISHED_WITHIN = timedelta(seconds=90)
"""Longer than a request may take: what was accepted and is not carried out by then, whoever took it on has died."""

_ERASED = {"tokens.access": "", "tokens.refresh": "", "due_at": ""}


class Choices:
    """Found by id and browser; every decision is one atomic write."""

    def __init__(self, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self.collection = database["choices"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self.collection.create_index(
            "created_at", name="expiry", expireAfterSeconds=int(KEEP_FOR.total_seconds())
        )
        await self.collection.create_index([("organization_id", 1)], name="organization")

    async def add(
        self, attempt: Authorization, former: Connection, user: ZoomUser, tokens: Tokens, browser: str
    ) -> str:
        """Store a choice that is to be made in this browser; returns its id."""
        choice_id, now = new_id("zx"), self._clock()
        await self.collection.insert_one(
            {
                "_id": choice_id,
                "organization_id": attempt.owner.organization_id,
                "host_id": attempt.owner.host_id,
                "requested_by": attempt.requested_by,
                "return_to": attempt.return_to,
                "came_back_at": attempt.came_back_at,
                "browser_hash": hash_of(browser),
                "connection_id": former.id,
                "former": _fields(former.user),
                "user": _fields(user),
                "tokens": self._sealed(attempt.owner, choice_id, tokens),
                "decision": None,
                "created_at": now,
                "due_at": now + CHOICE_LIVES,
                "lease": None,
            }
        )
        return choice_id

    async def find(self, choice_id: str, browser: str) -> Choice:
        """Return a choice that is still to be made. Raises ChoiceUnknown, ChoiceMade or ChoiceExpired."""
        found = await find_surely(self.collection, {"_id": choice_id, "browser_hash": hash_of(browser)})
        if found is None:
            raise ChoiceUnknown
        if found["decision"]:
            made = ChoiceExpired if found["decision"] == "expired" else ChoiceMade
            raise made(found["return_to"])
        if found["due_at"] <= self._clock():
            raise ChoiceExpired(found["return_to"])
        return _choice(found)

    def tokens(self, choice: Choice) -> Tokens:
        """Return the tokens in clear. Raises CannotDecrypt."""
        of = (choice.attempt.owner.organization_id, choice.id)
        return Tokens(
            access=self._vault.decrypt(choice.sealed_access_token, *_row(*of, "access")),
            refresh=self._vault.decrypt(choice.sealed_refresh_token, *_row(*of, "refresh")),
            expires_at=choice.expires_at,
            scopes=choice.scopes,
            api_url=choice.api_url,
        )

    async def accept(self, choice: Choice) -> None:
        """Store the decision, once; the tokens stay until `finish`. Raises ChoiceMade or ChoiceExpired."""
        now = self._clock()
        taken = await self.collection.update_one(
            {"_id": choice.id, "decision": None, "due_at": {"$gt": now}},
            {"$set": {"decision": "accepted", "due_at": now + FINISHED_WITHIN}},
        )
        if not taken.matched_count:
            raise await self._over(choice)

    async def finish(self, choice: Choice) -> None:
        """Erase the tokens of an accepted choice: the connection has them."""
        await self.collection.update_one({"_id": choice.id, "decision": "accepted"}, {"$unset": _ERASED})

    async def refuse(self, choice: Choice) -> None:
        """Have the tokens revoked and erased. Raises ChoiceMade or ChoiceExpired."""
        refused = await self.collection.update_one(
            {"_id": choice.id, "decision": None}, {"$set": {"decision": "kept", "due_at": self._clock()}}
        )
        if not refused.matched_count:
            raise await self._over(choice)

    async def left_accepted(self, claim: Claim) -> Choice | None:
        """Return a due choice that was accepted and not finished; None where nobody accepted it."""
        found = await self.collection.find_one({**claim.still_ours, "decision": "accepted"})
        return _choice(found) if found else None

    async def to_revoke(self, claim: Claim) -> Choice | None:
        """Return a due choice, which nobody can accept from now on; None where it was accepted just now."""
        if claim.document["decision"] is None:
            await self.collection.update_one({**claim.still_ours, "decision": None}, {"$set": {"decision": "expired"}})
        found = await self.collection.find_one({**claim.still_ours, "decision": {"$in": ["expired", "kept"]}})
        return _choice(found) if found else None

    async def put_off(self, claim: Claim, until: datetime) -> bool:
        """Have the tokens revoked later; False where they have come to their end by then."""
        if until - claim.document["created_at"] > REVOKE_WITHIN:
            return False
        await self.collection.update_one(claim.still_ours, {"$set": {"due_at": until, "lease": None}})
        return True

    async def keep_refreshed(self, claim: Claim, choice: Choice, tokens: Tokens) -> None:
        """Keep the pair that replaces the one to be revoked: that one had expired."""
        sealed = self._sealed(choice.attempt.owner, choice.id, tokens)
        await self.collection.update_one(claim.still_ours, {"$set": {"tokens": sealed}})

    async def erase(self, claim: Claim) -> None:
        """Erase the tokens and who they are of."""
        await self.collection.update_one(
            claim.still_ours, {"$set": {"lease": None}, "$unset": {**_ERASED, "user.email": "", "former.email": ""}}
        )

    async def _over(self, choice: Choice) -> ChoiceMade | ChoiceExpired:
        """Return why a choice can be made no more."""
        made = {"_id": choice.id, "decision": {"$in": ["accepted", "kept"]}}
        return_to = choice.attempt.return_to
        return ChoiceMade(return_to) if await find_surely(self.collection, made) else ChoiceExpired(return_to)

    def _sealed(self, owner: Owner, choice_id: str, tokens: Tokens) -> Document:
        of = (owner.organization_id, choice_id)
        return {
            "access": self._vault.encrypt(tokens.access, *_row(*of, "access")),
            "refresh": self._vault.encrypt(tokens.refresh, *_row(*of, "refresh")),
            "expires_at": tokens.expires_at,
            "scopes": list(tokens.scopes),
            "api_url": tokens.api_url,
        }


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a choice's document."""
    for kind in ("access", "refresh"):
        if kind in document["tokens"]:
            yield Secret(f"tokens.{kind}", _row(document["organization_id"], document["_id"], kind))


def _row(organization_id: str, choice_id: str, kind: str) -> tuple[str, ...]:
    return organization_id, choice_id, f"tokens.{kind}"


def _choice(found: Document) -> Choice:
    tokens = found["tokens"]
    return Choice(
        id=found["_id"],
        attempt=_attempt(found),
        connection_id=found["connection_id"],
        former=ZoomUser(**found["former"]),
        user=ZoomUser(**found["user"]),
        sealed_access_token=tokens["access"],
        sealed_refresh_token=tokens["refresh"],
        expires_at=tokens["expires_at"],
        scopes=tuple(tokens["scopes"]),
        api_url=tokens["api_url"],
    )


def _attempt(found: Document) -> Authorization:
    return Authorization(
        owner=Owner(found["organization_id"], found["host_id"]),
        requested_by=found["requested_by"],
        came_back_at=found["came_back_at"],
        return_to=found["return_to"],
        accepted_former_user=found["former"]["id"],
        choice_id=found["_id"],
    )


def _fields(user: ZoomUser) -> dict[str, Any]:
    return {"id": user.id, "account_id": user.account_id, "email": user.email, "plan": user.plan}
