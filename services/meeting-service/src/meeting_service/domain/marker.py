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
    """Writes markers with the first key and recognises those of every key; another key's are not ours."""

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys

    def marker(self, reference: Reference) -> str:
        """Return `[ref:<session>.<generation>.<hmac>]`."""
        return f"[ref:{reference.session_id}.{reference.generation}.{_signature(self._keys[0], reference)}]"

    def find(self, agenda: str) -> Reference | None:
        """Return the reference in an agenda, None where there is none with our signature."""
        found = _MARKER.match(agenda.lstrip())
        if not found:
            return None
        reference = Reference(found["session"], int(found["generation"]))
        genuine = any(hmac.compare_digest(_signature(key, reference), found["signature"]) for key in self._keys)
        return reference if genuine else None


def _signature(key: bytes, reference: Reference) -> str:
    text = f"{reference.session_id}.{reference.generation}".encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:8]
