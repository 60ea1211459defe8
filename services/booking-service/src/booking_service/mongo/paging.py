"""Lists in pages: a cursor says after which document the next page begins, so that nothing is skipped or doubled."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from booking_service.domain.refusals import InvalidCursor
from convoke.mongo import Collection, Document

Item = TypeVar("Item")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page(Generic[Item]):
    """`next_cursor` is None on the last page."""

    items: list[Item]
    next_cursor: str | None


async def page_of(
    collection: Collection, query: Document, *, order: str, limit: int, cursor: str | None
) -> Page[Document]:
    """Return documents that match, ordered by the date field `order` and then the id. Raises InvalidCursor."""
    conditions = [query, _after(order, cursor)] if cursor else [query]
    found = await collection.find({"$and": conditions}).sort([(order, 1), ("_id", 1)]).limit(limit + 1).to_list(None)
    items = found[:limit]
    return Page(items, _cursor(items[-1], order) if len(found) > limit else None)


def _cursor(last: Document, order: str) -> str:
    milliseconds = (last[order] - _EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{milliseconds}/{last['_id']}".encode()).decode()


def _after(order: str, cursor: str) -> Document:
    try:
        milliseconds, _, last_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition("/")
        instant = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except (ValueError, OverflowError):
        raise InvalidCursor("take next_cursor from the page before, as it is") from None
    return {"$or": [{order: {"$gt": instant}}, {order: instant, "_id": {"$gt": last_id}}]}
