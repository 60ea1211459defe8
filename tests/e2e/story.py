"""One booking's story, told by a client that asks again under the same key until it is answered."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from local_stack.demo import GUEST, HOST
from local_stack.tenant import Tenant
from tests.e2e.checker import Expected
from tests.e2e.waiting import until
from tests.e2e.world import World

Json = dict[str, Any]
MINUTES = 45
ZOOM = {"kind": "zoom"}


def at(*, days: int = 7, hours: int = 0) -> datetime:
    """Return an instant of a day to come; each story has a host of its own, so none is taken."""
    nine = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return nine + timedelta(days=days, hours=hours)


def insist(ask: Callable[[], Json], *, within: float = 45) -> Json:
    """Ask until there is an answer: again where the connection broke or a 503 says to come back."""

    def once() -> Json | None:
        try:
            return ask()
        except httpx.TransportError:
            return None
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            return None

    return until("an answer", once, within=within)


class Story:
    """A booking with a host, an invitee and a Zoom user that no other story has."""

    def __init__(self, world: World, name: str, *, tenant: Tenant | None = None, location: Json = ZOOM) -> None:
        self.name = name
        self.zoom_user = f"zoom-{uuid.uuid4().hex[:8]}"
        self.host_mail = f"host.{self.zoom_user}@host.example"
        self.guest_mail = f"guest.{self.zoom_user}@guest.example"
        self.booking: Json = {}
        self.starts_at = at()
        self.is_canceled = False
        self.is_connected = False
        self.methods: tuple[str, ...] | None = ()
        self.former_users: tuple[str, ...] = ()
        self._world = world
        self._tenant = tenant or world.tenant
        self._host = self._tenant.add_host(**HOST | {"email": self.host_mail})
        self._event_type = self._tenant.add_event_type(
            title=f"Talk: {name}"[:200], duration_minutes=MINUTES, location=location
        )
        world.zoom.add_user(self.zoom_user)

    @property
    def host_id(self) -> str:
        return str(self._host["id"])

    @property
    def event_type_id(self) -> str:
        return str(self._event_type["id"])

    def connected(self) -> "Story":
        """Connect the host's own Zoom user, once more where the page says that it did not work."""

        def page_says_so() -> bool:
            # A person takes longer than Zoom takes over the first attempt, which would end the second one's tokens.
            assert not self._world.zoom.unanswered("token", self.zoom_user)
            try:
                page = self._tenant.connect_zoom(self.zoom_user, self.host_id)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                raise AssertionError(repr(error)) from error
            return "Zoom is connected" in page

        self.is_connected = until("the page that says that Zoom is connected", page_says_so, every=0.5)
        return self

    def deauthorized(self) -> None:
        """Remove the app inside Zoom: what is booked from now on waits until Zoom is connected again."""
        self._world.zoom.deauthorize(self.zoom_user)
        self.is_connected = False

    def book(self) -> Json:
        self.booking = insist(self.book_once)
        self._told("REQUEST")
        return self.booking

    def book_once(self) -> Json:
        """Ask once. Raises httpx.HTTPError; asked again, it is the same request under the same key."""
        body = {
            "event_type_id": self._event_type["id"],
            "host_id": self.host_id,
            "starts_at": _utc(self.starts_at),
            "invitee": GUEST | {"email": self.guest_mail},
        }
        return self._tenant.call("booking-service", "POST", "/v1/bookings", body, **{"Idempotency-Key": self.zoom_user})

    def reschedule(self) -> None:
        self.starts_at += timedelta(days=1, hours=3)
        self._insist(f"{self._path}/reschedule", {"starts_at": _utc(self.starts_at), "reason": "Train strike"})
        self._told("REQUEST")

    def cancel(self) -> None:
        self._insist(f"{self._path}/cancel", {"reason": "Ill"})
        self.is_canceled = True
        self._told("CANCEL")

    def told_anew(self) -> None:
        """Expect one more mail: there is a new link."""
        self._told("REQUEST")

    def left_behind_at(self, zoom_user: str) -> None:
        """Expect that this Zoom user's meetings are out of reach."""
        self.former_users = (*self.former_users, zoom_user)

    def now(self) -> Json:
        """Return the booking as it reads now."""
        return self._tenant.booking(self.booking["id"])

    def waits(self) -> bool:
        """Tell whether the booking says that something has to be mended first."""
        return bool(self.now()["meeting"]["status"] == "failed")

    def all_of_host(self) -> list[Json]:
        """Return all bookings of this story's host: one, or something was doubled."""
        path = f"/v1/bookings?host_id={self.host_id}"
        return list(self._tenant.call("booking-service", "GET", path)["items"])

    def timeline(self) -> list[Json]:
        return self._tenant.timeline(self.booking["id"])

    @property
    def expected(self) -> Expected:
        return Expected(
            name=self.name,
            read=self.now,
            session_id=self.booking["session_id"],
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=MINUTES),
            is_canceled=self.is_canceled,
            has_zoom=self._event_type["location"]["kind"] == "zoom",
            people=(self.host_mail, self.guest_mail),
            methods=self.methods,
            former_users=self.former_users,
        )

    @property
    def _path(self) -> str:
        return f"/v1/bookings/{self.booking['id']}"

    def _told(self, method: str) -> None:
        if self.methods is not None:
            self.methods = (*self.methods, method)

    def _insist(self, path: str, body: Json) -> Json:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return insist(lambda: self._tenant.call("booking-service", "POST", path, body, **key))


def _utc(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
