"""A product that uses Convoke: one organization with an API client, over HTTP, as its own back end would do it."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any, Self, TypeVar

import httpx

from local_stack.installation import Installation

Json = dict[str, Any]
Value = TypeVar("Value")

_SCOPES = "zoom.connect privacy.erase zoom.administer hosts.manage bookings.read bookings.write"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class NotInTimeError(Exception):
    """Something that should have happened by itself did not."""


def wait_for(what: str, look: Callable[[], Value | None], *, within: float = 30.0) -> Value:
    """Return the first true value of `look`. Raises NotInTimeError after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := look()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what}: not within {within:g} s")
        time.sleep(0.02)
    return value


@dataclass(frozen=True)
class Credentials:
    client_id: str
    client_secret: str


def new_tenant(installation: Installation, name: str) -> Credentials:
    """Make an organization with an API client, as an operator does."""
    organization = installation.command("auth-service", "organizations", "create", "--name", name).split()[-1]
    printed = installation.command(
        "auth-service", "clients", "create", "--organization", organization, "--name", name, "--scopes", _SCOPES
    )
    fields = dict(line.split("=", 1) for line in printed.split() if "=" in line)
    return Credentials(fields["client_id"], fields["client_secret"])


def _pressed(browser: httpx.Client, page: httpx.Response, address: str = "", **fields: str) -> httpx.Response:
    """Send the form of a page, as a person does who presses a button; returns the page that it leads to."""
    hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.raise_for_status().text)}
    return browser.post(page.url.join(address), data={**hidden, **fields})


class Tenant:
    """Calls Convoke with tokens of its own; a refused call raises httpx.HTTPStatusError."""

    def __init__(self, installation: Installation, credentials: Credentials) -> None:
        self._urls = installation.urls
        self._credentials = (credentials.client_id, credentials.client_secret)
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._tokens: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def connect_zoom(self, zoom_user: str = "host-1", host_id: str | None = None, choice: str = "accept") -> str:
        """Consent on Zoom's page as a person would; returns the text of the page that it ends on.

        `choice` is the button that is pressed where another Zoom user was connected before: `accept`, `keep`, or none.
        """
        with httpx.Client(trust_env=False, timeout=30, follow_redirects=True) as browser:
            consent_page = _pressed(browser, browser.get(self.begin_with_zoom(host_id)))
            page = _pressed(browser, consent_page, "/oauth/authorize", user_id=zoom_user, decision="allow")
            if choice and page.url.path.startswith("/v1/zoom/choices/"):
                page = _pressed(browser, page, decision=choice)
            return page.raise_for_status().text

    def begin_with_zoom(self, host_id: str | None = None) -> str:
        """Return the address that an owner's browser is sent to."""
        asked = {"host_id": host_id} if host_id else {}
        return str(self.call("auth-service", "POST", "/v1/zoom/authorizations", asked)["authorization_url"])

    def zooms_page(self, authorization_url: str) -> str:
        """Return the address of Zoom's own page, to which the first one leads."""
        with httpx.Client(trust_env=False, timeout=30) as browser:
            return _pressed(browser, browser.get(authorization_url)).headers["location"]

    def add_host(self, **person: str) -> Json:
        return self.call("booking-service", "POST", "/v1/hosts", person)

    def add_host_with_zoom(self, name: str, number: int) -> str:
        """Add a host whose own Zoom account, with its own limits at Zoom, is connected; returns the host's id."""
        user = {"id": f"{name}-{number}", "email": f"host-{number}@{name}.example", "account_id": f"{name}-{number}"}
        users = f"{self._urls['zoom']}/sandbox/users"
        self._http.post(users, json={**user, "type": 2, "plan": "pro"}).raise_for_status()
        host = self.add_host(name=f"Host {number}", email=user["email"], timezone="Europe/Berlin", locale="de")
        self.connect_zoom(user["id"], host["id"])
        return str(host["id"])

    def add_event_type(self, **fields: Any) -> Json:
        return self.call("booking-service", "POST", "/v1/event-types", fields)

    def book(self, **fields: Any) -> Json:
        return self.call("booking-service", "POST", "/v1/bookings", fields)

    def booking(self, booking_id: str) -> Json:
        return self.call("booking-service", "GET", f"/v1/bookings/{booking_id}")

    def reschedule(self, booking_id: str, starts_at: str, reason: str) -> Json:
        body = {"starts_at": starts_at, "reason": reason}
        return self.call("booking-service", "POST", f"/v1/bookings/{booking_id}/reschedule", body)

    def cancel(self, booking_id: str, reason: str) -> Json:
        return self.call("booking-service", "POST", f"/v1/bookings/{booking_id}/cancel", {"reason": reason})

    def timeline(self, booking_id: str) -> list[Json]:
        return list(self.call("booking-service", "GET", f"/v1/bookings/{booking_id}/timeline")["items"])

    def call(self, service: str, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """Return the answer's JSON; of an empty answer, nothing."""
        answer = self._http.request(
            method,
            f"{self._urls[service]}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token(service)}", **headers},
        )
        return dict(answer.json()) if answer.raise_for_status().content else {}

    def token(self, audience: str) -> str:
        """Return an access token for one of the services."""
        good_until, token = self._tokens.get(audience, (0.0, ""))
        if time.monotonic() < good_until:
            return token
        form = {"grant_type": "client_credentials", "audience": audience}
        url = f"{self._urls['auth-service']}/oauth/token"
        answer = self._http.post(url, data=form, auth=self._credentials).raise_for_status().json()
        self._tokens[audience] = (time.monotonic() + answer["expires_in"] / 2, answer["access_token"])
        return str(answer["access_token"])
