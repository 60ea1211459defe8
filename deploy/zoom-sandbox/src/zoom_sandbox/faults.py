"""Faults on demand: what goes wrong, with which calls, how often."""

import secrets
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

OperationName = Literal[
    "create_meeting",
    "update_meeting",
    "delete_meeting",
    "get_meeting",
    "list_meetings",
    "get_invitation",
    "get_user",
    "get_user_settings",
    "token",
    "revoke",
    "*",
]


class FaultKind(StrEnum):
    """What the client sees; only those that say so commit the effect of the call."""

    ANSWER_LOST = "answer_lost"  # committed, then the connection closes
    LATE_COMMIT = "late_commit"  # the connection closes, committed after delay_seconds
    STATUS_AFTER_COMMIT = "status_after_commit"  # committed, then an error status
    SLOW = "slow"  # delay_seconds, then as always
    STATUS = "status"
    DOWN = "down"  # the connection closes
    XML_ERROR = "xml_error"
    RATE_LIMITED_SECOND = "rate_limited_second"
    RATE_LIMITED_DAY = "rate_limited_day"
    RATE_LIMITED_HOST = "rate_limited_host"
    GRANT_REFUSED = "grant_refused"  # in the words of `reason`
    STALE_REFRESH_TOKEN = "stale_refresh_token"  # noqa: S105 - the name of a fault


class FaultOrder(BaseModel):
    """One fault as ordered: the next `times` matching calls get it, null for all until it is removed."""

    model_config = ConfigDict(extra="forbid")

    operation: OperationName
    kind: FaultKind
    times: int | None = Field(default=1, ge=1)
    delay_seconds: float = Field(default=0, ge=0)
    status: int | None = Field(default=None, ge=400, le=599)
    user_id: str | None = None
    reason: str = "Bad request"

    @model_validator(mode="after")
    def _fits_the_operation(self) -> "FaultOrder":
        if self.kind in {FaultKind.STALE_REFRESH_TOKEN, FaultKind.GRANT_REFUSED} and self.operation != "token":
            raise ValueError(f"{self.kind} is a fault of the operation token")
        return self


class Fault(FaultOrder):
    id: str
    hits: int = 0

    def hits_call(self, operation: str, user_id: str | None) -> bool:
        return (
            self.operation in ("*", operation)
            and self.user_id in (None, user_id)
            and (self.times is None or self.hits < self.times)
        )


class Faults:
    """The ordered faults, oldest first."""

    def __init__(self) -> None:
        self.ordered: dict[str, Fault] = {}

    def order(self, order: FaultOrder) -> Fault:
        fault = Fault(id=secrets.token_hex(4), **order.model_dump())
        self.ordered[fault.id] = fault
        return fault

    def take(self, operation: str, user_id: str | None) -> Fault | None:
        """Return the oldest fault that this call runs into, and count the hit."""
        for fault in self.ordered.values():
            if fault.hits_call(operation, user_id):
                fault.hits += 1
                return fault
        return None
