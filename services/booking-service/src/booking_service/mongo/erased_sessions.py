"""What stays of a session when its link, one of its people or its whole organization is erased."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from booking_service.mongo.session_documents import token_hash
from convoke.clock import Clock
from convoke.erasure.portions import NEEDED, Erasure, tombstone
from convoke.ids import new_token
from convoke.mongo import Document
from convoke.vault import Vault

ERASED = "erased"
NOBODY: Document = {"name": ERASED, "email": "erased@erased.invalid", "timezone": "UTC", "locale": "en"}
"""RFC 2606 keeps `invalid` from ever being somebody's address."""

SAYS_LITTLE = "mail_accepted"
"""A line of the timeline whose text is the same for everybody."""


class ErasedSessions:
    """Says what becomes of a session's document."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def tombstone(self, document: Document) -> Document:
        """Return what stays of a session of an organization that is gone: its bookings' ids, too."""
        return tombstone(document) | {"seats": [{"id": seat["id"]} for seat in document["seats"]]}

    def without_meeting(self, erasure: Erasure, document: Document) -> Document | None:
        """Return what takes the link out, wherever the session has it; its revision stays, so nothing older returns.

        What has come since Zoom was connected again stays, and why there is no link since the request.
        """
        meeting, since = document["meeting"], _kept_since(erasure, document)
        lines = _blanked(document, lambda line: line["what"].startswith("meeting_") and not _is_from(since, line))
        if since:
            answers = [answer for answer in document.get("idempotency", ()) if _is_from(since, answer)]
            return {"$set": {"idempotency": answers, **lines}} if lines else None
        if not meeting["revision"] and not lines:
            return None
        outcome = None if ends_at(document) > self._clock() and document["status"] == "scheduled" else "canceled"
        nothing = {"outcome": outcome, "way_in": None, "reason": None, "retry_at": None, "changed_in_zoom": None}
        return {"$set": {"meeting": meeting | nothing, "idempotency": [], **lines}}

    def without_person(self, erasure: Erasure, document: Document) -> Document | Literal["needed"] | None:
        """Return what takes a person out of a session that is over or cancelled, and told of."""
        change = self._of_guests(erasure, document) | _of_host(erasure, document)
        if not change:
            return None
        is_past = document["status"] == "canceled" or ends_at(document) <= self._clock()
        if not is_past or document.get("outbox"):
            return NEEDED
        lines = _blanked(document, lambda line: line["what"] != SAYS_LITTLE)
        return {"$set": {**change, **lines, "idempotency": [], "published": []}}

    def _of_guests(self, erasure: Erasure, document: Document) -> Document:
        """Return what empties a guest's seat; the addresses that were mailed lead nowhere from then on."""
        change: Document = {}
        for at, seat in enumerate(document["seats"]):
            if not erasure.is_of(seat["invitee"]["email"]):
                continue
            change[f"seats.{at}.invitee"] = NOBODY
            for kind in ("join", "manage"):
                token, row = new_token(), (document["organization_id"], document["_id"], seat["id"], f"{kind}_token")
                change[f"seats.{at}.{kind}_token"] = self._vault.encrypt(token, *row)
                change[f"seats.{at}.{kind}_hash"] = token_hash(token)
        return change


def ends_at(document: Document) -> datetime:
    minutes = timedelta(minutes=document["event_type"]["duration_minutes"])
    starts_at: datetime = document["starts_at"]
    return starts_at + minutes


def is_alternative(erasure: Erasure, event_type: Document) -> bool:
    """Tell whether the person is one of an event type's alternative hosts."""
    return any(erasure.is_of(address) for address in event_type["zoom"]["alternative_hosts"])


def _kept_since(erasure: Erasure, document: Document) -> datetime | None:
    """Return when Zoom was connected for a session's link, or why it has none was told; None if before the request."""
    meeting = document["meeting"]
    way_in = meeting["way_in"]
    since: datetime | None = way_in.get("connected_at") if way_in else meeting.get("told_at")
    return since if since and since > erasure.requested_at else None


def _is_from(since: datetime | None, one: Document) -> bool:
    return since is not None and one["at"] >= since


def _of_host(erasure: Erasure, document: Document) -> Document:
    change: Document = {}
    if erasure.is_of(document["host"]["email"]):
        change["host"] = document["host"] | NOBODY
    if is_alternative(erasure, document["event_type"]):
        left = [one for one in document["event_type"]["zoom"]["alternative_hosts"] if not erasure.is_of(one)]
        change["event_type.zoom.alternative_hosts"] = left
    return change


def _blanked(document: Document, says: Callable[[Document], bool]) -> Document:
    """Return what blanks those lines of the timeline that may say what is to be gone."""
    return {
        f"timeline.{at}.detail": ERASED
        for at, line in enumerate(document["timeline"])
        if says(line) and line["detail"] != ERASED
    }
