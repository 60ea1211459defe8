"""What really went wrong during a drill, each entry with what shows it, and what happened as it went."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.progress import say


@dataclass
class Ledger:
    """Counts the faults that were shown to have happened, by kind, and the crash points met; writes all to `log`."""

    log: Path
    started: float = field(default_factory=time.monotonic)
    faults: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def fault(self, kind: str, evidence: str) -> None:
        self.faults[kind] += 1
        self.note(f"fault {kind}: {evidence}")

    def point(self, name: str, evidence: str) -> None:
        self.points[name] += 1
        self.note(f"crash point {name}: {evidence}")

    def miss(self, what: str, why: str) -> None:
        """Note a fault that was ordered and met nothing: it does not count."""
        self.missed[what] += 1
        self.note(f"missed {what}: {why}")

    def note(self, text: str) -> None:
        with self.log.open("a") as lines:
            lines.write(f"{time.monotonic() - self.started:7.1f} {text}\n")

    def show(self, text: str) -> None:
        self.note(text)
        say(f"{time.monotonic() - self.started:6.0f} s  {text}")
