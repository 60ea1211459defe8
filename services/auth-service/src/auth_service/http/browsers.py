"""The browser in which an attempt runs: a cookie that only it has, and forms that only our own pages can send.

The cookie is Lax: Zoom's redirect back to us must carry it (docs/adr/0022-an-attempt-belongs-to-one-browser.md).
"""

import hashlib
import hmac
import re
import secrets

from fastapi import Request, Response

KEPT_FOR = 3600
"""Seconds; longer than the longest attempt."""

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class Browsers:
    """`public_url` decides whether the cookie can be Secure; on https it is bound to the host by its name."""

    def __init__(self, public_url: str) -> None:
        self._is_secure = public_url.startswith("https://")
        self._name = "__Host-zoom_connect" if self._is_secure else "zoom_connect"

    def of(self, request: Request) -> str:
        """Return what only this browser knows; empty where it has no cookie of ours."""
        value = request.cookies.get(self._name, "")
        return value if _VALUE.fullmatch(value) else ""

    def remember(self, response: Response, browser: str) -> None:
        response.set_cookie(
            self._name, browser, max_age=KEPT_FOR, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )


def new_browser() -> str:
    """Return 256 random bits."""
    return secrets.token_urlsafe(32)


def proof_for(browser: str, form: str) -> str:
    """Return what a form of ours carries: nobody can write it who does not know the cookie."""
    return hmac.new(browser.encode(), form.encode(), hashlib.sha256).hexdigest()


def is_own_form(browser: str, form: str, proof: str) -> bool:
    """Tell whether a form was shown by us to this very browser."""
    return bool(browser) and hmac.compare_digest(proof_for(browser, form).encode(), proof.encode())
