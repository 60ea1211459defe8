"""What has to hold of connections, told from what was stored, sent, handed out and answered."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from auth_service.mongo.documents import connection_of
from convoke.contracts import ZoomConnected, ZoomDisconnected
from convoke.mongo import Document
from tests.faults.crashes.neighbours import Clock
from tests.faults.races.gates import Operation
from tests.faults.races.replica import SEALED

AT_ONCE = timedelta(seconds=1)
SEALED_FORM = re.compile(r"v\d{1,3}(\.[\w=-]+){2,3}")
"""How everything looks that `convoke.vault` seals, data keys too."""

Told = tuple[str, str | None]
MAY_FOLLOW: dict[Told | None, set[Told]] = {
    None: {(ZoomConnected.event_type, None)},
    (ZoomConnected.event_type, None): {
        (ZoomConnected.event_type, None),
        (ZoomDisconnected.event_type, "user"),
        (ZoomDisconnected.event_type, "deauthorized"),
        (ZoomDisconnected.event_type, "reauthorization_required"),
    },
    (ZoomDisconnected.event_type, "reauthorization_required"): {
        (ZoomConnected.event_type, None),
        (ZoomDisconnected.event_type, "user"),
        (ZoomDisconnected.event_type, "deauthorized"),
    },
    (ZoomDisconnected.event_type, "user"): {(ZoomConnected.event_type, None)},
    (ZoomDisconnected.event_type, "deauthorized"): {(ZoomConnected.event_type, None)},
}
"""What may be told of a connection after what: nothing is over twice."""


@dataclass
class Pair:
    """A stored pair of tokens; `dead_since` is when the disconnect that ended it was answered."""

    owner: str
    is_ended: bool = False
    dead_since: datetime | None = None


@dataclass(frozen=True)
class Used:
    what: str
    token: str
    at: datetime
    operation: Operation


@dataclass
class Ledger:
    """`excuses` are by owner: why its tokens may be lost, through nobody's fault but Zoom's or a crash's.

    Those up to `settled` speak of tokens that newer ones have replaced. `connected` says as whom an owner came back
    when, as far as that was answered with a connection; `ended_at` when it decided for the last time to disconnect.
    """

    clock: Clock
    pairs: dict[str, Pair] = field(default_factory=dict)
    used: list[Used] = field(default_factory=list)
    told: defaultdict[str, dict[str, Told]] = field(default_factory=lambda: defaultdict(dict))
    excuses: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    settled: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    ended_at: dict[str, datetime] = field(default_factory=dict)
    connected: defaultdict[str, dict[datetime, str]] = field(default_factory=lambda: defaultdict(dict))
    seen: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def see(self, document: Document, under_way: Sequence[Operation]) -> None:
        """Take in a connection's row after each step."""
        if self.seen.get(document["_id"]) == document["revision"]:
            return
        self.seen[document["_id"]] = document["revision"]
        owner = document["organization_id"]
        self._see_tokens(owner, document)
        of_its_life = {ZoomConnected.event_type, ZoomDisconnected.event_type}
        for entry in document["outbox"]:
            if entry["type"] in of_its_life and entry["id"] not in self.told[owner]:
                self.told[owner][entry["id"]] = told = entry["type"], entry.get("reason")
                is_frozen = any(one.was_frozen for one in under_way if one.owner == owner)
                if (
                    told[1] in ("reauthorization_required", "deauthorized")
                    and not self.excuses_of(owner)
                    and not is_frozen
                ):
                    self.wrong.append(f"{owner} was asked to connect again without need")

    def was_used(self, what: str, token: str, operation: Operation) -> None:
        self.used.append(Used(what, token, self.clock(), operation))

    def answered(self, operation: Operation) -> None:
        """Take in that a disconnect was answered: its tokens are dead from now on."""
        for pair in self.pairs.values():
            if pair.owner == operation.owner and pair.is_ended and pair.dead_since is None:
                pair.dead_since = self.clock()

    def excuses_of(self, owner: str) -> list[str]:
        return self.excuses[owner][self.settled[owner] :]

    def renewed(self, operation: Operation) -> None:
        """Take in that tokens were stored which Zoom gave after so many excuses."""
        owner = operation.owner
        self.settled[owner] = max(self.settled[owner], operation.excuses_before)

    def used_when_dead(self) -> Iterator[str]:
        for used in self.used:
            pair = self.pairs.get(used.token)
            if pair and pair.dead_since and used.at > pair.dead_since + AT_ONCE and not used.operation.was_frozen:
                yield f"{used.what} with a token of {pair.owner} {used.at - pair.dead_since} after its disconnect"

    def told_twice(self) -> Iterator[str]:
        for owner, entries in self.told.items():
            before: Told | None = None
            for told in entries.values():
                if told not in MAY_FOLLOW[before]:
                    yield f"{owner} was told {told} after {before}"
                before = told

    def _see_tokens(self, owner: str, document: Document) -> None:
        if document["status"] == "disconnected":
            self.ended_at[owner] = document["decided_at"]
            kept = [where for where in secrets_in(document) if not where.startswith(".ending.tokens.")]
            self.wrong += [f"{where} of the disconnected {owner} is kept" for where in kept]
            for pair in self.pairs.values():
                pair.is_ended = pair.is_ended or pair.owner == owner
            return
        connection = connection_of(document)
        for token in (SEALED.access_token(connection), SEALED.refresh_token(connection)):
            self.pairs.setdefault(token, Pair(owner))


def secrets_in(value: Any, where: str = "") -> Iterator[str]:
    """Yield where in a document something sealed is kept."""
    if isinstance(value, str) and SEALED_FORM.fullmatch(value):
        yield where
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from secrets_in(one, f"{where}.{name}")
