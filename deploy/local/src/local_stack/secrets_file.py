"""The random secrets of one run folder: made once, so that a restarted system can read what it stored before."""

import json
import os
import secrets
from base64 import b64encode
from pathlib import Path

_NAMES = (
    "booking-service",
    "meeting-service",
    "notifier",
    "zoom-client",
    "zoom-webhook",
    "encryption-key",
    "jwt-signing-key",
    "marker-key",
)


def load_or_make(path: Path) -> dict[str, str]:
    """Return 32 random bytes in base64 for each name, from the file where it is there already.

    Only the owner can read the file.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump({name: b64encode(secrets.token_bytes(32)).decode() for name in _NAMES}, file)
        draft.rename(path)
    return dict(json.loads(path.read_text()))
