"""The list of a host's meetings: which ones, and page after page (Zoom: Meetings API, List meetings)."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from zoom_sandbox.answers import refusal, validation_failed
from zoom_sandbox.meetings import INSTANT, SCREEN_SHARE, Meeting

BAD_PAGE_TOKEN = "The next page token is either invalid or has expired."  # noqa: S105 - a message
PAGE_TOKEN_LIFE = timedelta(minutes=15)
HORIZON = timedelta(days=183)
_Filter = Callable[[Meeting, datetime], bool]
FILTERS: dict[str, _Filter] = {
    "scheduled": lambda _, __: True,
    "live": lambda meeting, _: meeting.status == "started",
    "upcoming": lambda meeting, now: now <= meeting.ends_at <= now + HORIZON,
    "upcoming_meetings": lambda meeting, now: now <= meeting.ends_at <= now + HORIZON,
    "previous_meetings": lambda meeting, now: now - HORIZON <= meeting.ends_at < now,
}


@dataclass(frozen=True)
class Page:
    """Where one answer begins and what it shows; a token remembers the next one."""

    host_id: str
    kind: str
    size: int
    offset: int
    begin: date | None
    end: date | None
    expires_at: datetime | None = None


@dataclass
class PageTokens:
    """Opaque tokens, good for fifteen minutes, for this host only."""

    now: Callable[[], datetime]
    pages: dict[str, Page] = field(default_factory=dict)

    def issue(self, page: Page, offset: int) -> str:
        token = secrets.token_urlsafe(24)
        self.pages[token] = Page(
            page.host_id, page.kind, page.size, offset, page.begin, page.end, self.now() + PAGE_TOKEN_LIFE
        )
        return token

    def page_asked_for(self, host_id: str, query: Mapping[str, str]) -> Page:
        token = query.get("next_page_token")
        if not token:
            return _first_page(host_id, query)
        page = self.pages.get(token)
        if page is None or page.host_id != host_id or (page.expires_at and page.expires_at <= self.now()):
            raise refusal(400, 300, BAD_PAGE_TOKEN)
        return page


def listed(meetings: list[Meeting], page: Page, now: datetime) -> list[Meeting]:
    """Keep what Zoom lists: never instant and expired meetings."""
    return [
        each
        for each in meetings
        if each.type not in (INSTANT, SCREEN_SHARE)
        and not each.is_expired(now)
        and FILTERS[page.kind](each, now)
        and (page.begin is None or each.start_time.date() >= page.begin)
        and (page.end is None or each.start_time.date() <= page.end)
    ]


def _first_page(host_id: str, query: Mapping[str, str]) -> Page:
    kind = query.get("type", "scheduled")
    if kind not in FILTERS:
        raise _invalid("type")
    size = _number(query, "page_size", default=30, most=300)
    number = _number(query, "page_number", default=1, most=10**6)
    return Page(host_id, kind, size, (number - 1) * size, _day(query, "from"), _day(query, "to"))


def _number(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    written = query.get(name, str(default))
    if not written.isascii() or not written.isdecimal() or not 1 <= int(written) <= most:
        raise _invalid(name)
    return int(written)


def _day(query: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(query[name]) if query.get(name) else None
    except ValueError:
        raise _invalid(name) from None


def _invalid(name: str) -> Exception:
    return validation_failed([{"field": name, "message": "Invalid field."}])
