"""The planted bugs: each takes one of the promises away, in the way in which it is most easily lost."""

from tests.faults.mutants.mutant import Mutant

_CONVOKE = "shared/src/convoke"
_AUTH = "services/auth-service/src/auth_service"
_BOOKING = "services/booking-service/src/booking_service"
_MEETING = "services/meeting-service/src/meeting_service"
_NOTIFIER = "services/notifier/src/notifier"

_OF_CONVOKE = "tests/integration/convoke"
_OF_AUTH = "tests/integration/auth_service"
_OF_BOOKING = "tests/integration/booking_service"
_OF_MEETING = "tests/integration/meeting_service"
_OF_NOTIFIER = "tests/integration/notifier"

BROKER_AND_DATABASE = (
    Mutant(
        "acknowledge before the commit",
        f"{_CONVOKE}/messaging/consumer.py",
        "ack_policy=AckPolicy.REJECT_ON_ERROR",
        "ack_policy=AckPolicy.ACK_FIRST",
        (f"{_OF_CONVOKE}/test_settling_failures.py",),
    ),
    Mutant(
        "write to the primary alone (w=1)",
        f"{_CONVOKE}/mongo.py",
        'write_concern=WriteConcern(w="majority", j=True, wtimeout=ANSWER_WITHIN)',
        "write_concern=WriteConcern(w=1)",
        (f"{_OF_CONVOKE}/test_mongo.py",),
    ),
    Mutant(
        "run on a standalone MongoDB",
        f"{_CONVOKE}/mongo.py",
        'if "setName" not in hello:',
        "if False:",
        (f"{_OF_CONVOKE}/test_mongo.py",),
    ),
    Mutant(
        "take a new primary's word that there is none",
        f"{_CONVOKE}/mongo.py",
        "    if found is not None:\n        return found\n",
        "    return found\n",
        (f"{_OF_CONVOKE}/test_finding_surely.py",),
    ),
    Mutant(
        "publish without mandatory",
        f"{_CONVOKE}/messaging/publisher.py",
        "mandatory=True",
        "mandatory=False",
        (f"{_OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "take a returned message for published",
        f"{_CONVOKE}/messaging/broker.py",
        "on_return_raises=True",
        "on_return_raises=False",
        (f"{_OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "dead-letter at most once",
        f"{_CONVOKE}/messaging/broker.py",
        '"x-dead-letter-strategy": "at-least-once"',
        '"x-dead-letter-strategy": "at-most-once"',
        (f"{_OF_CONVOKE}/test_topology.py",),
    ),
    Mutant(
        "acknowledge what could not be dead-lettered",
        f"{_CONVOKE}/messaging/consumer.py",
        "            raise RejectMessage(requeue=False) from error\n",
        "            return\n",
        (f"{_OF_CONVOKE}/test_settling_failures.py",),
    ),
    Mutant(
        "pull from the outbox before publishing",
        f"{_CONVOKE}/messaging/outbox.py",
        "                for event in self._expand(document, pending):\n"
        "                    await self._publisher.publish(event)\n"
        "                confirmed.append(pending)\n",
        "                confirmed.append(pending)\n"
        "                for event in self._expand(document, pending):\n"
        "                    await self._publisher.publish(event)\n",
        (f"{_OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "forget what was published",
        f"{_CONVOKE}/messaging/outbox.py",
        '"$slice": -PUBLISHED_KEPT',
        '"$slice": 0',
        (f"{_OF_CONVOKE}/test_outbox_replay.py",),
    ),
    Mutant(
        "never sweep the outbox",
        f"{_CONVOKE}/messaging/outbox.py",
        "LEFT_BEHIND_AFTER = timedelta(seconds=3)",
        "LEFT_BEHIND_AFTER = timedelta(days=3)",
        (f"{_OF_CONVOKE}/test_outbox.py",),
    ),
    Mutant(
        "claim without regard to a lease",
        f"{_CONVOKE}/due_work.py",
        '{"due_at": {"$lte": now}, "$or": [{"lease": None}, {"lease.until": {"$lte": now}}]}',
        '{"due_at": {"$lte": now}}',
        (f"{_OF_CONVOKE}/test_due_work.py",),
    ),
    Mutant(
        "store results without asking for the lease",
        f"{_CONVOKE}/due_work.py",
        'return {"_id": self.document["_id"], "lease.owner": self.owner}',
        'return {"_id": self.document["_id"]}',
        (f"{_OF_CONVOKE}/test_due_work.py",),
    ),
    Mutant(
        "leave secrets unbound to their row",
        f"{_CONVOKE}/vault.py",
        "def _associated(row: tuple[str, ...]) -> bytes:\n",
        "def _associated(row: tuple[str, ...]) -> bytes:\n    row = ()\n",
        ("tests/unit/convoke/test_vault.py",),
    ),
)

ZOOM = (
    Mutant(
        "create before the intent is stored",
        f"{_MEETING}/reconcile/carry_out.py",
        "        await work.keep(intended)\n",
        "        work.state = intended\n",
        (f"{_OF_MEETING}/test_crashes_and_doubt.py",),
    ),
    Mutant(
        "post again after a time-out",
        f"{_MEETING}/reconcile/carry_out.py",
        "        except (Refused, TokenRefused):\n            work.state = work.state.not_created()",
        "        except (Refused, TokenRefused, InDoubt):\n            work.state = work.state.not_created()",
        (f"{_OF_MEETING}/test_crashes_and_doubt.py",),
    ),
    Mutant(
        "look for a create before it can have arrived",
        f"{_MEETING}/domain/meeting.py",
        "DOUBT_LASTS = timedelta(seconds=15)",
        "DOUBT_LASTS = timedelta(seconds=0)",
        (f"{_OF_MEETING}/test_crashes_and_doubt.py", "tests/unit/meeting_service/test_next_step.py"),
    ),
    Mutant(
        "believe a marker without its signature",
        f"{_MEETING}/domain/marker.py",
        "return reference if genuine else None",
        "return reference",
        ("tests/unit/meeting_service/test_body_and_marker.py",),
    ),
    Mutant(
        "take any 404 for a deleted meeting",
        f"{_MEETING}/zoom/errors.py",
        "a.status == 404 and a.code == MEETING_DOES_NOT_EXIST",
        "a.status == 404",
        ("tests/unit/meeting_service/test_zoom_errors.py",),
    ),
    Mutant(
        "take a 5xx for a refusal",
        f"{_MEETING}/zoom/errors.py",
        'lambda a, _: InDoubt(f"Zoom answered {a.status}")',
        'lambda a, _: Refused("zoom_unavailable", f"Zoom answered {a.status}")',
        ("tests/unit/meeting_service/test_zoom_errors.py", f"{_OF_MEETING}/test_crashes_and_doubt.py"),
    ),
    Mutant(
        "take an older event for a newer one",
        f"{_MEETING}/mongo.py",
        'newer_session = {"session_revision": {"$not": {"$gte": session.revision}}}',
        "newer_session: Document = {}",
        (f"{_OF_MEETING}/test_reconciling.py",),
    ),
    Mutant(
        "forget a nudge that comes during the work",
        f"{_MEETING}/mongo.py",
        'unless_nudged = claim.still_ours | {"wakes": claim.document["wakes"]}',
        "unless_nudged = claim.still_ours",
        (f"{_OF_MEETING}/test_reconciling.py", f"{_OF_MEETING}/test_failures.py", f"{_OF_MEETING}/test_overtaken.py"),
    ),
    Mutant(
        "keep quiet about what was sent after the lease",
        f"{_MEETING}/reconcile/reconciler.py",
        "                if work.has_sent:\n",
        "                if False:\n",
        (f"{_OF_MEETING}/test_overtaken.py",),
    ),
    Mutant(
        "tell of a meeting whose delete may have taken effect",
        f"{_MEETING}/reconcile/carry_out.py",
        "            await work.keep(work.state.about_to_withdraw())\n",
        "",
        (f"{_OF_MEETING}/test_crashes_and_doubt.py",),
    ),
    Mutant(
        "take what a restored database does not know for a twin",
        f"{_MEETING}/domain/differences.py",
        'return "unclaimed" if state.is_wanted and state.meeting is None else "twin"',
        'return "twin"',
        ("tests/unit/meeting_service/test_differences.py",),
    ),
    Mutant(
        "ask for no sweep after a doubt",
        f"{_MEETING}/reconcile/carry_out.py",
        "        await self.scans.sweep_after_doubt(user, self.clock())\n",
        "",
        (f"{_OF_MEETING}/test_scanning.py",),
    ),
    Mutant(
        "take a create under way for a twin",
        f"{_MEETING}/domain/differences.py",
        '    if state.intent and state.intent.generation == mark.generation:\n        return "in_doubt"\n'
        "    if state.intent:\n        return None\n",
        "",
        ("tests/unit/meeting_service/test_differences.py",),
    ),
    Mutant(
        "restore what Zoom writes otherwise for ever",
        f"{_MEETING}/domain/at_zoom.py",
        "return self.seen is not None and now_seen != self.seen",
        "return True",
        (f"{_OF_MEETING}/test_changed_in_zoom.py",),
    ),
    Mutant(
        "guess which meeting is ours",
        f"{_MEETING}/reconcile/carry_out.py",
        "        if len(free) > 1:\n",
        "        if False:\n",
        (f"{_OF_MEETING}/test_adopting_without_a_mark.py",),
    ),
    Mutant(
        "touch what another Zoom user made",
        f"{_MEETING}/reconcile/carry_out.py",
        "        if access.zoom_user_id != made.zoom_user_id:\n",
        "        if False:\n",
        (f"{_OF_MEETING}/test_another_zoom_user.py",),
    ),
    Mutant(
        "delete a meeting that was condemned and then adopted",
        f"{_MEETING}/stored.py",
        'return tuple(Condemned(**one) for one in told if one["id"] != own)',
        "return tuple(Condemned(**one) for one in told)",
        (f"{_OF_MEETING}/test_overtaken.py",),
    ),
    Mutant(
        "spend a host's reserve on anything",
        f"{_MEETING}/zoom/budget.py",
        "return CHANGES_A_DAY if start_of(body) - now <= NEAR else CHANGES_A_DAY - RESERVE",
        "return CHANGES_A_DAY",
        (f"{_OF_MEETING}/test_budget.py",),
    ),
    Mutant(
        "let a burst run into Zoom's limit a second",
        f"{_MEETING}/zoom/pacing.py",
        "        turn = max(now, self.free_at)\n",
        "        turn = now\n",
        (f"{_OF_MEETING}/test_pacing.py",),
    ),
    Mutant(
        "make links unasked for bookings from before Zoom",
        f"{_MEETING}/domain/meeting.py",
        "return self.desired_at + CLOCKS_DIFFER_BY >= connected_since",
        "return True",
        (f"{_OF_MEETING}/test_earlier_bookings.py",),
    ),
    Mutant(
        "announce a time that Zoom has not accepted",
        f"{_MEETING}/domain/steps.py",
        "        and meeting.body == _body(state, meeting.generation, marker_key)\n",
        "",
        ("tests/unit/meeting_service/test_announcements.py",),
    ),
    Mutant(
        "cancel without resolving the create in doubt",
        f"{_MEETING}/domain/steps.py",
        "    if state.intent:\n",
        "    if state.intent and state.is_wanted:\n",
        (f"{_OF_MEETING}/test_crashes_and_doubt.py",),
    ),
)

TOKENS = (
    Mutant(
        "refresh without a lock",
        f"{_CONVOKE}/due_work.py",
        '{"due_at": {"$lte": now}, "$or": [{"lease": None}, {"lease.until": {"$lte": now}}]}',
        '{"due_at": {"$lte": now}}',
        (f"{_OF_AUTH}/test_refreshing_under_fire.py",),
    ),
    Mutant(
        "keep the tokens of a disconnected connection",
        f"{_AUTH}/mongo/connections.py",
        '{"status": "disconnected", **_ERASED, ',
        '{"status": "disconnected", ',
        (f"{_OF_AUTH}/test_disconnecting.py",),
    ),
    Mutant(
        "relay what Zoom did not sign",
        f"{_AUTH}/domain/webhooks.py",
        "return signers[0] if signers else None",
        "return secrets[0]",
        (f"{_OF_AUTH}/test_webhooks.py",),
    ),
    Mutant(
        "give a connection up although it was renewed",
        f"{_AUTH}/mongo/connections.py",
        '    return {"_id": connection.id, "tokens.version": connection.token_version}',
        '    return {"_id": connection.id}',
        (f"{_OF_AUTH}/test_refreshing.py",),
    ),
    Mutant(
        "throw new tokens away when the database is away",
        f"{_AUTH}/handlers/refreshing.py",
        "SAVE_FOR = 300.0",
        "SAVE_FOR = -1.0",
        (f"{_OF_AUTH}/test_refreshing.py",),
    ),
)

BOOKINGS_AND_MAILS = (
    Mutant(
        "let two bookings have one slot",
        f"{_BOOKING}/mongo/sessions.py",
        '            name="claims",\n            unique=True,\n',
        '            name="claims",\n',
        (f"{_OF_BOOKING}/test_exclusive_time.py",),
    ),
    Mutant(
        "let one key book twice",
        f"{_BOOKING}/mongo/answers.py",
        '            name="idempotency_key",\n            unique=True,\n',
        '            name="idempotency_key",\n',
        (f"{_OF_BOOKING}/test_idempotency.py",),
    ),
    Mutant(
        "show an older link over a newer one",
        f"{_BOOKING}/mongo/sessions.py",
        '{**session, "meeting.revision": {"$lt": meeting.revision}},',
        "session,",
        (f"{_OF_BOOKING}/test_meetings.py",),
    ),
    Mutant(
        "make the Message-ID a random number",
        f"{_NOTIFIER}/mail/message.py",
        'return f"<{delivery_id}@{self.sender.domain}>"',
        "return f\"<{__import__('uuid').uuid4().hex}@{self.sender.domain}>\"",
        ("tests/unit/notifier/test_mails.py", f"{_OF_NOTIFIER}/test_mailing.py"),
    ),
    Mutant(
        "render a mail anew for its second copy",
        f"{_NOTIFIER}/sending.py",
        "        if delivery.mime:\n",
        "        if False:\n",
        (f"{_OF_NOTIFIER}/test_delivery.py",),
    ),
    Mutant(
        "send a CANCEL without a REQUEST",
        f"{_NOTIFIER}/domain/deliveries.py",
        'return "CANCEL" if told else None',
        'return "CANCEL"',
        ("tests/unit/notifier/test_decisions.py",),
    ),
    Mutant(
        "take a lost 250 for a refusal",
        f"{_NOTIFIER}/domain/deliveries.py",
        'doubtful: dict[State, State] = {"waiting": "sending", "failed": "in_doubt"}',
        "doubtful: dict[State, State] = {}",
        (f"{_OF_NOTIFIER}/test_delivery.py",),
    ),
)

MUTANTS = (*BROKER_AND_DATABASE, *ZOOM, *TOKENS, *BOOKINGS_AND_MAILS)
