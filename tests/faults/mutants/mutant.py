"""A planted bug: one piece of the code, replaced by what a later change might make of it by mistake."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


class DoesNotApply(Exception):
    """The code no longer has the piece that a mutant replaces, or has it more than once."""


@dataclass(frozen=True)
class Mutant:
    """`tests` are asked, in this order, until one of them fails."""

    name: str
    file: str
    original: str
    planted: str
    tests: tuple[str, ...]

    def text(self, tree: Path) -> str:
        """Return the text of its file with the bug in it. Raises DoesNotApply."""
        sound = (tree / self.file).read_text()
        if sound.count(self.original) != 1:
            raise DoesNotApply(
                f"{self.name}: {self.file} has {self.original!r} {sound.count(self.original)} times instead of once: "
                "plant the bug in what the code has become"
            )
        return sound.replace(self.original, self.planted)
