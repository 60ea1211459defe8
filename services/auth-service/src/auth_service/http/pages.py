"""The pages that an owner sees before and after Zoom's consent page, without any script or foreign resource."""

import base64
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from auth_service.domain.connections import Connection
from auth_service.domain.scopes import ASKED_SCOPES, NeededScope, missing_scopes
from auth_service.handlers.choosing import Shown
from auth_service.handlers.connecting import Begun
from auth_service.http.outcomes import Outcome

_MAIL = "mailto:"


class Pages:
    """Renders the templates of this package.

    `connect_url` is the product's page where connecting begins, `support_url` its help for those who are stuck.
    """

    def __init__(self, connect_url: str | None, support_url: str | None) -> None:
        loader = PackageLoader("auth_service")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._style = loader.get_source(self._templates, "style.css")[0].strip()
        self._style_hash = base64.b64encode(sha256(self._style.encode()).digest()).decode()
        self._connect_url = connect_url
        self._support_url = support_url or ""

    def start(self, begun: Begun, proof: str, consent_url: str) -> HTMLResponse:
        """Return what is shown before Zoom's page: who asks, and what for."""
        return self._page(
            "start.html",
            200,
            leads_to=consent_url,
            organization=begun.organization.name,
            is_host=begun.attempt.owner.host_id is not None,
            scopes=ASKED_SCOPES,
            proof=proof,
        )

    def choice(self, shown: Shown, proof: str) -> HTMLResponse:
        """Return both Zoom users, and what changing between them means."""
        choice = shown.choice
        return self._page(
            "choice.html",
            200,
            leads_to=choice.attempt.return_to or "",
            former=choice.former,
            user=choice.user,
            is_connected=shown.is_connected,
            future_meetings=shown.consequences.future_meetings if shown.consequences else None,
            proof=proof,
        )

    def connected(self, connection: Connection) -> HTMLResponse:
        missing = missing_scopes(connection.scopes)
        granted = tuple(scope for scope in ASKED_SCOPES if scope not in missing_scopes(connection.scopes, ASKED_SCOPES))
        lists = [("Allowed", _lines(granted))]
        text = "You can close this page and go back to your bookings."
        if missing:
            lists.append(("Not allowed, so this will not work", _lines(missing)))
            text = "Connect Zoom again and allow every permission, so that everything works."
        title = f"Zoom is connected: {connection.user.email}"
        return self._outcome(200, title, text, lists=lists, is_problem=bool(missing))

    def ended(self, outcome: Outcome, detail: str = "") -> HTMLResponse:
        """Return how an attempt ended, with what to do next; `detail` is what an operator has to say of it."""
        text = f"{outcome.text} {detail}".strip()
        return self._outcome(outcome.status, outcome.title, text, outcome.next_step, is_problem=outcome.status >= 400)

    def installed(self) -> HTMLResponse:
        """Return the page for those who come from the Zoom Marketplace: without a state nothing can be connected."""
        title, text = "One more step", "Zoom has added the app, but it is not connected to your bookings yet."
        if self._connect_url:
            return self._outcome(
                200, title, text, "Sign in there and choose “Connect Zoom”.", ("Finish connecting", self._connect_url)
            )
        return self._outcome(
            200,
            title,
            text,
            "To finish, start from the product where you manage your bookings: open its Zoom settings and choose "
            "“Connect Zoom”.",
        )

    def _outcome(
        self,
        status: int,
        title: str,
        text: str,
        next_step: str = "",
        link: tuple[str, str] | None = None,
        *,
        lists: list[tuple[str, tuple[str, ...]]] | None = None,
        is_problem: bool = False,
    ) -> HTMLResponse:
        return self._page(
            "outcome.html",
            status,
            title=title,
            text=text,
            next_step=next_step,
            link=link,
            lists=lists or [],
            is_problem=is_problem,
        )

    def _page(self, template: str, status: int, leads_to: str = "", **values: object) -> HTMLResponse:
        text = self._templates.get_template(template).render(
            style=self._style,
            support_url=self._support_url,
            support_name=self._support_url.removeprefix(_MAIL) if self._support_url.startswith(_MAIL) else "Get help",
            **values,
        )
        return HTMLResponse(text, status, headers=self._headers(leads_to))

    def _headers(self, leads_to: str) -> dict[str, str]:
        """Return the headers; a form may lead on to https, which Zoom's sign-in does over several hosts."""
        where = f"'self' https: {origin_of_page(leads_to)}".strip() if leads_to else "'self'"
        return {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{self._style_hash}'; base-uri 'none'; "
            f"form-action {where}; frame-ancestors 'none'",
        }


def origin_of_page(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _lines(scopes: tuple[NeededScope, ...]) -> tuple[str, ...]:
    return tuple(f"{scope.purpose} ({scope.name})" for scope in scopes)
