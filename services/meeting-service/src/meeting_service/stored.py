"""How the aggregate looks in MongoDB: the way in and the people encrypted, bound to organization, session and field."""

import json
from collections.abc import Iterator
from datetime import datetime

from convoke.contracts import Booking, DialIn, FailureReason, Session
from convoke.mongo import Document
from convoke.rekeying import Secret
from convoke.vault import Vault
from meeting_service.domain.at_zoom import Condemned, Decision, Intent, MeetingAtZoom, Seen, WayIn
from meeting_service.domain.meeting import Announced, Seat, SessionMeeting

_PLAIN = (
    "generation",
    "open_generation",
    "attempt",
    "outcome",
    "failures",
    "failed_revision",
    "clean_up_at",
    "look_at",
    "retry_at",
    "meeting_revision",
    "record_revision",
)


class Stored:
    """Translates between the aggregate and its document."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def desired_session(self, session: Session, desired_at: datetime) -> Document:
        return {
            "organization_id": session.organization_id,
            "session": session.model_dump(),
            "session_revision": session.revision,
            "desired_at": desired_at,
        }

    def desired_seat(self, session: Session, booking: Booking) -> Document:
        sealed = self._vault.encrypt(booking.model_dump_json(), *_row(session, booking.id))
        return {f"seats.{booking.id}.revision": booking.revision, f"seats.{booking.id}.sealed": sealed}

    def actual(self, state: SessionMeeting) -> Document:
        """Return the fields that only the holder of the lease writes."""
        fields: Document = {name: getattr(state, name) for name in _PLAIN}
        fields |= {
            "intent": _fields(state.intent),
            "meeting": self._meeting(state) if state.meeting else None,
            "differs": _fields(state.differs),
            "condemned": [_fields(one) for one in state.condemned],
            "reason": state.reason.model_dump() if state.reason else None,
            "announced": _fields(state.announced),
        }
        return fields | {f"seats.{booking_id}.told": list(seat.told) for booking_id, seat in state.seats.items()}

    def state(self, document: Document) -> SessionMeeting:
        session = Session.model_validate(document["session"])
        plain = {name: document[name] for name in _PLAIN if name in document}
        if document.get("strays"):  # nobody has tried to delete these yet, whatever the older ones wait for
            plain["clean_up_at"] = None
        return SessionMeeting(
            session=session,
            seats={key: self._seat(session, key, seat) for key, seat in document.get("seats", {}).items()},
            desired_at=document.get("desired_at"),
            is_included=document.get("is_included", False),
            intent=Intent(**document["intent"]) if document.get("intent") else None,
            decision=Decision(**document["decision"]) if document.get("decision") else None,
            meeting=self._read_meeting(session, document["meeting"]) if document.get("meeting") else None,
            condemned=_condemned(document),
            leaving=document.get("leaving"),
            must_look=document.get("looks", 0) > document.get("looks_settled", 0),
            differs=Seen(**document["differs"]) if document.get("differs") else None,
            is_unsure=document.get("doubts", 0) > document.get("doubts_settled", 0),
            reason=FailureReason.model_validate(document["reason"]) if document.get("reason") else None,
            announced=Announced(**document["announced"]) if document.get("announced") else None,
            **plain,
        )

    def _seat(self, session: Session, booking_id: str, seat: Document) -> Seat:
        opened = self._vault.decrypt(seat["sealed"], *_row(session, booking_id))
        told = seat.get("told", (0, 0))
        return Seat(Booking.model_validate_json(opened), (told[0], told[1]))

    def _meeting(self, state: SessionMeeting) -> Document:
        meeting = state.meeting
        assert meeting is not None  # noqa: S101 - the caller asked
        way_in = vars(meeting.way_in) | {"dial_in": [number.model_dump() for number in meeting.way_in.dial_in]}
        sealed = self._vault.encrypt(json.dumps(way_in), *_row(state.session, "way_in"))
        return vars(meeting) | {"way_in": sealed, "seen": _fields(meeting.seen)}

    def _read_meeting(self, session: Session, fields: Document) -> MeetingAtZoom:
        way_in = json.loads(self._vault.decrypt(fields["way_in"], *_row(session, "way_in")))
        way_in["dial_in"] = tuple(DialIn.model_validate(number) for number in way_in["dial_in"])
        seen = Seen(**fields["seen"]) if fields.get("seen") else None
        return MeetingAtZoom(**fields | {"way_in": WayIn(**way_in), "seen": seen})


def _fields(flat: Intent | Seen | Condemned | Announced | None) -> Document | None:
    """Return what a value with no others inside has; `asdict` would look for them, and copy each instant."""
    return dict(vars(flat)) if flat else None


def _condemned(document: Document) -> tuple[Condemned, ...]:
    """Return what is to be deleted, never the session's own meeting.

    Whoever made a meeting may own up to it after another replica has adopted it.
    """
    own = (document.get("meeting") or {}).get("id")
    told = (*document.get("condemned", ()), *document.get("strays", ()))
    return tuple(Condemned(**one) for one in told if one["id"] != own)


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a session's document."""
    row = (document["organization_id"], document["_id"])
    for booking_id in document.get("seats", {}):
        yield Secret(f"seats.{booking_id}.sealed", (*row, booking_id))
    if document.get("meeting"):
        yield Secret("meeting.way_in", (*row, "way_in"))


def _row(session: Session, of: str) -> tuple[str, ...]:
    return session.organization_id, session.id, of
