"""`rekey`, for the program of every service that keeps secrets."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import typer

from convoke.mongo import DATABASE_AWAY
from convoke.rekeying import Rekeying

Opened = Callable[[], AbstractAsyncContextManager[Rekeying]]

SAY_EVERY = 1.0
"""Seconds between two lines of progress."""


def rekey_command(opened: Opened) -> Callable[[], None]:
    """Return the command; `opened` gives the service's rekeying, with its connection closed afterwards."""

    def rekey() -> None:
        """Put all stored secrets under the first key of ENCRYPTION_KEYS; safe to stop, to repeat, and beside replicas.

        First give every replica the new key, in front of the old one. Ends with status 1 while an old key is needed.
        """
        asyncio.run(_run(opened))

    return rekey


async def _run(opened: Opened) -> None:
    async with opened() as rekeying:
        try:
            await _rekey(rekeying)
            remaining = await rekeying.secrets_by_key()
        except DATABASE_AWAY as error:
            typer.echo(f"MongoDB cannot be reached: {type(error).__name__}; run this again when it is back", err=True)
            raise typer.Exit(1) from None
    for document, why in rekeying.unreadable.items():
        typer.echo(f"{document} could not be opened: {why}", err=True)
    for line in _findings(remaining, rekeying):
        typer.echo(line)
    if set(remaining) - {rekeying.vault.writing_kid}:
        raise typer.Exit(1)


async def _rekey(rekeying: Rekeying) -> None:
    looked_at = changed = 0
    documents, said_at = await rekeying.documents(), time.monotonic()
    try:
        async for secrets in rekeying.run():
            looked_at, changed = looked_at + 1, changed + secrets
            if time.monotonic() - said_at >= SAY_EVERY:
                said_at = time.monotonic()
                typer.echo(f"{looked_at} of {_documents(documents)}, {_secrets(changed)} sealed anew", err=True)
    finally:
        typer.echo(f"{_documents(looked_at)} looked at, {_secrets(changed)} sealed anew")


def _findings(remaining: Counter[str], rekeying: Rekeying) -> list[str]:
    first, *others = rekeying.vault.kids
    lines = [f"{first}: {_secrets(remaining[first])}; it is the key that writes"]
    lines += [
        f"{kid}: {_secrets(remaining[kid])} left; keep it in ENCRYPTION_KEYS and run this again"
        if remaining[kid]
        else f"{kid}: no secrets; once every replica writes with {first}, it may be taken out of ENCRYPTION_KEYS"
        for kid in others
    ]
    unknown = sorted(set(remaining) - {first, *others})
    return lines + [
        f"{kid}: {_secrets(remaining[kid])}, and it is not in ENCRYPTION_KEYS: add it back and run this again"
        for kid in unknown
    ]


def _documents(number: int) -> str:
    return f"{number} {'document' if number == 1 else 'documents'}"


def _secrets(number: int) -> str:
    return f"{number} {'secret' if number == 1 else 'secrets'}"
