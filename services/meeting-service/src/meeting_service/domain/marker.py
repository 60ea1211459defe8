"""The signed mark that makes a meeting at Zoom recognisable as ours.

It stands first in the agenda: Zoom's list answers cut the agenda to 250 characters (Zoom: List meetings).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

_MARKER = re.compile(r"\[ref:(?P<session>[a-z0-9_]+)\.(?P<generation>\d+)\.(?P<signature>[0-9a-f]{8})\]")


@dataclass(frozen=True)
class Reference:
    """The session and the generation that a meeting was made for."""

    session_id: str
    generation: int


class MarkerKey:
    """Writes and recognises markers; one that was made with another key is not ours."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def marker(self, reference: Reference) -> str:
        """Return `[ref:<session>.<generation>.<hmac>]`."""
        return f"[ref:{reference.session_id}.{reference.generation}.{self._signature(reference)}]"

    def find(self, agenda: str) -> Reference | None:
        """Return the reference in an agenda, None where there is none with our signature."""
        found = _MARKER.match(agenda.lstrip())
        if not found:
            return None
        reference = Reference(found["session"], int(found["generation"]))
        genuine = hmac.compare_digest(self._signature(reference), found["signature"])
        return reference if genuine else None

    def _signature(self, reference: Reference) -> str:
        text = f"{reference.session_id}.{reference.generation}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:8]
