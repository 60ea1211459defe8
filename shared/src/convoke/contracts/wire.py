"""What all wire models share: the value types and the model settings.

Readers ignore unknown fields, so that a writer may be newer than they are.
"""

from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Annotated, ClassVar, Protocol

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
def iana_zones() -> frozenset[str]:
    """Return the names of all zones, the same on every machine."""
    # The package's own list: zoneinfo.available_timezones() adds what the machine calls a zone, such as `localtime`.
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory"}  # it means that nobody has set a zone


def _iana_zone(name: str) -> str:
    if name not in iana_zones():
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
