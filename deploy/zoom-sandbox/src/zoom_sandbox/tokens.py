"""Strings that look like Zoom's tokens: long, signed, opaque to whoever receives them."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime, timedelta

from zoom_sandbox.answers import Json

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=90)
ZAK_LIFE = timedelta(hours=2)
SHORTEST_TOKEN = 800
_KEY = secrets.token_bytes(32)


def oauth_token(user_id: str, account_id: str, kind: str, now: datetime, life: timedelta) -> str:
    """Make an access or refresh token of 800 characters or more, as live ones are (zoom_rb's fixtures)."""
    claims: Json = {
        "ver": 9,
        "auid": secrets.token_hex(16),
        "iss": "zm:cid:sandbox",
        "aud": "https://oauth.zoom.us",
        "userId": user_id,
        "accountId": account_id,
        "tokenType": kind,
        "nbf": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "iat": int(now.timestamp()),
        "jti": secrets.token_urlsafe(SHORTEST_TOKEN // 2),
    }
    return _signed(claims)


def start_token(user_id: str, now: datetime) -> str:
    """Make the `zak` of a start_url: two hours, a new one each time (Zoom: Meetings API, Get a meeting)."""
    claims = {
        "aud": "clientsm",
        "uid": user_id,
        "iss": "web",
        "jti": secrets.token_hex(8),
        "iat": int(now.timestamp()),
        "exp": int((now + ZAK_LIFE).timestamp()),
    }
    return _signed(claims)


def encrypted_passcode(meeting_id: int, passcode: str) -> str:
    """Derive the `pwd` of a join_url, which changes with the passcode and with nothing else."""
    digest = hmac.new(_KEY, f"{meeting_id}:{passcode}".encode(), hashlib.sha256).digest()
    return f"{_unpadded(digest[:24])}.1"


def _signed(claims: Json) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    text = ".".join(_unpadded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    signature = hmac.new(_KEY, text.encode(), hashlib.sha256).digest()
    return f"{text}.{_unpadded(signature)}"


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
