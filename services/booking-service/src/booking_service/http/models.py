"""What hosts, event types and bookings look like when they are sent to us, and what their lists can be asked.

A name that is not known is refused: no setting and no filter is dropped without its sender being told.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from booking_service.domain.catalog import WhenChanged
from convoke.contracts.wire import Instant, Zone

REQUEST = ConfigDict(frozen=True, extra="forbid")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _rfc3339(value: Any) -> Any:
    if isinstance(value, str) and " " in value and _RFC3339.fullmatch(value.replace(" ", "+")):
        raise ValueError("has a blank in place of its +; in an address a + is written %2B")
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("is no RFC 3339 time with an offset; one looks like '2026-11-20T14:00:00+01:00'")
    return value


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
"""A name or a title, on one line."""

Remark = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]

# The HTML standard's pattern (4.10.5.1.5), with a dot in the domain.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("is no mail address; one looks like 'ada@example.com'")
    return text


_LINK = re.compile(r"""https?://(?![/?#])[^\s"'`<>\\{}|^]+""", re.IGNORECASE)
_URL = TypeAdapter(HttpUrl)


def _is_link(text: str) -> bool:
    """Tell whether a text is a link as it stands; a browser would mend more, each in its own way."""
    if not _LINK.fullmatch(text):
        return False
    try:
        _URL.validate_python(text)
    except ValidationError:
        return False
    return True


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")]
Time = Annotated[Instant, BeforeValidator(_rfc3339)]
"""An RFC 3339 time with any offset; one without an offset is refused."""

Minutes = Annotated[int, Field(strict=True, ge=0, le=1440, multiple_of=5)]


class PageIn(BaseModel):
    """What every list can be asked."""

    model_config = REQUEST
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before")] = None


class BookingsIn(PageIn):
    """Which bookings: by their start, from `from` on and before `to`."""

    host_id: Annotated[str | None, Field(max_length=64)] = None
    starting_from: Annotated[Time | None, Field(alias="from")] = None
    starting_before: Annotated[Time | None, Field(alias="to")] = None
    status: Literal["confirmed", "canceled"] | None = None


class PersonIn(BaseModel):
    """A host or an invitee."""

    model_config = REQUEST
    name: Line
    email: Email
    timezone: Zone
    locale: Locale = "en"


class LocationIn(BaseModel):
    model_config = REQUEST
    kind: Literal["zoom", "phone", "in_person", "link"]
    detail: Remark | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if (self.kind == "zoom") != (self.detail is None):
            raise ValueError("detail is the number, the address or the link of a location; only Zoom has none")
        if self.kind == "link" and not _is_link(self.detail or ""):
            raise ValueError("detail of a link is one like 'https://meet.example/room', without blanks and quotes")
        return self


class ZoomOptionsIn(BaseModel):
    model_config = REQUEST
    waiting_room: Annotated[bool, Field(strict=True)] | None = None
    join_before_host: Annotated[bool, Field(strict=True)] | None = None
    alternative_hosts: Annotated[tuple[Email, ...], Field(max_length=10)] = ()
    when_changed: WhenChanged = "restore"


class EventTypeIn(BaseModel):
    model_config = REQUEST
    title: Line
    description: Annotated[
        str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*(?:[\r\n\t][^\x00-\x1f\x7f-\x9f]*)*$")
    ] = ""
    duration_minutes: Annotated[Minutes, Field(ge=5)]
    buffer_before_minutes: Minutes = 0
    buffer_after_minutes: Minutes = 0
    location: LocationIn
    zoom: ZoomOptionsIn = ZoomOptionsIn()
    require_connection: Annotated[
        bool,
        Field(strict=True, description="refuse an event type with Zoom while no host would get a link; not stored"),
    ] = False

    @model_validator(mode="after")
    def _has_no_options_of_another_kind(self) -> Self:
        if self.location.kind != "zoom" and self.zoom != ZoomOptionsIn():
            raise ValueError("zoom holds options of a Zoom meeting; this location has none")
        return self


class BookingIn(BaseModel):
    model_config = REQUEST
    event_type_id: Id
    host_id: Id
    starts_at: Time
    invitee: PersonIn


class RescheduleIn(BaseModel):
    model_config = REQUEST
    starts_at: Time
    reason: Remark | None = None


class CancelIn(BaseModel):
    model_config = REQUEST
    reason: Remark | None = None
