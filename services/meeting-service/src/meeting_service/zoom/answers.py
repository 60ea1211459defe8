"""Zoom's success answers, read leniently where fields vary in practice and strictly where a link goes into a mail."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from convoke.contracts import DialIn
from meeting_service.domain.at_zoom import Seen, WayIn
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


class _Shown(BaseModel):
    """What both a meeting and its line in a list show."""

    id: int
    topic: str | None = None
    start_time: AwareDatetime | None = None
    duration: int | None = None
    agenda: str | None = None

    def seen(self) -> Seen:
        return Seen(self.topic or "", self.start_time, self.duration, self.agenda or "")


class _Meeting(_Shown):
    join_url: str
    password: str | None = None
    host_email: str | None = None
    settings: Annotated[_Settings, BeforeValidator(_fields)] = _Settings()


class _ListedMeeting(_Shown):
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
    return MeetingDetails(meeting.id, way_in, meeting.seen())


def page_of_meetings(body: Any) -> tuple[list[FoundMeeting], str | None]:
    """Return the meetings of a list answer and the token of the next page. Raises UnusableAnswer."""
    try:
        page = _Page.model_validate(body)
    except ValidationError as error:
        raise UnusableAnswer(f"a list without usable {error.errors()[0]['loc']}") from None
    found = [FoundMeeting(meeting.id, meeting.seen(), meeting.created_at) for meeting in page.meetings]
    return found, page.next_page_token or None


def _check_join_url(url: str, join_hosts: frozenset[str]) -> None:
    """Zoom's answers are untrusted until checked (OWASP API10:2023): this link goes into people's mail."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    at_zoom = any(host == allowed or host.endswith(f".{allowed}") for allowed in join_hosts)
    if parts.scheme != "https" or not at_zoom:
        raise UnusableAnswer("a join link that does not lead to Zoom over https")
