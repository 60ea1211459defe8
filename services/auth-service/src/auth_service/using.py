"""All that using connections takes, joined for the composition root: access tokens, their refresh, and check-ups."""

from collections.abc import Awaitable, Callable, Sequence

from auth_service.handlers.access_tokens import AccessTokens
from auth_service.handlers.checking_up import CheckingUp
from auth_service.handlers.refreshing import LEASE, Refreshing
from auth_service.mongo.checkups import Checkups
from auth_service.mongo.connections import Connections
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.zoom import Zoom
from auth_service.zoom_users import ZoomUsers
from convoke.clock import Clock
from convoke.due_work import DueWork, Worker
from convoke.messaging.outbox import Outbox
from convoke.mongo import Database


class UsingZoom:
    """`workers` refresh tokens and check connections up, each when it is due."""

    def __init__(
        self,
        database: Database,
        tokens: SealedTokens,
        connections: Connections,
        outbox: Outbox,
        *,
        zoom: Zoom,
        zoom_users: ZoomUsers,
        clock: Clock,
    ) -> None:
        refreshes, self._checkups = Refreshes(database, tokens, clock), Checkups(database, clock)
        self._due = DueWork(connections.collection, LEASE, clock)
        self.refreshing = Refreshing(refreshes, connections, tokens, zoom, outbox)
        refresher = Worker(self._due, self.refreshing.refresh)
        self.access_tokens = AccessTokens(connections, refreshes, tokens, refresher.nudge, clock)
        self.checking_up = CheckingUp(
            connections, self._checkups, refreshes, tokens, self.access_tokens, zoom_users, outbox
        )
        self.workers = (refresher, self.checking_up.worker())

    def wake(self) -> None:
        """Have whoever asks Zoom about connections look at once."""
        for worker in self.workers:
            worker.nudge()

    @property
    def prepare(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """What creates the indexes."""
        return (self._due.create_indexes, self._checkups.prepare)
