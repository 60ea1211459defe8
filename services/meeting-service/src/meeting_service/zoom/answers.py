"""Zoom's success answers, read leniently where fields vary in practice and strictly where a link goes into a mail."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from convoke.contracts import DialIn
from meeting_service.domain.meeting import WayIn
from meeting_service.ports import FoundMeeting, MeetingDetails


class UnusableAnswer(Exception):
    """A success answer without what we need, or with a join link that does not lead to Zoom."""


class _Number(BaseModel):
    country: str | None = None
    number: str
    type: str | None = None


def _with_a_number(value: Any) -> Any:
    numbers = value if isinstance(value, list) else []
    return [one for one in numbers if isinstance(one, dict) and isinstance(one.get("number"), str)]


class _Settings(BaseModel):
    global_dial_in_numbers: Annotated[list[_Number], BeforeValidator(_with_a_number)] = Field(default_factory=list)


def _fields(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


class _Meeting(BaseModel):
    id: int
    join_url: str
    password: str | None = None
    host_email: str | None = None
    start_time: AwareDatetime | None = None
    settings: Annotated[_Settings, BeforeValidator(_fields)] = _Settings()


class _ListedMeeting(BaseModel):
    id: int
    agenda: str | None = None
    created_at: AwareDatetime | None = None


class _Page(BaseModel):
    meetings: list[_ListedMeeting]
    next_page_token: str | None = None


def meeting_details(body: Any, join_hosts: frozenset[str]) -> MeetingDetails:
    """Return a created or fetched meeting. Raises UnusableAnswer."""
    try:
        meeting = _Meeting.model_validate(body)
    except ValidationError as error:
        raise UnusableAnswer(f"a meeting without usable {error.errors()[0]['loc']}") from None
    _check_join_url(meeting.join_url, join_hosts)
    numbers = [
        DialIn(country=one.country or "", number=one.number, type=one.type or "")
        for one in meeting.settings.global_dial_in_numbers
    ]
    way_in = WayIn(meeting.join_url, meeting.password or None, tuple(numbers), meeting.host_email or "")
    return MeetingDetails(meeting.id, way_in, meeting.start_time)


def page_of_meetings(body: Any) -> tuple[list[FoundMeeting], str | None]:
    """Return the meetings of a list answer and the token of the next page. Raises UnusableAnswer."""
    try:
        page = _Page.model_validate(body)
    except ValidationError as error:
        raise UnusableAnswer(f"a list without usable {error.errors()[0]['loc']}") from None
    return [_found(meeting) for meeting in page.meetings], page.next_page_token or None


def _found(meeting: _ListedMeeting) -> FoundMeeting:
    created_at: datetime | None = meeting.created_at
    return FoundMeeting(meeting.id, meeting.agenda or "", created_at)


def _check_join_url(url: str, join_hosts: frozenset[str]) -> None:
    """Zoom's answers are untrusted until checked (OWASP API10:2023): this link goes into people's mail."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    at_zoom = any(host == allowed or host.endswith(f".{allowed}") for allowed in join_hosts)
    if parts.scheme != "https" or not at_zoom:
        raise UnusableAnswer("a join link that does not lead to Zoom over https")
