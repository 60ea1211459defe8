"""Which Zoom permissions a connection needs and what for, whichever way the app's scopes are spelled."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class NeededScope:
    """A granular scope, what it is needed for, and the classic scopes that include it (zoom.md 1.5)."""

    name: str
    purpose: str
    classic: tuple[str, ...]

    def is_granted_by(self, granted: frozenset[str]) -> bool:
        accepted = (self.name, *self.classic)
        return any(scope in granted or f"{scope}:admin" in granted for scope in accepted)


NEEDED_SCOPES = (
    NeededScope("meeting:write:meeting", "create a meeting for each booking", ("meeting:write",)),
    NeededScope("meeting:update:meeting", "move the meeting when a booking is rescheduled", ("meeting:write",)),
    NeededScope("meeting:delete:meeting", "delete the meeting when a booking is canceled", ("meeting:write",)),
    NeededScope("meeting:read:meeting", "read the join link and the dial-in numbers", ("meeting:read",)),
    NeededScope("meeting:read:list_meetings", "find a meeting again after Zoom's answer was lost", ("meeting:read",)),
    NeededScope("user:read:user", "show which Zoom account is connected", ("user:read", "user_info:read")),
)

OPTIONAL_SCOPES = (
    NeededScope("user:read:settings", "tell what the account's waiting room and passcodes are like", ("user:read",)),
)
ASKED_SCOPES = (*NEEDED_SCOPES, *OPTIONAL_SCOPES)
"""All that an owner is asked to allow on Zoom's page."""


def missing_scopes(granted: Iterable[str], wanted: tuple[NeededScope, ...] = NEEDED_SCOPES) -> tuple[NeededScope, ...]:
    """Return what is wanted and not granted; classic and `:admin` scopes count."""
    have = frozenset(granted)
    return tuple(scope for scope in wanted if not scope.is_granted_by(have))
