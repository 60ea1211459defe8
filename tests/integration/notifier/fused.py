"""The notifier's notices with a clock that a test moves, and a fuse at which the process dies."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from convoke.due_work import DueWork
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.vault import Vault
from notifier.handlers import Handlers, ZoomHandlers
from notifier.mail.message import Mailroom
from notifier.mongo.affected import AffectedBookings
from notifier.mongo.correspondence import LEASE, Correspondences
from notifier.mongo.notices import NoticesStore
from notifier.portions import Portions
from notifier.sending_notices import NoticeSender
from notifier.settings import Settings, sender_address, smtp_server
from notifier.smtp import SmtpPost
from tests.unit.notifier.bookings import Story
from tests.unit.notifier.connections import CONNECTED_AT, Link

DAY = timedelta(days=1)
BROKE_AT = CONNECTED_AT + 5 * DAY
AHEAD = BROKE_AT + 60 * DAY


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Counts effects; kills the process before or after the one whose number it is given."""

    def __init__(self, at: int = 0, *, before: bool = False) -> None:
        self.at, self.before, self.count = at, before, 0

    async def around(self, act: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count == self.at and self.before:
            raise Killed
        result = await act()
        if self.count == self.at:
            raise Killed
        return result


class Fused:
    """What has effects, with a fuse around those that are named."""

    def __init__(self, real: Any, names: tuple[str, ...], fuse: Fuse) -> None:
        self._real, self._names, self._fuse = real, names, fuse

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in self._names:
            return real
        return lambda *args, **options: self._fuse.around(lambda: real(*args, **options))


class FusedPost:
    def __init__(self, post: SmtpPost, fuse: Fuse) -> None:
        self._post, self._fuse = post, fuse
        self._opened: Any = None

    def session(self) -> "FusedPost":
        self._opened = self._post.session()
        return self

    async def __aenter__(self) -> Any:
        return Fused(await self._opened.__aenter__(), ("deliver",), self._fuse)

    async def __aexit__(self, *error: object) -> None:
        await self._opened.__aexit__(*error)


class Notifier:
    """What `app` composes for notices, over the real database and mail server, at a time that the test sets."""

    def __init__(self, database: Any, settings: Settings) -> None:
        self.database, self.settings, self.now = database, settings, CONNECTED_AT
        self.vault = Vault(settings.encryption_keys)
        self.begin_anew(Fuse())

    def begin_anew(self, fuse: Fuse) -> None:
        """Begin a new life, which ends where the fuse says."""
        clock = lambda: self.now  # noqa: E731
        bookings = Correspondences(self.database, self.vault, clock)
        self.store = NoticesStore(self.database, self.vault, clock)
        self.store.collection = Fused(self.store.collection, ("find_one_and_update", "update_one", "insert_one"), fuse)  # type: ignore[assignment]
        sender = sender_address(self.settings.mail_from)
        post: Any = FusedPost(
            SmtpPost(smtp_server(self.settings.smtp_url), sender.addr_spec, sender.domain, clock), fuse
        )
        self.affected = AffectedBookings(bookings, self.store)
        self.sender = NoticeSender(self.store, self.affected, Mailroom(sender), post, clock)
        self.due = DueWork(self.store.collection, LEASE, clock)
        self.handlers = Handlers(bookings, lambda: None)
        self.zoom = ZoomHandlers(self.store, lambda: None)
        self.portions = Portions(bookings, self.store, DeadLetters(self.database, self.vault, ()), clock)

    async def hears(self, *events: Event[Any]) -> None:
        for event in events:
            await self.zoom.keep_connection(event)

    async def knows(self, *stories: Story) -> None:
        for story in stories:
            await self.handlers.keep_booking(story.created())

    async def work(self) -> None:
        while claim := await self.due.claim():
            await self.sender.work(claim)

    async def lives(self, days: float, step: timedelta = timedelta(hours=6)) -> None:
        """Let time pass until so many days after the break, and do what is due."""
        while self.now < BROKE_AT + days * DAY:
            self.now = min(max(self.now + step, BROKE_AT), BROKE_AT + days * DAY)
            await self.work()

    async def document(self, link: Link) -> dict[str, Any]:
        found = await self.database["notices"].find_one({"_id": link.id})
        assert found
        return dict(found)
