"""Cases that schemathesis makes of a service's OpenAPI, right ones and wrong ones, sent by whoever may or may not ask.

Into half of them go ids that exist, the victim's or the attacker's own: with made-up ones all would end in 404.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.security.tenants import Tenants

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CALLERS = (*["attacker"] * 6, "operator", "operator", "nobody", "junk")
WHOSE = (None, None, "attacker", "victim")

Tell = Callable[[str], None]


@dataclass
class Tally:
    """What came of the cases: how many got which status, and what should not be, each once."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return self.statuses.total()

    def __str__(self) -> str:
        found = ", ".join(f"{times} x {status}" for status, times in sorted(self.statuses.items()))
        return f"{self.cases} cases: {found}; {len(self.failures)} failures"


class Fuzzing:
    """Attacks one service."""

    def __init__(self, tenants: Tenants, service: str, tell: Tell = lambda _: None) -> None:
        self._tenants = tenants
        self._service = service
        self._tell = tell
        self._session = requests.Session()
        self._session.trust_env = False
        self._tally = Tally()

    def run(self, cases: int, seed_of_all: int) -> Tally:
        """Send as many cases, about the same share of right and of wrong ones to each operation."""
        operations = self._operations()
        with self._session:
            for done, operation in enumerate(operations):
                share = (cases - self._tally.cases) // (len(operations) - done)
                self._attack_both_ways(operation, share if _varies(operation) else len(CALLERS), seed_of_all)
                self._tell(f"    {self._service}: {self._tally.cases} of {cases} cases, {operation.label}")
        return self._tally

    def _attack_both_ways(self, operation: Any, times: int, seed_of_all: int) -> None:
        before = self._tally.cases
        if _can_be_wrong(operation):
            with suppress(Unsatisfiable):
                self._attack(operation, GenerationMode.NEGATIVE, max(1, times // 2), seed_of_all)
        self._attack(operation, GenerationMode.POSITIVE, max(1, times - (self._tally.cases - before)), seed_of_all)

    def _operations(self) -> list[Any]:
        schema = schemathesis.openapi.from_dict(self._tenants.system.apps[self._service].openapi())
        found: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        return sorted(found, key=_varies)  # what the others do not use is left to those that vary

    def _attack(self, operation: Any, mode: GenerationMode, times: int, seed_of_all: int) -> None:
        @seed(seed_of_all)
        @settings(
            max_examples=times,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode), st.sampled_from(CALLERS), st.sampled_from(WHOSE))
        def attack(case: Any, caller: str, whose: str | None) -> None:
            self._send(case, caller, whose)

        attack()

    def _send(self, case: Any, caller: str, whose: str | None) -> None:
        if caller == "operator" and case.method != "GET":
            whose = whose and "attacker"  # an operator who names the victim changes it, and by right
        if whose:
            self._name_what_exists(case, whose)
        headers = self._credentials(caller)
        response = case.call(
            base_url=self._tenants.system.urls[self._service],
            session=self._session,
            headers=headers,
            timeout=30,
            allow_redirects=False,
        )
        self._tally.statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS, headers=headers)
        except* Failure as failed:
            for failure in failed.exceptions:
                self._note(case, response, f"{type(failure).__name__}: {failure}")
        if caller != "operator":
            self._look_for_marks(case, response)

    def _name_what_exists(self, case: Any, whose: str) -> None:
        soon = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
        starts_at = (soon + timedelta(minutes=30 * self._tally.cases)).isoformat()
        known = getattr(self._tenants, whose).ids | {"timezone": "Europe/Paris", "locale": "fr", "starts_at": starts_at}
        for place in (case.path_parameters, case.query, case.body):
            _put(known, place)

    def _credentials(self, caller: str) -> dict[str, str]:
        if caller == "nobody":
            return {}
        token = "junk"
        if caller != "junk":
            issue = self._tenants.token if caller == "attacker" else self._tenants.operators_token
            token = issue(self._service)
        return {"Authorization": f"Bearer {token}"}

    def _look_for_marks(self, case: Any, response: Any) -> None:
        asked = f"{case.path_parameters} {case.query} {case.body} {case.headers}"
        shown = {mark for mark in self._tenants.victim.marks if mark in response.text and mark not in asked}
        if shown:
            self._note(case, response, f"shows the victim's {shown}")

    def _note(self, case: Any, response: Any, what: str) -> None:
        key = f"{case.operation.label} {response.status_code} {what.splitlines()[0]}"
        self._tally.failures.setdefault(key, f"{what}\n{case.as_curl_command()}\n{response.text[:500]}")


def _put(known: dict[str, str], place: Any) -> None:
    """Replace the values of names that are known, however deep they lie."""
    if isinstance(place, dict):
        place.update({name: known[name] for name in place.keys() & known.keys()})
        for value in place.values():
            _put(known, value)


def _varies(operation: Any) -> bool:
    return any(map(len, (operation.path_parameters, operation.query, operation.headers, operation.body)))


def _can_be_wrong(operation: Any) -> bool:
    """Tell whether there is more to a request than texts in its path, of which any is right: each is tried in vain."""
    in_path = [parameter.definition["schema"] | {"title": ""} for parameter in operation.path_parameters]
    return any(map(len, (operation.query, operation.headers, operation.body))) or any(
        schema != {"type": "string", "title": ""} for schema in in_path
    )
