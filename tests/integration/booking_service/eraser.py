"""Whoever asks booking-service to erase, and waits for its share."""

from datetime import datetime
from typing import Any

from convoke.clock import utc_now
from convoke.contracts import PrivacyErasureRequested
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import Publisher
from tests.integration.booking_service.tenant import Tenant
from tests.support.eventually import eventually


class Eraser:
    """Asks as auth-service does, and sees what booking-service answers."""

    def __init__(self, publisher: Publisher, database: Any) -> None:
        self._publisher = publisher
        self._shares = database["erasures"]

    async def erase(
        self, tenant: Tenant, scope: Any, person: str | None = None, asked_at: datetime | None = None
    ) -> dict[str, Any]:
        """Return the service's share once it has answered."""
        organization_id = tenant.organization_id
        asked = PrivacyErasureRequested(
            erasure_id=new_id("era"), organization_id=organization_id, scope=scope, person=person
        )
        time = asked_at or utc_now()
        event = Event(new_id("evt"), "/auth-service", asked.erasure_id, time, organization_id, asked)
        await self._publisher.publish(event)
        return await self.share_when(asked.erasure_id, {"published.type": "privacy.erased.v1"})

    async def look_again(self, share: dict[str, Any]) -> dict[str, Any]:
        """Have the share looked through now, and return it when that is done."""
        await self._shares.update_one({"_id": share["_id"]}, {"$set": {"due_at": utc_now(), "left": "not looked"}})
        return await self.share_when(share["_id"], {"left": {"$type": "object"}})

    async def share_when(self, erasure_id: str, holds: dict[str, Any]) -> dict[str, Any]:
        found = await eventually(lambda: self._shares.find_one({"_id": erasure_id} | holds), within=20)
        return dict(found)
