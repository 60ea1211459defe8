"""What is stored of one person or of a whole organization, to be handed out: never a token."""

from collections.abc import AsyncIterator
from typing import Any

from booking_service.addresses import Addresses
from booking_service.http.views import BookingView, TimelineEntryView
from booking_service.mongo.catalog import event_type_of, host_of
from booking_service.mongo.session_documents import SessionDocuments
from booking_service.mongo.sessions import Stored
from convoke.erasure.portions import folded
from convoke.mongo import Database, Document
from convoke.vault import Vault

Record = dict[str, Any]

_SECRET = {"join_address", "manage_address"}
"""Who has one of these is let in."""


class Export:
    """Reads what an organization's guests and hosts are entitled to see."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._documents = SessionDocuments(vault)

    async def records(self, organization_id: str, person: str | None = None) -> AsyncIterator[Record]:
        """Yield bookings with their timelines and hosts, of one mail address where it is given; else event types too.

        Raises CannotDecrypt.
        """
        async for document in self._of("sessions", organization_id):
            for booking in self._bookings(document, person):
                yield booking
        async for document in self._of("hosts", organization_id):
            host = host_of(document)
            if person is None or folded(host.email) == folded(person):
                yield {"kind": "host", **vars(host)}
        if person is None:
            async for document in self._of("event_types", organization_id):
                event_type = event_type_of(document)
                yield {"kind": "event_type", "id": event_type.id, "title": event_type.title}

    def _of(self, collection: str, organization_id: str) -> AsyncIterator[Document]:
        of_organization = {"organization_id": organization_id, "is_erased": {"$ne": True}}
        found: AsyncIterator[Document] = self._database[collection].find(of_organization).sort("_id", 1)
        return found

    def _bookings(self, document: Document, person: str | None) -> list[Record]:
        session = self._documents.session(document)
        timeline = [
            TimelineEntryView.model_validate(entry).model_dump(mode="json")
            for entry in Stored(session, document).timeline
        ]
        shown = [
            BookingView.of(session, seat, Addresses("")).model_dump(mode="json", exclude=_SECRET, exclude_none=True)
            for seat in session.seats
            if person is None or folded(person) in {folded(seat.invitee.email), folded(session.host.email)}
        ]
        return [{"kind": "booking", **booking, "timeline": timeline} for booking in shown]
