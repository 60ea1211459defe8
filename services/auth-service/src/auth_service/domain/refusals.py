"""Why Zoom refuses, by the numbers that it documents and the words that were seen (zoom.md 1.3 and 1.4).

No stored answer of Zoom has the numbers as a field: they are looked for in all that it says.
"""

import re
from collections.abc import Mapping
from typing import Literal

Reason = Literal[
    "declined",
    "waiting-for-admin",
    "code-refused",
    "redirect-mismatch",
    "permissions-changed",
    "app-disabled",
    "user-gone",
    "disabled-by-admin",
]

_BY_NUMBER: Mapping[str, Reason] = {
    "4709": "redirect-mismatch",
    "4711": "permissions-changed",
    "4717": "app-disabled",
    "4733": "code-refused",
    "4734": "code-refused",
    "4735": "user-gone",
    "4738": "disabled-by-admin",
    "4741": "code-refused",
}
_BY_WORDS: tuple[tuple[str, Reason], ...] = (
    ("cannot authorize", "waiting-for-admin"),
    ("pre-approv", "waiting-for-admin"),
    ("request access", "waiting-for-admin"),
    ("redirect", "redirect-mismatch"),
    ("access_denied", "declined"),
)
DEAD_GRANTS: frozenset[Reason] = frozenset({"code-refused", "permissions-changed", "user-gone", "disabled-by-admin"})
"""Only the owner, or the administrator of the Zoom account, can mend these; the others are for our operator."""

_NUMBER = re.compile(r"\b4,?7\d\d\b")  # "(4,709)" on Zoom's own pages


def reason_of(said: str) -> Reason | None:
    """Return what Zoom means by what it said; None where it is not known."""
    for number in _NUMBER.findall(said):
        if reason := _BY_NUMBER.get(number.replace(",", "")):
            return reason
    return next((reason for words, reason in _BY_WORDS if words in said.lower()), None)
