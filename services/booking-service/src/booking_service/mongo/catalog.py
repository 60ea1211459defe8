"""Hosts and event types: documents that are made once and read with every booking."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from pymongo.errors import DuplicateKeyError

from booking_service.domain.answers import Answer, Request
from booking_service.domain.catalog import EventType, Host, Location, ZoomOptions
from booking_service.domain.refusals import TooMuchAtOnce
from booking_service.mongo.answers import Answers
from booking_service.mongo.paging import Page, page_of
from convoke.mongo import Collection, Document, find_surely
from convoke.vault import Vault

Item = TypeVar("Item", bound=Host | EventType)


class Catalog(Generic[Item]):
    """One kind of item, hosts or event types, of all organizations."""

    def __init__(
        self,
        collection: Collection,
        vault: Vault,
        *,
        to_document: Callable[[Item], Document],
        of_document: Callable[[Document], Item],
    ) -> None:
        self._collection = collection
        self._to_document = to_document
        self._of_document = of_document
        self.answers = Answers(collection, vault)

    async def create_indexes(self) -> None:
        await self._collection.create_index([("organization_id", 1), ("created_at", 1), ("_id", 1)], name="list")
        await self.answers.create_indexes()

    async def add(self, item: Item, request: Request, answer: Answer, now: datetime) -> Answer:
        """Store an item and return its answer, or the first one where the same request came before.

        Raises KeyReused or NotPreparedYet.
        """
        document = {
            "_id": item.id,
            "organization_id": request.organization_id,
            "created_at": now,
            **self._to_document(item),
            "idempotency": self.answers.entries(item.id, request, answer, now),
        }
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            first = await self.answers.first(request)
            if first is None:
                raise TooMuchAtOnce("the first request with this key has just expired") from None
            return first
        return answer

    async def get(self, organization_id: str, item_id: str) -> Item | None:
        the_one = {"_id": item_id, "organization_id": organization_id, "is_erased": None}
        document = await find_surely(self._collection, the_one, {"idempotency": 0})
        return self._of_document(document) if document else None

    async def ids(self, organization_id: str) -> list[str]:
        """Return the ids of all items of an organization."""
        found = await self._collection.find(
            {"organization_id": organization_id, "is_erased": None}, {"_id": 1}
        ).to_list(None)
        return [document["_id"] for document in found]

    async def page(self, organization_id: str, *, limit: int, cursor: str | None) -> Page[Item]:
        of_organization: Document = {"organization_id": organization_id, "is_erased": None}
        found = await page_of(self._collection, of_organization, order="created_at", limit=limit, cursor=cursor)
        return Page([self._of_document(document) for document in found.items], found.next_cursor)


def host_document(host: Host) -> Document:
    return _without_id(host)


def host_of(document: Document) -> Host:
    names = ("name", "email", "timezone", "locale")
    return Host(document["_id"], *(document[name] for name in names))


def event_type_document(event_type: EventType) -> Document:
    return {
        **_without_id(event_type),
        "location": dict(vars(event_type.location)),
        "zoom": dict(vars(event_type.zoom)),
    }


def event_type_of(document: Document) -> EventType:
    zoom = document["zoom"]
    return EventType(
        id=document["_id"],
        title=document["title"],
        description=document["description"],
        duration_minutes=document["duration_minutes"],
        buffer_before_minutes=document["buffer_before_minutes"],
        buffer_after_minutes=document["buffer_after_minutes"],
        location=Location(**document["location"]),
        zoom=ZoomOptions(**{**zoom, "alternative_hosts": tuple(zoom["alternative_hosts"])}),
    )


def _without_id(item: Any) -> Document:
    return {name: value for name, value in vars(item).items() if name != "id"}
