"""Which document matches a MongoDB filter: exactly the operators that our stores use, anything else raises."""

from collections.abc import Callable, Iterator
from typing import Any

from convoke.mongo import Document


def matches(document: Document, query: Document) -> bool:
    """Tell whether a document matches. Raises NotImplementedError for an operator that no store uses yet."""
    return all(_matches_one(document, key, condition) for key, condition in query.items())


def values_at(document: Document, path: str) -> list[Any]:
    """Return what stands at a path, through arrays as MongoDB goes: every element, and an element by its number."""
    if "." not in path:
        return [document[path]] if path in document else []
    return list(_walk(document, path.split(".")))


def element_matches(element: Any, condition: Any) -> bool:
    """Tell whether an element of an array matches the condition of a $pull."""
    if isinstance(condition, dict) and not _is_operators(condition):
        return isinstance(element, dict) and matches(element, condition)
    return _holds([element], condition)


def _matches_one(document: Document, key: str, condition: Any) -> bool:
    match key:
        case "$and":
            return all(matches(document, part) for part in condition)
        case "$or":
            return any(matches(document, part) for part in condition)
    if key.startswith("$"):
        raise NotImplementedError(f"the filter {key}")
    return _holds(values_at(document, key), condition)


def _walk(value: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield value
        return
    first, rest = parts[0], parts[1:]
    if isinstance(value, dict) and first in value:
        yield from _walk(value[first], rest)
    if isinstance(value, list):
        if first.isdigit() and int(first) < len(value):
            yield from _walk(value[int(first)], rest)
        for element in value:
            if isinstance(element, dict):
                yield from _walk(element, parts)


def _is_operators(condition: Any) -> bool:
    return isinstance(condition, dict) and bool(condition) and all(key.startswith("$") for key in condition)


def _holds(found: list[Any], condition: Any) -> bool:
    if not _is_operators(condition):
        return _equal(found, condition)
    return all(_operator(name)(found, operand) for name, operand in condition.items())


def _operator(name: str) -> Callable[[list[Any], Any], bool]:
    if name not in _OPERATORS:
        raise NotImplementedError(f"the operator {name}")
    return _OPERATORS[name]


def _equal(found: list[Any], wanted: Any) -> bool:
    if wanted is None:
        return not found or any(value is None for value in _candidates(found))
    return any(type(value) is type(wanted) and value == wanted for value in _candidates(found)) or any(
        _is_number(value) and _is_number(wanted) and value == wanted for value in _candidates(found)
    )


def _candidates(found: list[Any]) -> Iterator[Any]:
    for value in found:
        yield value
        if isinstance(value, list):
            yield from value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[list[Any], Any], bool]:
    def holds(found: list[Any], operand: Any) -> bool:
        comparable = (
            value
            for value in _candidates(found)
            if type(value) is type(operand) or (_is_number(value) and _is_number(operand))
        )
        return any(compare(value, operand) for value in comparable)

    return holds


_OPERATORS: dict[str, Callable[[list[Any], Any], bool]] = {
    "$lt": _ordered(lambda value, operand: value < operand),
    "$lte": _ordered(lambda value, operand: value <= operand),
    "$gt": _ordered(lambda value, operand: value > operand),
    "$gte": _ordered(lambda value, operand: value >= operand),
    "$ne": lambda found, operand: not _equal(found, operand),
    "$in": lambda found, operand: any(_equal(found, one) for one in operand),
    "$nin": lambda found, operand: not any(_equal(found, one) for one in operand),
    "$exists": lambda found, operand: bool(found) == bool(operand),
    "$not": lambda found, operand: not _holds(found, operand),
}
