"""A session in hand: the claim on it, its newest state, and the access that was used last."""

from dataclasses import dataclass
from datetime import timedelta

from convoke.clock import Clock
from convoke.due_work import Claim
from meeting_service.domain.announcements import Announcement
from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.mongo.meetings import Meetings
from meeting_service.ports import Access

LEASE = timedelta(seconds=20)
"""Longer than one call to Zoom; every stored state renews it, and none is called with too little of it left."""

CALL_BUDGET = timedelta(seconds=14)
"""What has to be left of the lease before a call to Zoom (zoom.client.WITHIN, what the breaker, its turn and the
budget take, and some for a busy machine)."""


@dataclass
class Work:
    """Stores under the lease, and goes on with what is desired then. Every method raises LeaseLost."""

    meetings: Meetings
    clock: Clock
    claim: Claim
    state: SessionMeeting
    access: Access | None = None
    token_was_replaced: bool = False
    has_sent: bool = False
    """Something that changes Zoom was sent, and what came of it is not stored yet."""
    made: Condemned | None = None
    """The meeting that was made so, if it is known."""

    @property
    def organization_id(self) -> str:
        return self.state.session.organization_id

    async def keep(self, state: SessionMeeting, announcement: Announcement | None = None) -> None:
        """Store a state under the lease, and go on with what is desired now."""
        now = self.clock()
        self.claim = await self.meetings.save(self.claim, state, announcement, now, now + LEASE)
        self.state = self.meetings.read(self.claim.document)
        self.has_sent, self.made = False, None

    async def hold(self) -> None:
        """Make sure that the lease outlasts the next call."""
        if self.claim.until - self.clock() < CALL_BUDGET:
            await self.keep(self.state)
