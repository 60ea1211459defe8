"""What a drill has to show, as a table, and whether it passed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.drill.bookings import Order
from tests.faults.drill.client import Client
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.verdict import Evidence, Verdict, copies, twins

_SHOWN = 30


@dataclass(frozen=True)
class Report:
    """Everything there is to tell of one drill; `seconds` is its wall time without the start of the system."""

    seed: int
    commit: str
    folder: Path
    orders: Sequence[Order]
    client: Client
    ledger: Ledger
    verdict: Verdict
    evidence: Evidence
    unanswered: Sequence[str]
    audit: str
    seconds: float
    wanted: int
    required_kinds: set[str]
    required_points: set[str]

    @property
    def faults(self) -> int:
        return sum(self.ledger.faults.values())

    @property
    def passed(self) -> bool:
        return not list(self.failures())

    def failures(self) -> Iterator[str]:
        """Name every reason for which the drill did not pass."""
        yield from self.verdict.all()
        yield from (f"never answered: {request}" for request in self.unanswered)
        if self.faults < self.wanted:
            yield f"only {self.faults} of {self.wanted} faults were met"
        yield from (f"no fault of this kind was met: {kind}" for kind in self.required_kinds - set(self.ledger.faults))
        missing = self.required_points - set(self.ledger.points)
        yield from (f"crash point never met: {point}" for point in sorted(missing))

    def lines(self) -> Iterator[str]:
        """Return the table, and what is wrong under it."""
        verdict = self.verdict
        yield f"seed {self.seed}, commit {self.commit}, {self.seconds:.0f} s, logs in {self.folder}"
        yield ""
        yield from _table(
            {
                "bookings attempted": len(self.orders),
                "bookings acknowledged": sum(bool(order.booking) for order in self.orders),
                "moves and cancels acknowledged": sum(
                    order.acknowledged - bool(order.booking) for order in self.orders
                ),
                "answered only when asked again": self.client.recovered,
                "meetings ever made at Zoom": len(self.evidence.meetings),
                "late twins at Zoom, deleted since": twins(self.evidence.meetings),
                "mails taken": len(self.evidence.mails),
                "second copies of a mail, the same bytes": copies(self.evidence.mails),
                "lost": len(verdict.lost),
                "doubled": len(verdict.doubled),
                "meetings of nobody": len(verdict.orphans),
                "missing mails": len(verdict.unmailed),
                "copies that differ": len(verdict.copies),
                "still waiting somewhere": len(verdict.waiting),
                "otherwise wrong": len(verdict.other),
                "the system's own audit": self.audit,
            }
        )
        yield from _counted(f"{self.faults} faults of {len(self.ledger.faults)} kinds", self.ledger.faults)
        yield from _counted(f"{len(self.ledger.points)} crash points", self.ledger.points)
        yield from _counted("ordered, and met nothing (not counted)", self.ledger.missed)
        yield from _counted("asked again because of", self.client.repeats)
        failures = list(self.failures())
        yield "passed" if not failures else f"FAILED, for {len(failures)} reasons:"
        yield from (f"    {failure}" for failure in failures[:_SHOWN])


def _table(rows: dict[str, object]) -> Iterator[str]:
    width = max(map(len, rows))
    yield from (f"    {name:{width}}  {value}" for name, value in rows.items())


def _counted(title: str, counted: Counter[str]) -> Iterator[str]:
    yield ""
    yield f"{title}:"
    yield from (f"    {count:5}  {name}" for name, count in sorted(counted.items()))
