"""The Zoom users of the sandbox's accounts."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from zoom_sandbox.answers import Json
from zoom_sandbox.limits import Plan

APP_SCOPES = (
    "meeting:delete:meeting",
    "meeting:read:invitation",
    "meeting:read:list_meetings",
    "meeting:read:meeting",
    "meeting:update:meeting",
    "meeting:write:meeting",
    "user:read:settings",
    "user:read:user",
)
BASIC: Literal[1] = 1
LICENSED: Literal[2] = 2
UNASSIGNED: Literal[4] = 4


class User(BaseModel):
    """One Zoom user, and the scopes that a consent of his grants the app."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    email: str
    first_name: str = "Sam"
    last_name: str = "Host"
    type: Literal[1, 2, 4] = LICENSED
    status: Literal["active", "inactive", "pending"] = "active"
    plan: Plan = Plan.PRO
    account_id: str = "account-pro"
    scopes: tuple[str, ...] = APP_SCOPES
    may_schedule: bool = True
    waiting_room: bool = False
    timezone: str = "UTC"

    @property
    def is_basic(self) -> bool:
        return self.type == BASIC

    @property
    def hosts_meetings(self) -> bool:
        """Tell whether Zoom lets the user host and schedule (code 3161 where not)."""
        return self.may_schedule and self.type != UNASSIGNED


def default_users() -> dict[str, User]:
    """Twenty licensed hosts of one Pro account and one user on the free plan."""
    hosts = [User(id=f"host-{n}", email=f"host-{n}@example.com", last_name=f"Host {n}") for n in range(1, 21)]
    basic = User(
        id="basic-1",
        email="basic-1@example.com",
        last_name="Basic",
        type=BASIC,
        plan=Plan.FREE,
        account_id="account-free",
    )
    return {user.id: user for user in [*hosts, basic]}


def profile(user: User) -> Json:
    """Write a user as Zoom answers it (Zoom: Users API, Get a user)."""
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "display_name": f"{user.first_name} {user.last_name}",
        "type": user.type,
        "status": user.status,
        "account_id": user.account_id,
        "account_number": 10_000_001,
        "timezone": user.timezone,
        "pmi": 4_155_550_100,
        "role_name": "Member",
        "role_id": "2",
        "language": "en-US",
        "verified": 1,
        "cluster": "us05",
        "personal_meeting_url": "https://us05web.zoom.us/j/4155550100",
        "created_at": "2024-01-01T00:00:00Z",
    }


def preferences(user: User, *, passcodes: bool, passcode_in_link: bool) -> Json:
    """Write the few settings that a scheduler reads (Zoom: Users API, Get user settings)."""
    return {
        "schedule_meeting": {
            "join_before_host": False,
            "require_password_for_scheduling_new_meetings": passcodes,
            "embed_password_in_join_link": passcode_in_link,
            "meeting_password_requirement": {
                "length": 0,
                "have_letter": False,
                "have_number": False,
                "have_special_character": False,
                "have_upper_and_lower_characters": False,
                "only_allow_numeric": False,
                "consecutive_characters_length": 0,
                "weak_enhance_detection": False,
            },
        },
        "in_meeting": {"waiting_room": user.waiting_room},
        "feature": {"meeting_capacity": 100},
        "recording": {"cloud_recording": not user.is_basic},
    }
