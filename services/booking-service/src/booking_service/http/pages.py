"""/j/{token} and /manage/{token}: what an invitee sees, without any script, cookie or foreign resource."""

import base64
from datetime import datetime
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from booking_service.domain.session import Seat, Session
from booking_service.mongo.session_documents import token_hash
from booking_service.mongo.sessions import Sessions, Stored
from convoke.openapi import pages


class Pages:
    """Renders the templates of this package."""

    def __init__(self) -> None:
        loader = PackageLoader("booking_service")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._style = loader.get_source(self._templates, "style.css")[0].strip()
        style_hash = base64.b64encode(sha256(self._style.encode()).digest()).decode()
        self._headers = {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
        }

    def booking(self, session: Session, seat: Seat, *, may_manage: bool) -> HTMLResponse:
        return self._page(
            "booking.html",
            200,
            session=session,
            event_type=session.event_type,
            host=session.host,
            canceled=seat.status == "canceled",
            location=session.event_type.location,
            meeting_status=session.meeting_status,
            way_in=session.way_in,
            reason=session.meeting.reason or {},
            follows_by_itself=session.meeting.retry_at is not None,
            zone=seat.invitee.timezone,
            when=when(session.starts_at, session.ends_at, seat.invitee.timezone),
            may_manage=may_manage,
        )

    def not_found(self) -> HTMLResponse:
        return self._page("not_found.html", 404)

    def _page(self, template: str, status: int, **values: object) -> HTMLResponse:
        text = self._templates.get_template(template).render(style=self._style, **values)
        return HTMLResponse(text, status, headers=self._headers)


def pages_router(sessions: Sessions) -> APIRouter:
    router = APIRouter(tags=["pages"], default_response_class=HTMLResponse)
    shown = Pages()

    @router.get("/j/{token}", responses=pages(404))
    async def join_page(token: str) -> HTMLResponse:
        return _page(await sessions.find_by_token("join", token), token, "join")

    @router.get("/manage/{token}", responses=pages(404))
    async def manage_page(token: str) -> HTMLResponse:
        return _page(await sessions.find_by_token("manage", token), token, "manage")

    def _page(stored: Stored | None, token: str, kind: Literal["join", "manage"]) -> HTMLResponse:
        if stored is None:
            return shown.not_found()
        seat_id = next(seat["id"] for seat in stored.document["seats"] if seat[f"{kind}_hash"] == token_hash(token))
        return shown.booking(stored.session, stored.session.seat(seat_id), may_manage=kind == "manage")

    return router


def when(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return a time as its reader's clock and calendar show it, with the offset that holds then."""
    begin, end = starts_at.astimezone(ZoneInfo(zone)), ends_at.astimezone(ZoneInfo(zone))
    until = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%A, %-d %B %Y, %H:%M}"
    offset = f"{begin:%z}"
    return f"{begin:%A, %-d %B %Y, %H:%M} to {until} (UTC{offset[:3]}:{offset[3:5]})"
