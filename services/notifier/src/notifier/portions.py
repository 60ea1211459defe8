"""What the notifier holds of what is to be erased: correspondences with their mails, and dead letters."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Literal

from convoke.clock import Clock
from convoke.erasure.portions import NEEDED, Erased, Erasure, Portion, Scope, create_index, tombstone, unmarked
from convoke.messaging.dead_letters.erasing import dead_letters_portions
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Document
from notifier.domain.snapshot import Snapshot
from notifier.mongo.correspondence import Correspondences, found_by
from notifier.mongo.notices import NoticesStore


class Portions:
    """Finds them for each scope."""

    def __init__(self, store: Correspondences, notices: NoticesStore, dead_letters: DeadLetters, clock: Clock) -> None:
        self._store = store
        self._notices = notices
        self._dead_letters = dead_letters
        self._clock = clock

    async def create_indexes(self) -> None:
        await create_index(self._store.collection)
        await create_index(self._notices.collection)
        await self._store.collection.create_index("ends_at", name="expiring_link", sparse=True)

    def of(self, erasure: Erasure) -> list[Portion]:
        """Return the portions of an erasure."""
        letters = dead_letters_portions(self._dead_letters, erasure, self._clock)
        return [self._correspondence(erasure), self._of_connections(erasure), *letters]

    def expired_links(self, before: datetime) -> Portion:
        """Return the correspondences of sessions that ended before a moment; each is looked at once.

        Of those from before it was stored when they end, or whether a broken connection affects them, that is stored.
        """
        unread = [{"ends_at": {"$exists": False}}, {"ends_at": {"$ne": None}, "on_zoom": {"$exists": False}}]
        ended = [{"ends_at": {"$lt": before}}, *unread]
        which = {"$or": ended, "is_erased": None, "lease": None}
        expired = partial(self._expired, before)
        return Portion("correspondence", self._store.collection, expired, {}, which, guards=("revision",))

    def _expired(self, before: datetime, document: Document) -> Document:
        plain = found_by(self._store.read(document).snapshot)
        if plain["ends_at"] >= before:
            return {"$set": plain}
        change = self._without_link_until(self._clock())(document) or {"$set": {}}
        return {"$set": change["$set"] | plain | {"ends_at": None}, "$unset": {"due_at": ""}}

    def _correspondence(self, erasure: Erasure) -> Portion:
        erased: Mapping[Scope, Erased] = {
            "zoom_data": self._without_link_until(erasure.requested_at),
            "organization": tombstone,
            "person": self._without_person(erasure),
        }
        owner = {"organization_id": erasure.organization_id}
        pending = {"is_erased": None} | unmarked(erasure)
        return Portion(
            "correspondence", self._store.collection, erased[erasure.scope], owner, pending, guards=("revision",)
        )

    def _of_connections(self, erasure: Erasure) -> Portion:
        def emptied(document: Document) -> Document | None:
            if erasure.scope == "organization":
                return tombstone(document)
            if erasure.scope == "person" and not erasure.is_of(self._notices.read(document).standing.email):
                return _WITHOUT_NOTICE if document["mail"] else None
            is_connected_since = document["since"] > erasure.requested_at
            return None if is_connected_since else _without_account(erasure)

        owner = {"organization_id": erasure.organization_id}
        pending = {"is_erased": None} | unmarked(erasure)
        return Portion("notices", self._notices.collection, emptied, owner, pending, guards=("version",))

    def _without_person(self, erasure: Erasure) -> Erased:
        def erased(document: Document) -> Document | Literal["needed"] | None:
            snapshot = self._store.read(document).snapshot
            if not any(erasure.is_of(address) for address in people_of(snapshot)):
                return None
            is_past = snapshot.is_over(self._clock()) or (snapshot.is_canceled and "due_at" not in document)
            return tombstone(document) if is_past else NEEDED

        return erased

    def _without_link_until(self, asked_at: datetime) -> Callable[[Document], Document | None]:
        """Take out a link from before `asked_at`, the mails that hold it, and the lease of whoever is to send one.

        One of a connection that was made since stays, and has older mails dropped by whoever sends its own.
        """

        def erased(document: Document) -> Document | None:
            correspondence = self._store.read(document)
            meeting = correspondence.snapshot.meeting
            holds_mail = any(delivery.mime for delivery in correspondence.deliveries)
            is_later = meeting and meeting.connected_at and meeting.connected_at > asked_at
            return None if is_later or not (meeting or holds_mail) else self._store.without_link(correspondence)

        return erased


_WITHOUT_NOTICE: Document = {"$set": {"mail": None, "lease": None}, "$inc": {"version": 1}}
"""A notice that names guests, and is under way; it is rendered anew, without whoever is gone."""


def _without_account(erasure: Erasure) -> Document:
    """Return what ends the notices of a connection, also those that older events would ask for."""
    ended: Document = {"email": None, "since": erasure.requested_at, "endings": []}
    return {
        "$set": ended | {"mail": None, "lease": None},
        "$unset": {"due_at": ""},
        "$inc": {"version": 1},
    }


def people_of(snapshot: Snapshot) -> tuple[str, str]:
    return snapshot.booking.invitee.email, snapshot.session.host.email
