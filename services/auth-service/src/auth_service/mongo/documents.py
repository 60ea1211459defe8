"""A connection's document: what is read from it, what it is found by, and how it changes."""

from datetime import datetime

from pymongo import ReturnDocument

from auth_service.domain.connections import Connection, Ending, Event, Finding, Owner, Tokens, ZoomUser
from convoke.mongo import Collection, Document

HISTORY_KEPT = 100
"""Lines; the oldest go first."""

NO_REFRESH = {"started_at": None, "failures": 0, "failed_at": None}
NO_CHECKUP: Document = {"lease": None, "failures": 0, "at": None, "asked_at": None, "found": []}


def connection_of(document: Document) -> Connection:
    tokens, refresh, checkup = document["tokens"], document["refresh"], document.get("checkup", {})
    return Connection(
        id=document["_id"],
        revision=document.get("revision", 0),
        owner=Owner(document["organization_id"], document["host_id"]),
        status=document["status"],
        user=ZoomUser(document["zoom_user_id"], document["zoom_account_id"], document["email"], document["plan"]),
        scopes=tuple(document["scopes"]),
        api_url=document["api_url"],
        enabled_for_new_bookings=document["enabled_for_new_bookings"],
        connected_at=document["connected_at"],
        connected_since=document.get("connected_since") or document["connected_at"],
        token_version=tokens["version"],
        sealed_data_key=tokens.get("data_key", ""),
        sealed_access_token=tokens["access"],
        sealed_refresh_token=tokens["refresh"],
        expires_at=tokens["expires_at"],
        due_at=document.get("due_at"),
        refresh_failures=refresh["failures"],
        refresh_failed_at=refresh["failed_at"],
        checked_at=checkup.get("at"),
        found=None if checkup.get("found") is None else tuple(Finding(**finding) for finding in checkup["found"]),
        deauthorized_at=document.get("deauthorized_at"),
        ending=_ending(document["ending"]) if document.get("ending") else None,
        history=tuple(Event(**line) for line in document.get("history", ())),
    )


def _ending(fields: Document) -> Ending:
    return Ending(**{name: fields[name] for name in Ending.__dataclass_fields__ if name in fields})


def history_line(at: datetime, what: str, by: str, detail: str = "") -> Document:
    """Return what to `$push` as `history`: no secret is in it."""
    return {"$each": [{"at": at, "what": what, "by": by, "detail": detail}], "$slice": -HISTORY_KEPT}


def of_owner(owner: Owner) -> Document:
    return {"organization_id": owner.organization_id, "host_id": owner.host_id}


def at_version(connection: Connection) -> Document:
    return {"_id": connection.id, "tokens.version": connection.token_version}


def granted(tokens: Tokens, sealed: Document) -> Document:
    """Return the fields that every new pair of tokens sets."""
    return {
        "scopes": list(tokens.scopes),
        "api_url": tokens.api_url,
        "tokens": sealed,
        "refresh": NO_REFRESH,
        "lease": None,
    }


async def changed(collection: Collection, wanted: Document, change: Document) -> Document | None:
    """Make a change that the connection's revision counts; None where the row is not as wanted."""
    counted = {**change, "$inc": {**change.get("$inc", {}), "revision": 1}}
    return await collection.find_one_and_update(wanted, counted, return_document=ReturnDocument.AFTER)
