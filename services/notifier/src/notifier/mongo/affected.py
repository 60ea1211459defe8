"""The bookings ahead whose meetings a broken connection should make."""

from datetime import datetime

from convoke.mongo import Document
from notifier.domain.affected import LISTED, Affected
from notifier.domain.notices import Standing
from notifier.mongo.correspondence import Correspondences
from notifier.mongo.notices import NoticesStore


class AffectedBookings:
    """Finds them by what is plain of a booking: its host, its start, and whether it is on Zoom."""

    def __init__(self, store: Correspondences, notices: NoticesStore) -> None:
        self._store = store
        self._notices = notices

    async def create_indexes(self) -> None:
        await self._store.collection.create_index(
            [("organization_id", 1), ("starts_at", 1)], name="ahead", partialFilterExpression={"on_zoom": True}
        )

    async def of(self, standing: Standing, now: datetime) -> Affected:
        """Return the bookings after `now` of a connection: its host's, or those of all hosts without their own."""
        ahead = await self._which(standing) | {"on_zoom": True, "starts_at": {"$gt": now}}
        found = self._store.collection.find(ahead).sort([("starts_at", 1), ("_id", 1)]).limit(LISTED)
        first = tuple([self._store.read(document).snapshot async for document in found])
        return Affected(first, await self._store.collection.count_documents(ahead))

    async def _which(self, standing: Standing) -> Document:
        of_organization: Document = {"organization_id": standing.organization_id}
        if standing.host_id:
            return of_organization | {"host_id": standing.host_id}
        return of_organization | {
            "host_id": {"$nin": await self._notices.hosts_with_their_own(standing.organization_id)}
        }
