"""The aggregate: what a session wants from Zoom, what is at Zoom, and how the one becomes the other.

Every transition returns a new value; none does input or output. The desired half (`session`, `seats`) changes by
events only, the actual half by the reconciler only, so that neither ever overwrites the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from convoke.contracts import Booking, FailureReason, Session
from convoke.contracts.meetings import FailureCode
from meeting_service.domain.at_zoom import Condemned, Decision, Intent, MeetingAtZoom, Seen, WayIn
from meeting_service.domain.body import Body
from meeting_service.domain.reasons import WAITS_FOR_PEOPLE

Change = Literal["created", "rescheduled", "unchanged", "replaced"]
Outcome = Literal["none", "ready", "failed", "canceled"]

DOUBT_LASTS = timedelta(seconds=15)
"""How long after its intent a create may still take effect at Zoom.

Longer than storing the intent, passing the breaker, its turn, counting it and our whole HTTP budget together
(carry_out.INTENT_STORED_WITHIN, zoom.breaker.LOOKED_UP_WITHIN, zoom.pacing.TURN_WITHIN, zoom.budget.COUNTED_WITHIN,
zoom.client.WITHIN).
"""

CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""What another clock calls earlier by that much, a service's or Zoom's, may have come later."""

NEAR = timedelta(hours=24)
"""What starts within that time may use the reserve of its host's day (zoom.budget)."""


@dataclass(frozen=True)
class Seat:
    """A booking, and the revisions (of the booking, of the meeting record) that were last announced for it."""

    booking: Booking
    told: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Announced:
    """What the last MeetingReady said, to name the change in the next one."""

    zoom_id: int
    generation: int
    starts_at: datetime


@dataclass(frozen=True)
class SessionMeeting:
    """A session's meeting, desired and actual."""

    session: Session
    seats: Mapping[str, Seat] = field(default_factory=dict)
    desired_at: datetime | None = None
    """When the session's revision was booked; None is since ever."""
    is_included: bool = False
    """Its link was asked for although it was booked before Zoom was connected."""
    generation: int = 0
    open_generation: int | None = None
    """The generation of a create that had no effect so far: it is tried again under the same marker."""
    attempt: int = 0
    intent: Intent | None = None
    decision: Decision | None = None
    meeting: MeetingAtZoom | None = None
    is_unsure: bool = False
    """An update of somebody who had lost the lease may have come after ours: Zoom has to be told again."""
    leaving: int | None = None
    """The meeting that is to be deleted since its connection is left, though it is wanted."""
    must_look: bool = False
    """Somebody may have changed or deleted the meeting inside Zoom."""
    look_at: datetime | None = None
    """When that is to be tried again."""
    differs: Seen | None = None
    """What the host wants to be left as it was changed inside Zoom, until the booking changes."""
    condemned: tuple[Condemned, ...] = ()
    clean_up_at: datetime | None = None
    """When the condemned are to be tried again."""
    outcome: Outcome = "none"
    reason: FailureReason | None = None
    failures: int = 0
    failed_revision: int = 0
    """The session's revision that failed: a newer one may be tried although people have not mended the reason."""
    retry_at: datetime | None = None
    meeting_revision: int = 0
    record_revision: int = 0
    """Grows with the meeting record alone; `meeting_revision` also with every announcement."""
    announced: Announced | None = None

    @property
    def is_wanted(self) -> bool:
        """A meeting is wanted while the session is scheduled at Zoom, a seat is taken and no link was set by hand."""
        return (
            self.session.status == "scheduled"
            and self.session.location.kind == "zoom"
            and self.session.seats_taken > 0
            and self.session.manual_link is None
        )

    @property
    def is_left(self) -> bool:
        """Tell whether the meeting is to go with its connection; a new one is owed then, to whoever connects."""
        return self.meeting is not None and self.meeting.id == self.leaving

    @property
    def may_stay(self) -> bool:
        return self.is_wanted and not self.is_left

    def is_owed_by_itself(self, connected_since: datetime | None) -> bool:
        """Tell whether a meeting is made without being asked for; `connected_since` is None before Zoom ever was.

        The people of a booking from before Zoom was connected have settled on something else, and were told so.
        """
        if self.is_included or self.generation > 0:
            return True
        if connected_since is None or self.desired_at is None:
            return connected_since is not None
        return self.desired_at + CLOCKS_DIFFER_BY >= connected_since

    def has_ended(self, now: datetime) -> bool:
        return self.session.ends_at <= now

    def is_ahead(self, now: datetime) -> bool:
        return now < self.session.starts_at

    def intend(
        self,
        connection_id: str,
        zoom_user_id: str,
        generation: int,
        body: Body,
        now: datetime,
        *,
        connected_at: datetime | None = None,
    ) -> "SessionMeeting":
        """Remember a create before it is sent: without this a crash would lose or double the meeting."""
        attempt = self.attempt + 1
        wanted = self.session.wanted_generation
        intent = Intent(connection_id, zoom_user_id, generation, attempt, wanted, body, now, connected_at)
        return replace(
            self, intent=intent, generation=generation, open_generation=generation, attempt=attempt, retry_at=None
        )

    def created(self, zoom_id: int, way_in: WayIn, seen: Seen) -> "SessionMeeting":
        """The intended meeting exists, by its answer or by adoption; an older one is to go."""
        if self.intent is None:
            raise ValueError(f"session {self.session.id}: a meeting without an intent")
        replaced = (self.meeting.condemned(),) if self.meeting else ()
        return replace(
            self._recorded(),
            intent=None,
            open_generation=None,
            meeting=self.intent.made(zoom_id, way_in, seen),
            must_look=False,
            differs=None,
            condemned=tuple(one for one in (*self.condemned, *replaced) if one.id != zoom_id),
            clean_up_at=None,
        )

    def adopted(self, zoom_id: int, way_in: WayIn, seen: Seen, now: datetime) -> "SessionMeeting":
        """The intended meeting was found; what was changed in it meanwhile, its mark included, is to be restored."""
        adopted, intent = self.created(zoom_id, way_in, seen), self.intent
        if adopted.meeting is None or (intent and seen.says(intent.body, now) and seen.agenda == intent.body["agenda"]):
            return adopted
        return replace(adopted, meeting=adopted.meeting.to_be_restored())

    def not_created(self) -> "SessionMeeting":
        """It is certain that the intended create had no effect; the next one has the same generation and marker."""
        return replace(self, intent=None)

    def with_twins(self, zoom_ids: tuple[int, ...]) -> "SessionMeeting":
        """More than one meeting carries our mark: the others are to go."""
        if self.meeting is None:
            raise ValueError(f"session {self.session.id}: twins of no meeting")
        twins = tuple(replace(self.meeting.condemned(), id=zoom_id) for zoom_id in zoom_ids)
        return replace(self, condemned=(*self.condemned, *twins))

    def updated(self, body: Body, way_in: WayIn, seen: Seen, now: datetime) -> "SessionMeeting":
        """Zoom accepted the body."""
        if self.meeting is None:
            raise ValueError(f"session {self.session.id}: an update of no meeting")
        meeting = replace(self.meeting, body=body, way_in=way_in, seen=seen, updated_at=now)
        is_news = way_in != self.meeting.way_in or self.differs is not None or self.reason is not None
        state = self._recorded() if is_news else replace(self, failures=0, retry_at=None)
        return replace(state, meeting=meeting, is_unsure=False, must_look=False, differs=None)

    def looked(self, way_in: WayIn, seen: Seen, now: datetime) -> "SessionMeeting":
        """Zoom was asked what it has: the way in is taken over, the rest restored or, as the host wants it, flagged.

        Our own change, which Zoom reports like anybody's, is no difference. What has begun is left as it is.
        """
        meeting = self.meeting
        if meeting is None:
            raise ValueError(f"session {self.session.id}: a look at no meeting")
        changed = meeting.changed_since(seen) and self.is_ahead(now)
        differs = seen if changed and self.session.zoom.when_changed == "flag" else None
        found = replace(meeting, way_in=way_in, seen=meeting.seen or seen)
        is_news = way_in != meeting.way_in or differs != self.differs
        return replace(
            self._recorded() if is_news else self,
            must_look=False,
            look_at=None,
            meeting=found.to_be_restored() if changed and not differs else found,
            differs=differs,
        )

    def look_later(self, until: datetime) -> "SessionMeeting":
        """Zoom could not be asked; nobody has to know."""
        return replace(self, look_at=until, failures=self.failures + 1)

    def gone(self) -> "SessionMeeting":
        """The meeting is no longer at Zoom: a deleted meeting is never updated, a new need makes a new one."""
        return replace(self._recorded(), meeting=None, must_look=False, differs=None)

    def about_to_withdraw(self) -> "SessionMeeting":
        """The meeting is to be deleted: from now on nobody is told of it before Zoom has confirmed that it is there."""
        if self.meeting is None:
            raise ValueError(f"session {self.session.id}: no meeting to withdraw")
        return replace(self, meeting=self.meeting.to_be_restored())

    def abandoned(self) -> "SessionMeeting":
        """Another Zoom user is connected than made the meeting: it is out of reach, and is deleted if that one returns.

        Who still wants a meeting gets a new one.
        """
        if self.meeting is None:
            raise ValueError(f"session {self.session.id}: no meeting to abandon")
        return replace(self.gone(), condemned=(self.meeting.condemned(), *self.condemned))

    def forsaken(self) -> "SessionMeeting":
        """Another Zoom user is connected than may have made the intended meeting: a scan of that one's will find it."""
        return replace(self, intent=None, open_generation=None)

    def without_condemned(self, zoom_id: int) -> "SessionMeeting":
        return replace(self, condemned=tuple(one for one in self.condemned if one.id != zoom_id))

    def failed(self, reason: FailureReason, retry_at: datetime) -> "SessionMeeting":
        """Nothing more can be done until `retry_at`, or until a nudge."""
        changed = self.reason is None or (self.reason.code, self.reason.title) != (reason.code, reason.title)
        failing = self._recorded() if changed else self
        failed = replace(failing, reason=reason, failed_revision=self.session.revision)
        return replace(failed, failures=self.failures + 1, retry_at=retry_at)

    def stays(self) -> "SessionMeeting":
        """Its connection is not left any more, or cannot delete it any more."""
        return replace(self, leaving=None)

    def leave_later(self, until: datetime) -> "SessionMeeting":
        """It could not be deleted yet; nobody has to know why."""
        return replace(self.put_off(until), failures=self.failures + 1)

    def put_off(self, until: datetime) -> "SessionMeeting":
        """It is not its turn at Zoom: nothing has failed, and nothing is tried before, whatever changes."""
        return replace(self, retry_at=until, failed_revision=self.session.revision)

    def delayed(self, zoom_id: int, retry_at: datetime) -> "SessionMeeting":
        """This one could not be deleted; the session's own meeting does not depend on it, and the others come first."""
        last = tuple(one for one in self.condemned if one.id == zoom_id)
        rest = self.without_condemned(zoom_id).condemned
        return replace(self, condemned=(*last, *rest), failures=self.failures + 1, clean_up_at=retry_at)

    def waits(self, now: datetime) -> bool:
        """Tell whether it is too early to try again."""
        if self.retry_at is None or self.retry_at <= now:
            return False
        return self.reason is None or not self._has_another_need(self.reason.code, now)

    def _has_another_need(self, failed: FailureCode, now: datetime) -> bool:
        """Tell whether something is needed now that the failure does not stand in the way of."""
        if self.session.revision <= self.failed_revision:
            return False
        if failed == "zoom_daily_limit":  # it counts creates and updates only (Zoom: rate limits)
            has_reserve = self.session.starts_at - now <= NEAR
            return has_reserve if self.is_wanted else self.intent is None
        return failed in WAITS_FOR_PEOPLE

    def woken(self) -> "SessionMeeting":
        """Somebody nudged while this failed: the reason why people had to act may be mended already.

        So may a limit: another Zoom user, who has a day of their own, may just have been connected.
        """
        mendable = self.reason is not None and self.reason.code in {*WAITS_FOR_PEOPLE, "zoom_daily_limit"}
        return replace(self, retry_at=None) if mendable else self

    def settled(self) -> "SessionMeeting":
        """What is at Zoom is what is wanted: a failure on the way there no longer matters."""
        return self._recorded() if self.reason else self

    def _recorded(self) -> "SessionMeeting":
        """The meeting record is about to change; whatever failed before has passed."""
        return replace(self, record_revision=self.record_revision + 1, reason=None, failures=0, retry_at=None)
