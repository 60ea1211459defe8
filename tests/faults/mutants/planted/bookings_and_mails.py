"""Bugs in what a booking promises to its host and guest, and in the mails that say so."""

from tests.faults.mutants.mutant import Mutant
from tests.faults.mutants.planted.places import BOOKING, NOTIFIER, OF_BOOKING, OF_NOTIFIER

BOOKINGS_AND_MAILS = (
    Mutant(
        "let two bookings have one slot",
        f"{BOOKING}/mongo/sessions.py",
        '            name="claims",\n            unique=True,\n',
        '            name="claims",\n',
        (f"{OF_BOOKING}/test_exclusive_time.py",),
    ),
    Mutant(
        "let one key book twice",
        f"{BOOKING}/mongo/answers.py",
        '            name="idempotency_key",\n            unique=True,\n',
        '            name="idempotency_key",\n',
        (f"{OF_BOOKING}/test_idempotency.py",),
    ),
    Mutant(
        "show an older link over a newer one",
        f"{BOOKING}/mongo/sessions.py",
        '{**session, "meeting.revision": {"$lt": meeting.revision}},',
        "session,",
        (f"{OF_BOOKING}/test_meetings.py",),
    ),
    Mutant(
        "make the Message-ID a random number",
        f"{NOTIFIER}/mail/message.py",
        'return f"<{delivery_id}@{self.sender.domain}>"',
        "return f\"<{__import__('uuid').uuid4().hex}@{self.sender.domain}>\"",
        ("tests/unit/notifier/test_mails.py", f"{OF_NOTIFIER}/test_mailing.py"),
    ),
    Mutant(
        "render a mail anew for its second copy",
        f"{NOTIFIER}/sending.py",
        "        if delivery.mime:\n",
        "        if False:\n",
        (f"{OF_NOTIFIER}/test_delivery.py",),
    ),
    Mutant(
        "send a CANCEL without a REQUEST",
        f"{NOTIFIER}/domain/deliveries.py",
        'return "CANCEL" if told else None',
        'return "CANCEL"',
        ("tests/unit/notifier/test_decisions.py",),
    ),
    Mutant(
        "take a lost 250 for a refusal",
        f"{NOTIFIER}/domain/deliveries.py",
        'doubtful: dict[State, State] = {"waiting": "sending", "failed": "in_doubt"}',
        "doubtful: dict[State, State] = {}",
        (f"{OF_NOTIFIER}/test_delivery.py",),
    ),
)
