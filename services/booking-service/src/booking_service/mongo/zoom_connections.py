"""The Zoom connections that auth-service told of: one document each, as the newest revision says."""

from pymongo.errors import DuplicateKeyError

from booking_service.domain.zoom import Problem, ZoomConnection
from convoke.mongo import Collection, Document

_PLAIN = ("organization_id", "host_id", "revision", "status", "is_enabled", "plan")


class ZoomConnections:
    """The connections of all organizations: no token, no mail address, nothing of Zoom's own."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def create_indexes(self) -> None:
        await self._collection.create_index([("organization_id", 1), ("host_id", 1)], name="organization")

    async def keep(self, connection: ZoomConnection) -> bool:
        """Store a connection; False where the same revision or a newer one is stored."""
        known = {"_id": connection.id, "organization_id": connection.organization_id}
        older, change = {**known, "revision": {"$lt": connection.revision}}, {"$set": _document(connection)}
        try:
            await self._collection.update_one(older, change, upsert=True)
        except DuplicateKeyError:  # it is stored by now, perhaps only just, and of an older revision
            return bool((await self._collection.update_one(older, change)).matched_count)
        return True

    async def revision(self, organization_id: str, connection_id: str) -> int | None:
        """Return the revision that is stored of a connection; None if nothing is."""
        document = await self._collection.find_one({"_id": connection_id, "organization_id": organization_id})
        return int(document["revision"]) if document else None

    async def of(self, organization_id: str) -> list[ZoomConnection]:
        documents = await self._collection.find({"organization_id": organization_id}).to_list(None)
        return [_connection(document) for document in documents]


def _document(connection: ZoomConnection) -> Document:
    fields = {name: value for name, value in vars(connection).items() if name not in {"id", "organization_id"}}
    return {
        **fields,
        "missing_scopes": list(connection.missing_scopes),
        "found": [dict(vars(problem)) for problem in connection.found],
    }


def _connection(document: Document) -> ZoomConnection:
    fields = {name: document[name] for name in _PLAIN}
    found = tuple(Problem(**problem) for problem in document["found"])
    return ZoomConnection(
        **fields | {"id": document["_id"], "missing_scopes": tuple(document["missing_scopes"]), "found": found}
    )
