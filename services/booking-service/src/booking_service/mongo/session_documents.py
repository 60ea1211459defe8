"""A session as a document and back: tokens, join URL and passcode encrypted, bound to their row."""

from collections.abc import Iterator
from hashlib import sha256

from booking_service.domain.session import ChangedInZoom, DialIn, Invitee, Meeting, Seat, Session, WayIn
from booking_service.mongo import answers
from booking_service.mongo.catalog import event_type_document, event_type_of, host_document, host_of
from convoke.mongo import Document
from convoke.rekeying import Secret
from convoke.vault import Vault


def token_hash(token: str) -> bytes:
    """Return what a token of an address is looked up by."""
    return sha256(token.encode()).digest()


class SessionDocuments:
    """Translates between the session and its document."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def document(self, session: Session) -> Document:
        """Return the whole document of a new session."""
        host, event_type = session.host, session.event_type
        return {
            "_id": session.id,
            "organization_id": session.organization_id,
            "event_type": {"_id": event_type.id, **event_type_document(event_type)},
            "host": {"_id": host.id, **host_document(host)},
            "capacity": session.capacity,
            "meeting": self.meeting(session.organization_id, session.id, session.meeting),
            **self.schedule(session),
        }

    def schedule(self, session: Session) -> Document:
        """Return the fields that a change of the session writes; `claims` only while it takes the host's time."""
        claims = {"claims": session.claims()} if session.status == "scheduled" else {}
        return {
            "revision": session.revision,
            "status": session.status,
            "starts_at": session.starts_at,
            "seats": [self._seat(session, seat) for seat in session.seats],
            **claims,
        }

    def meeting(self, organization_id: str, session_id: str, meeting: Meeting) -> Document:
        """Return the field `meeting`."""
        way_in = meeting.way_in and self._way_in(organization_id, session_id, meeting.way_in)
        changed = meeting.changed_in_zoom and dict(vars(meeting.changed_in_zoom))
        return {**vars(meeting), "way_in": way_in, "changed_in_zoom": changed}

    def session(self, document: Document) -> Session:
        """Return the session of a document. Raises convoke.vault.CannotDecrypt."""
        return Session(
            id=document["_id"],
            organization_id=document["organization_id"],
            revision=document["revision"],
            status=document["status"],
            event_type=event_type_of(document["event_type"]),
            host=host_of(document["host"]),
            starts_at=document["starts_at"],
            seats=tuple(self._seat_of(document, seat) for seat in document["seats"]),
            capacity=document["capacity"],
            meeting=self._meeting_of(document),
        )

    def _seat(self, session: Session, seat: Seat) -> Document:
        row = (session.organization_id, session.id, seat.id)
        return {
            "id": seat.id,
            "revision": seat.revision,
            "status": seat.status,
            "invitee": dict(vars(seat.invitee)),
            "join_token": self._vault.encrypt(seat.join_token, *row, "join_token"),
            "join_hash": token_hash(seat.join_token),
            "manage_token": self._vault.encrypt(seat.manage_token, *row, "manage_token"),
            "manage_hash": token_hash(seat.manage_token),
        }

    def _seat_of(self, document: Document, seat: Document) -> Seat:
        row = (document["organization_id"], document["_id"], seat["id"])
        return Seat(
            id=seat["id"],
            revision=seat["revision"],
            status=seat["status"],
            invitee=Invitee(**seat["invitee"]),
            join_token=self._vault.decrypt(seat["join_token"], *row, "join_token"),
            manage_token=self._vault.decrypt(seat["manage_token"], *row, "manage_token"),
        )

    def _way_in(self, organization_id: str, session_id: str, way_in: WayIn) -> Document:
        row = (organization_id, session_id)
        passcode = way_in.passcode and self._vault.encrypt(way_in.passcode, *row, "passcode")
        return {
            "meeting_id": way_in.meeting_id,
            "join_url": self._vault.encrypt(way_in.join_url, *row, "join_url"),
            "passcode": passcode,
            "dial_in": [dict(vars(number)) for number in way_in.dial_in],
            "connected_at": way_in.connected_at,
        }

    def _meeting_of(self, document: Document) -> Meeting:
        stored = document["meeting"]
        way_in = stored["way_in"] and self._way_in_of(document["organization_id"], document["_id"], stored["way_in"])
        changed = stored.get("changed_in_zoom") and ChangedInZoom(**stored["changed_in_zoom"])
        return Meeting(**{**stored, "way_in": way_in, "changed_in_zoom": changed})

    def _way_in_of(self, organization_id: str, session_id: str, stored: Document) -> WayIn:
        row = (organization_id, session_id)
        return WayIn(
            meeting_id=stored["meeting_id"],
            join_url=self._vault.decrypt(stored["join_url"], *row, "join_url"),
            passcode=stored["passcode"] and self._vault.decrypt(stored["passcode"], *row, "passcode"),
            dial_in=tuple(DialIn(**number) for number in stored["dial_in"]),
            connected_at=stored.get("connected_at"),
        )


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a session's document."""
    row = (document["organization_id"], document["_id"])
    for at, seat in enumerate(document["seats"]):
        for name in ("join_token", "manage_token"):
            yield Secret(f"seats.{at}.{name}", (*row, seat["id"], name))
    way_in = document["meeting"]["way_in"] or {}
    for name in ("join_url", "passcode"):
        if way_in.get(name):
            yield Secret(f"meeting.way_in.{name}", (*row, name))
    yield from answers.secrets_of(document)
