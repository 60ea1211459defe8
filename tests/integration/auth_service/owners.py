"""Owners on their way through the pages, as the tests of connecting follow them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tests.integration.auth_service.replicas import Browser, Caller
from tests.integration.auth_service.zoom_app import Zoom

SEE_OTHER = 303
HOME = "https://app.acme.example/settings"


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def with_query(address: str, **changes: str) -> str:
    return f"{address.partition('?')[0]}?{urlencode({**query_of(address), **changes})}"


def text_of(page: httpx.Response) -> str:
    return " ".join(page.text.split())


@dataclass(frozen=True)
class OwnerAtZoom:
    """One product's owner with the Zoom pages before them."""

    product: Caller
    zoom: Zoom

    async def come_back(
        self, user_id: str = "host-1", host_id: str | None = None, return_to: str | None = None, decision: str = "allow"
    ) -> httpx.Response:
        """Begin, decide on Zoom's page, and return what the callback answers."""
        asked = {"return_to": return_to} if return_to else {}
        page = await self.product.start(host_id, **asked)
        return await self.product.come_back(await self.zoom.consent(page, user_id, decision))

    async def connect(self, user_id: str = "host-1", host_id: str | None = None) -> dict[str, Any]:
        """Return the connection, after accepting another Zoom user than before."""
        page = await self.come_back(user_id, host_id)
        if page.status_code == SEE_OTHER:
            page = await self.decide("accept", page)
        assert page.status_code == 200, page.text
        [connection] = [found for found in await self.product.connections() if found["host_id"] == host_id]
        return connection

    async def decide(self, decision: str, answer: httpx.Response) -> httpx.Response:
        """Press a button on the page where another Zoom user is shown."""
        assert answer.status_code == SEE_OTHER, answer.text
        return await self.product.browser.press(choice_in(answer), decision=decision)


def choice_in(answer: httpx.Response) -> str:
    """Return the address of the choice that a callback leads to."""
    location = answer.headers["location"]
    assert location.startswith("choices/"), location
    return f"/v1/zoom/{location}"


def stranger(product: Caller) -> Browser:
    """Return another browser, without a cookie."""
    return Browser(product.http)
