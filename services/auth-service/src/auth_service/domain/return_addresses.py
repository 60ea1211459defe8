"""Where an owner is sent back to after connecting: only below addresses that the organization has registered.

Addresses are compared parsed, never as text, and what browsers and servers may read differently is refused, so that
nobody is led elsewhere (RFC 9700, 4.11: open redirectors).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

LONGEST = 2000
RESULT_NAMES = ("zoom", "connection_id", "reason")
"""What we add to the query, so what the product's own query may not hold."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PLACE = re.compile(rf"(\[::1\]|{_LABEL}(?:\.{_LABEL})*)(?::([0-9]{{1,5}}))?")
_PORTS = {"https": 443, "http": 80}


class NotAReturnAddress(Exception):
    """The text is no address that could be registered or returned to; it says why."""


@dataclass(frozen=True)
class ReturnAddress:
    """Scheme, host and port as one origin, and the segments of the path."""

    origin: tuple[str, str, int]
    segments: tuple[str, ...]

    def covers(self, other: "ReturnAddress") -> bool:
        return self.origin == other.origin and other.segments[: len(self.segments)] == self.segments


def registered(address: str) -> ReturnAddress:
    """Return an address that is to be registered: an origin, or a path of it. Raises NotAReturnAddress."""
    if "?" in address:
        raise NotAReturnAddress("register it without a query: every query below the address is allowed")
    return _read(address)


def is_allowed(return_to: str, addresses: Iterable[str]) -> bool:
    """Tell whether an address lies below one of those registered. Raises NotAReturnAddress."""
    wanted = _read(return_to)
    taken = {name for name, _ in parse_qsl(urlsplit(return_to).query)} & {*RESULT_NAMES}
    if taken:
        raise NotAReturnAddress(f"the result is told in the query as '{min(taken)}': call yours something else")
    return any(registered(address).covers(wanted) for address in addresses)


def with_result(return_to: str, result: Mapping[str, str]) -> str:
    """Return the address with a result behind the product's own query, which stays as it is."""
    parts = urlsplit(return_to)
    query = "&".join(filter(None, (parts.query, urlencode(result))))
    return urlunsplit(parts._replace(query=query))


def _read(address: str) -> ReturnAddress:
    if (
        len(address) > LONGEST
        or not address.isascii()
        or not address.isprintable()
        or set(address) & set(' \\"<>^`{|}')
    ):
        raise NotAReturnAddress(
            f"an address has {LONGEST} characters at most, ASCII, without spaces, backslashes and quotes"
        )
    try:
        parts = urlsplit(address)
    except ValueError:
        raise NotAReturnAddress("the address cannot be read") from None
    place = _PLACE.fullmatch(parts.netloc.lower())
    if place is None:
        raise NotAReturnAddress("an address has a host name, perhaps a port, and no user")
    host, port = place.groups()
    if parts.scheme not in _PORTS or (parts.scheme == "http" and host not in _LOOPBACK):
        raise NotAReturnAddress("an address begins with https://, or on this machine http://127.0.0.1")
    if "#" in address:
        raise NotAReturnAddress("an address has no fragment")
    return ReturnAddress((parts.scheme, host, int(port or _PORTS[parts.scheme])), _segments(parts.path))


def _segments(path: str) -> tuple[str, ...]:
    """Return a path's segments; one that a server may take for a step elsewhere is refused."""
    inner = path.removeprefix("/").removesuffix("/")
    segments = inner.split("/") if inner else []
    for segment in segments:
        plain = unquote(unquote(segment))
        if plain in ("", ".", "..") or set(plain) & set("/\\;") or not plain.isprintable():
            raise NotAReturnAddress("a path has no '.', '..', ';' or empty segments, and no encoded slashes")
    return tuple(segments)
