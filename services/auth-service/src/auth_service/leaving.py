"""What disconnecting Zoom consists of, put together."""

from auth_service.handlers.disconnecting import Disconnecting
from auth_service.handlers.ending import LEASE, Ends
from auth_service.mongo.connections import Connections
from auth_service.mongo.endings import Endings
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.ports import Meetings
from auth_service.zoom import Zoom
from convoke.clock import Clock
from convoke.due_work import DueWork, Worker
from convoke.messaging.outbox import Outbox
from convoke.mongo import Database


class LeavingZoom:
    """`disconnecting` ends connections; `ends`, by `worker`, does what is left to do at Zoom."""

    def __init__(
        self,
        database: Database,
        tokens: SealedTokens,
        connections: Connections,
        outbox: Outbox,
        *,
        zoom: Zoom,
        meetings: Meetings,
        clock: Clock,
    ) -> None:
        endings = Endings(database, tokens, clock)
        self.ends = Ends(endings, connections, tokens, zoom=zoom, meetings=meetings, outbox=outbox, clock=clock)
        self.due = DueWork(connections.collection, LEASE, clock, kind="ending")
        self.worker = Worker(self.due, self.ends.go_on)
        self.disconnecting = Disconnecting(connections, endings, outbox, self.worker.nudge)
