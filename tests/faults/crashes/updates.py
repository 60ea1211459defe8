"""What a MongoDB update makes of a document: exactly the operators that our stores use, anything else raises."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from pymongo.errors import WriteError

from convoke.mongo import Document
from tests.faults.crashes.queries import element_matches

CONFLICT = 40


def applied(document: Document, update: Document, *, inserting: bool) -> Document:
    """Return what a document becomes, which itself stays as it is, and whose untouched parts the result shares.

    Raises WriteError where two operators name the same field, as MongoDB does.
    """
    _must_not_conflict(update)
    after = dict(document)
    for operator, fields in update.items():
        if operator == "$setOnInsert":
            if not inserting:
                continue
        elif operator not in _OPERATORS:
            raise NotImplementedError(f"the update {operator}")
        for path, operand in fields.items():
            _OPERATORS.get(operator, _set)(*_parent(after, path), operand)
    return after


def from_filter(query: Document) -> Document:
    """Return what an upsert takes over from its filter: the fields that are compared for equality."""
    document: Document = {}
    for path, condition in query.items():
        if path.startswith("$"):
            raise NotImplementedError(f"an upsert with the filter {path}")
        if not (isinstance(condition, dict) and any(key.startswith("$") for key in condition)):
            _set(*_parent(document, path), condition)
    return document


def _must_not_conflict(update: Document) -> None:
    paths = sorted(f"{path}." for fields in update.values() for path in fields)
    for one, other in pairwise(paths):  # in this order a path stands right before those inside it
        if other.startswith(one):
            raise WriteError(f"Updating the path '{other[:-1]}' would create a conflict at '{one[:-1]}'", CONFLICT)


def _parent(document: Document, path: str) -> tuple[Document, str]:
    """Return where the last name of a path stands, all on the way there copied: it may be changed."""
    *parents, last = path.split(".")
    inner = document
    for name in parents:
        if inner.get(name) is None and name in inner:
            raise WriteError(f"Cannot create field '{last}' in element {{{name}: null}}", 28)
        if not isinstance(deeper := inner.get(name, {}), dict):
            raise NotImplementedError(f"an update inside the array '{path}'")
        inner[name] = inner = dict(deeper)
    return inner, last


def _set(inner: Document, name: str, operand: Any) -> None:
    inner[name] = operand


def _unset(inner: Document, name: str, _: Any) -> None:
    inner.pop(name, None)


def _inc(inner: Document, name: str, operand: Any) -> None:
    inner[name] = inner.get(name, 0) + operand


def _min(inner: Document, name: str, operand: Any) -> None:
    if name not in inner or (inner[name] is not None and operand < inner[name]):
        inner[name] = operand


def _push(inner: Document, name: str, operand: Any) -> None:
    modifiers: Document = operand if isinstance(operand, dict) and "$each" in operand else {"$each": [operand]}
    if unknown := set(modifiers) - {"$each", "$slice"}:
        raise NotImplementedError(f"$push with {unknown}")
    array = [*inner.get(name, []), *modifiers["$each"]]
    inner[name] = array[modifiers["$slice"] :] if "$slice" in modifiers else array


def _pull(inner: Document, name: str, condition: Any) -> None:
    if name in inner:
        inner[name] = [element for element in inner[name] if not element_matches(element, condition)]


_OPERATORS: dict[str, Callable[[Document, str, Any], None]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _inc,
    "$min": _min,
    "$push": _push,
    "$pull": _pull,
}
