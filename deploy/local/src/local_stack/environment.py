"""The one place of this package that reads the environment: addresses that are given, and what children inherit."""

import os
from collections.abc import Mapping

# Services get nothing else of the caller's environment: a stray SMTP_URL in a shell must not reach a test system.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")


def caller() -> Mapping[str, str]:
    """Return the environment this process was started with."""
    return os.environ  # noqa: TID251  # started by hand: there is no settings object to pass down yet


def given(name: str) -> str | None:
    """Return the value of the variable, or None where it is missing or empty."""
    return caller().get(name) or None


def inherited() -> dict[str, str]:
    """Return what every child process gets beside its own settings."""
    values = {name: value for name in _INHERITED if (value := given(name)) is not None}
    return {**values, "PYTHONUNBUFFERED": "1"}
