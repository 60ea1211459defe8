"""Erasing what this service holds: Zoom is disconnected first, so that nobody makes anew what the others erase."""

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.erasures import ErasureRequest, Receipt
from auth_service.handlers.disconnecting import Disconnecting
from auth_service.mongo.erasures import Erasures
from auth_service.mongo.portions import is_concerned
from convoke.contracts import PrivacyErased
from convoke.due_work import Claim, DueWork, Worker
from convoke.erasure.eraser import Eraser
from convoke.erasure.portions import Erasure
from convoke.messaging.cloudevents import Event
from convoke.mongo import Collection

log: BoundLogger = get_logger(__name__)


class Erasing:
    """Takes requests, and adds up what the services say; `worker` works on them."""

    def __init__(
        self, erasures: Erasures, connections: Collection, disconnecting: Disconnecting, eraser: Eraser, due: DueWork
    ) -> None:
        self._erasures = erasures
        self._connections = connections
        self._disconnecting = disconnecting
        self._eraser = eraser
        self.worker = Worker(due, self._work, concurrency=1)

    async def request(self, request: ErasureRequest) -> Receipt:
        """Store a request and return its receipt, which says what is done so far. Raises ErasureKeyReused."""
        receipt = await self._erasures.add(request)
        self.worker.nudge()
        log.info("erasure.requested", erasure=receipt.id, scope=receipt.scope)
        return receipt

    async def add_on_erased(self, event: Event[PrivacyErased]) -> None:
        """Add what another service says to the receipt."""
        news = await self._erasures.answer(event)
        log.info("erasure.answered" if news else "event.stale", erasure=event.subject, by=event.data.service)

    async def _work(self, claim: Claim) -> None:
        """End the connections that are concerned, and erase this service's share."""
        await self._disconnect(self._erasures.erasure_of(claim))
        await self._eraser.work(claim)

    async def _disconnect(self, erasure: Erasure) -> None:
        connected = {"organization_id": erasure.organization_id, "status": {"$ne": "disconnected"}}
        async for connection in self._connections.find(connected):
            if is_concerned(erasure, connection):
                await self._disconnecting.disconnect(erasure.organization_id, connection["_id"], by="erasure")
