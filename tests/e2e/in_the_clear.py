"""Looking for secrets in whatever a database holds: in the clear, or in a form that anybody can read."""

import base64
import binascii
import hashlib
import quopri
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from pymongo import MongoClient

SHORT = 12
"""Characters: what is shorter is looked for as a word, or random text would hold it now and then."""

LAYERS = 2
"""Encodings around each other, such as a quoted-printable part within base64."""

ZOOM_SIGNED = ["zak=", base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")]
"""What every start link of Zoom's, and every token that it signs, has in it, whichever it is."""

_QUOTED = re.compile(rb"=[0-9A-F]{2}|=\r?\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\r?\n(?=[A-Za-z0-9+/_-])){7,}")


@dataclass(frozen=True)
class Leak:
    kind: str
    where: str


@dataclass(frozen=True)
class Value:
    where: str
    raw: bytes


def everything(databases: MongoClient[dict[str, Any]], names: Iterable[str]) -> Iterator[Value]:
    """Yield every text, every bytes and every field's name of all documents of all collections."""
    for name in names:
        for collection in databases[name].list_collection_names():
            for document in databases[name][collection].find():
                yield from _values(document, f"{name}.{collection}")


def leaks(values: Iterable[Value], secrets: Mapping[str, Collection[str]]) -> set[Leak]:
    """Return which kinds of secrets are where; the secrets themselves are not in the answer.

    Raises ValueError for a kind that has none to look for.
    """
    if empty := [kind for kind, known in secrets.items() if not known]:
        raise ValueError(f"there is nothing to look for of {', '.join(empty)}")
    wanted = [(kind, secret.encode()) for kind, known in secrets.items() for secret in sorted(set(known))]
    return {
        Leak(kind, value.where)
        for value in values
        for form in _forms(value.raw, LAYERS)
        for kind, secret in wanted
        if secret in form and _is_whole(secret, form)
    }


def answers_of(values: Iterable[Value], challenge: str) -> set[str]:
    """Return where a PKCE verifier is that nobody but its maker knows: its SHA-256 is the challenge (RFC 7636)."""
    wanted = base64.urlsafe_b64decode(challenge + "=")
    return {
        value.where
        for value in values
        for form in _forms(value.raw, LAYERS)
        for word in re.findall(rb"[A-Za-z0-9._~-]{43,128}", form)
        if hashlib.sha256(word).digest() == wanted
    }


def _values(value: Any, where: str) -> Iterator[Value]:
    match value:
        case dict():
            for name, inner in value.items():
                yield Value(f"{where}.{name}", str(name).encode())
                yield from _values(inner, f"{where}.{name}")
        case list():
            for inner in value:
                yield from _values(inner, where)
        case bytes():
            yield Value(where, value)
        case _:
            yield Value(where, str(value).encode())


def _is_whole(secret: bytes, form: bytes) -> bool:
    word = rb"(?<![A-Za-z0-9])" + re.escape(secret) + rb"(?![A-Za-z0-9])"
    return len(secret) >= SHORT or re.search(word, form) is not None


def _forms(raw: bytes, layers: int) -> Iterator[bytes]:
    yield raw
    if not layers:
        return
    for form in _decoded(raw):
        yield from _forms(form, layers - 1)


def _decoded(raw: bytes) -> Iterator[bytes]:
    """Yield what a text reads as where it differs: of a URL, quoted-printable, base64 at any offset, hexadecimal."""
    if b"%" in raw:
        yield unquote_to_bytes(raw)
    if _QUOTED.search(raw):
        yield quopri.decodestring(raw)
    for found in _BASE64.finditer(raw):
        run = re.sub(rb"\s", b"", found[0])
        standard = run.translate(bytes.maketrans(b"-_", b"+/"))
        yield from (base64.b64decode(_whole(standard[offset:])) for offset in range(4))
        if re.fullmatch(rb"(?:[0-9a-fA-F]{2}){6,}", run):
            yield binascii.unhexlify(run)


def _whole(run: bytes) -> bytes:
    """Cut or pad a run of base64 so that it can be read."""
    left = len(run) % 4
    return run[:-1] if left == 1 else run + b"=" * (-left % 4)
