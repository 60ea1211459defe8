"""What all wire models share: the value types and the model settings.

Readers ignore unknown fields, so that a writer may be newer than they are.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, ClassVar, Protocol
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, ConfigDict, PlainSerializer, StringConstraints

WIRE = ConfigDict(frozen=True, extra="ignore")


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _rfc3339(instant: datetime) -> str:
    in_utc = instant.astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds" if in_utc.microsecond else "seconds").replace("+00:00", "Z")


@cache
def _zones() -> frozenset[str]:
    # Listing them walks the zone database: some 30 ms, for every zone of every event.
    return frozenset(available_timezones())


def _iana_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError(f"'{name}' is no IANA time zone; one looks like 'Europe/Berlin'")
    return name


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(_rfc3339, when_used="json")]
"""A moment: any zone in, RFC 3339 UTC with `Z` out, to the millisecond."""

Zone = Annotated[str, AfterValidator(_iana_zone)]
"""An IANA time zone name."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An identifier of ours; it is safe as a part of a document's field path, of an address and of a mail header."""


class EventData(Protocol):
    """The `data` of one event type; its class says its wire type."""

    event_type: ClassVar[str]
