"""What dead letters hold of what is to be erased: their bodies go, and that they were there stays visible."""

from typing import Any

from convoke.clock import Clock, utc_now
from convoke.erasure.portions import Erasure, Portion
from convoke.messaging.dead_letters.store import REMEMBERED_FOR, DeadLetters
from convoke.mongo import Document

_OF_ZOOM = ("meeting.", "zoom.")


def dead_letters_portions(letters: DeadLetters, erasure: Erasure, clock: Clock = utc_now) -> list[Portion]:
    """Return the letters of an organization, and those that do not say whose they are."""

    def scrubbed(document: Document) -> Document | None:
        return _discarded(erasure, clock) if _concerns(erasure, document, letters) else None

    with_body = {"sealed": {"$exists": True}}
    return [
        Portion("dead_letters", letters.collection, scrubbed, {"organization_id": owner}, with_body)
        for owner in (erasure.organization_id, None)
    ]


def _concerns(erasure: Erasure, document: Document, letters: DeadLetters) -> bool:
    """Tell whether a letter is about what is to be erased; one that says too little is read for who is in it.

    Raises CannotDecrypt where it has to be read and cannot be.
    """
    if erasure.scope == "person" and not erasure.person:
        return False
    if erasure.scope == "zoom_data" and not (document.get("event_type") or _OF_ZOOM[0]).startswith(_OF_ZOOM):
        return False
    sought = [] if document.get("organization_id") else [erasure.organization_id]
    sought += [erasure.person] if erasure.person else []
    said = (letters.opened(document) or b"").decode(errors="replace").casefold() if sought else ""
    return all(one.casefold() in said for one in sought)


def _discarded(erasure: Erasure, clock: Clock) -> Document:
    now = clock()
    decision: dict[str, Any] = {"state": "discarded", "at": now, "by": "erasure", "note": erasure.id}
    return {
        "$set": {"state": "discarded", "forget_at": now + REMEMBERED_FOR},
        "$push": {"decisions": decision},
        "$unset": {"sealed": ""},
    }
