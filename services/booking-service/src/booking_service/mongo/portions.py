"""What booking-service holds of what is to be erased, collection by collection."""

from datetime import datetime, timedelta
from typing import Literal

from booking_service.mongo.erased_sessions import ErasedSessions, is_alternative
from convoke.clock import Clock
from convoke.erasure.portions import Erased, Erasure, Portion, create_index, tombstone, unmarked
from convoke.messaging.dead_letters.erasing import dead_letters_portions
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database, Document
from convoke.vault import Vault

LONGEST_SESSION = timedelta(days=1)
"""No event type lasts longer."""

COLLECTIONS = ("sessions", "hosts", "event_types", "zoom_connections")

_NOTHING_OF_ZOOM: Document = {"plan": "unknown", "missing_scopes": [], "found": []}
"""Whether it is connected stays as auth-service told it: perhaps it was connected again after the request."""


class Portions:
    """Finds them for each scope."""

    def __init__(self, database: Database, vault: Vault, dead_letters: DeadLetters, clock: Clock) -> None:
        self._database = database
        self._sessions = ErasedSessions(vault, clock)
        self._dead_letters = dead_letters
        self._clock = clock

    async def create_indexes(self) -> None:
        for name in COLLECTIONS:
            await create_index(self._database[name])
        await self._database["sessions"].create_index(
            "starts_at",
            name="expiring_link",
            partialFilterExpression={"meeting.way_in.meeting_id": {"$exists": True}},
        )

    def of(self, erasure: Erasure) -> list[Portion]:
        """Return the portions of an erasure."""
        of_scope = {"zoom_data": self._of_zoom, "person": self._of_person, "organization": self._of_organization}
        return [*of_scope[erasure.scope](erasure), *dead_letters_portions(self._dead_letters, erasure, self._clock)]

    def expired_links(self, before: datetime) -> Portion:
        """Return the links of sessions that began so long ago that they have surely ended."""
        began = {"starts_at": {"$lt": before - LONGEST_SESSION}, "meeting.way_in.meeting_id": {"$exists": True}}
        return Portion("links", self._database["sessions"], _without_link, {}, began)

    def _of_zoom(self, erasure: Erasure) -> list[Portion]:
        def without_meeting(document: Document) -> Document | None:
            return self._sessions.without_meeting(erasure, document)

        return [
            self._portion(erasure, "meetings_of_bookings", "sessions", without_meeting, "timeline"),
            self._portion(erasure, "zoom_connections", "zoom_connections", _without_account),
        ]

    def _of_person(self, erasure: Erasure) -> list[Portion]:
        def without_person(document: Document) -> Document | Literal["needed"] | None:
            return self._sessions.without_person(erasure, document)

        def host(document: Document) -> Document | None:
            is_meant = erasure.is_of(document["email"]) and document["created_at"] <= erasure.requested_at
            return tombstone(document, "created_at") if is_meant else None

        def event_type(document: Document) -> Document | None:
            left = [address for address in document["zoom"]["alternative_hosts"] if not erasure.is_of(address)]
            unnamed = {"$set": {"zoom.alternative_hosts": left, "idempotency": []}}
            return unnamed if is_alternative(erasure, document) else None

        return [
            self._portion(erasure, "bookings", "sessions", without_person, "timeline"),
            self._portion(erasure, "hosts", "hosts", host),
            self._portion(erasure, "event_types", "event_types", event_type),
        ]

    def _of_organization(self, erasure: Erasure) -> list[Portion]:
        return [
            self._portion(erasure, "bookings", "sessions", self._sessions.tombstone),
            self._portion(erasure, "hosts", "hosts", lambda document: tombstone(document, "created_at")),
            self._portion(erasure, "event_types", "event_types", lambda document: tombstone(document, "created_at")),
            self._portion(erasure, "zoom_connections", "zoom_connections", _without_account),
        ]

    def _portion(self, erasure: Erasure, what: str, collection: str, erased: Erased, *guards: str) -> Portion:
        owner = {"organization_id": erasure.organization_id}
        # A person may take part in a session that was looked at before, in another seat.
        pending = {"is_erased": None} | ({} if erasure.scope == "person" else unmarked(erasure))
        return Portion(what, self._database[collection], erased, owner, pending, guards)


def _without_link(_: Document) -> Document:
    return {"$set": {"meeting.way_in": None}}


def _without_account(_: Document) -> Document:
    return {"$set": _NOTHING_OF_ZOOM}
