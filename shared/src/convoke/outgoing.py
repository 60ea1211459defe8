"""HTTP to others: only to named hosts, no redirect followed, no answer without bounds (ASVS 5.0, 1.3.6, 15.3.2).

What decides where a request goes is sometimes told by a neighbour: Zoom names the address of its API in an answer.
"""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import httpx

LARGEST_ANSWER = 2_000_000
"""Bytes on the wire."""

LARGEST_PACKED_ANSWER = 50_000
"""Bytes of an answer that is packed although we asked for none: unpacked it may be a thousand times as large."""


class NotAllowed(httpx.UnsupportedProtocol):
    """The host is none that this client may speak to; nothing was sent."""


class TooLarge(httpx.ReadError):
    """The answer is larger than any that we expect; the effect of the request may have happened."""


def client(
    *, timeout: httpx.Timeout | float, addresses: Sequence[str], domains: Sequence[str] = (), kept_open: int = 20
) -> httpx.AsyncClient:
    """Return a client for the origins of `addresses`, and for https on `domains` and below them.

    `kept_open` is how many idle connections wait for the next request.
    """
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=kept_open)
    network = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
    transport = _OnlyTo(network, {_origin(address) for address in addresses}, tuple(domains))
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    return httpx.AsyncClient(
        timeout=timeout, headers=headers, transport=transport, follow_redirects=False, trust_env=False
    )


Origin = tuple[str, str, int | None]


class _OnlyTo(httpx.AsyncBaseTransport):
    def __init__(self, network: httpx.AsyncBaseTransport, origins: set[Origin], domains: tuple[str, ...]) -> None:
        self._network = network
        self._origins = origins
        self._domains = domains

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self._may_speak_to(request.url):
            raise NotAllowed(f"no request may go to the host {request.url.host!r}")
        answer = await self._network.handle_async_request(request)
        packed = answer.headers.get("content-encoding", "identity") != "identity"
        assert isinstance(answer.stream, httpx.AsyncByteStream)  # noqa: S101 - what an asynchronous transport gives
        answer.stream = _Bounded(answer.stream, LARGEST_PACKED_ANSWER if packed else LARGEST_ANSWER)
        return answer

    async def aclose(self) -> None:
        await self._network.aclose()

    def _may_speak_to(self, url: httpx.URL) -> bool:
        if (url.scheme, url.host, url.port) in self._origins:
            return True
        below = any(url.host == domain or url.host.endswith(f".{domain}") for domain in self._domains)
        return below and url.scheme == "https" and url.port is None


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, largest: int) -> None:
        self._stream = stream
        self._left = largest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise TooLarge("the answer is larger than any that we expect")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _origin(address: str) -> Origin:
    url = httpx.URL(f"{urlsplit(address).scheme}://{urlsplit(address).netloc}")
    return url.scheme, url.host, url.port
