"""The bookings that a broken connection concerns, as far as a mail lists them."""

from dataclasses import dataclass

from notifier.domain.snapshot import Snapshot

LISTED = 20


@dataclass(frozen=True)
class Affected:
    """The first LISTED of `count` bookings, the next one first."""

    first: tuple[Snapshot, ...]
    count: int

    @property
    def unlisted(self) -> int:
        return max(self.count - len(self.first), 0)
