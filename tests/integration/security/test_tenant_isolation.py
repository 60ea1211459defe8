"""No route of any service shows or changes anything of another organization (OWASP API1:2023, ASVS 8.4.1)."""

import re
from typing import Any

import httpx
import pytest

from auth_service.domain.clients import TENANT_SCOPES
from local_stack.addresses import SERVICES
from tests.integration.security import routes
from tests.integration.security.routes import Attempt
from tests.integration.security.system import System
from tests.integration.security.tenants import Tenants

ATTEMPTS = [
    (service, route, attempt)
    for service in SERVICES
    for route, attempt in routes.of(service).items()
    if isinstance(attempt, Attempt)
]


def described(system: System, service: str) -> set[str]:
    """Return the routes that a service says it has, as `METHOD path`."""
    paths: dict[str, Any] = system.apps[service].openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def filled(value: Any, ids: dict[str, str]) -> Any:
    """Return a value with the ids that its texts name in braces."""
    if isinstance(value, dict):
        return {name: filled(content, ids) for name, content in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize("service", SERVICES)
def test_api1_every_route_says_what_another_organization_gets(system: System, service: str):
    missing, gone = (
        sorted(described(system, service) - set(routes.of(service))),
        sorted(set(routes.of(service)) - described(system, service)),
    )
    assert not missing, f"say in {routes.__name__} what another organization gets from these of {service}: {missing}"
    assert not gone, f"{service} has these no more: {gone}"


@pytest.mark.parametrize(("service", "route", "attempt"), ATTEMPTS, ids=[f"{s} {r}" for s, r, _ in ATTEMPTS])
def test_api1_asvs_8_4_1_nothing_of_another_organization_is_shown_or_changed(
    tenants: Tenants, service: str, route: str, attempt: Attempt
):
    victim = tenants.victim
    before = tenants.stored_of_victim()
    method, path = filled(route, victim.ids).split(" ")
    answer = httpx.request(
        method,
        tenants.system.urls[service] + path,
        params=filled(attempt.query, victim.ids),
        json=filled(attempt.body, victim.ids),
        headers={"Authorization": f"Bearer {tenants.token(service)}"},
        trust_env=False,
    )

    assert answer.status_code in attempt.right, answer.text
    asked = f"{path} {filled(attempt.query, victim.ids)} {filled(attempt.body, victim.ids)}"
    shown = {mark for mark in victim.marks if mark in answer.text or mark in str(answer.headers)}
    assert {mark for mark in shown if mark not in asked} == set()
    assert tenants.stored_of_victim() == before


@pytest.mark.parametrize("service", SERVICES)
def test_api5_what_is_for_operators_is_refused_to_clients_of_organizations(tenants: Tenants, service: str):
    """With the scopes that a client can be given, whatever it asks for."""
    internal = [route for route in described(tenants.system, service) if "/internal/" in route]
    for route in internal:
        method, path = filled(route, tenants.attacker.ids).split(" ")
        headers = {"Authorization": f"Bearer {tenants.token(service, TENANT_SCOPES)}"}
        answer = httpx.request(method, tenants.system.urls[service] + path, headers=headers, trust_env=False)
        assert answer.status_code == 403, route


@pytest.mark.parametrize("service", SERVICES)
def test_each_route_wants_one_of_the_scopes_that_its_description_names(tenants: Tenants, service: str):
    """As one requirement each in OpenAPI: any of them is enough."""
    paths: dict[str, Any] = tenants.system.apps[service].openapi()["paths"]
    wanted = {
        f"{method.upper()} {path}": {scope for one in operation["security"] for scope in one["token"]}
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "security" in operation
    }
    assert wanted
    for route, scopes in wanted.items():
        method, path = filled(route, tenants.attacker.ids).split(" ")
        others = tuple(scope for scope in TENANT_SCOPES if scope not in scopes)
        headers = {"Authorization": f"Bearer {tenants.token(service, others)}"}
        answer = httpx.request(method, tenants.system.urls[service] + path, headers=headers, trust_env=False)
        assert answer.json()["type"] == "missing-scope", route
        assert set(re.findall("'(.+?)'", answer.json()["detail"])) == scopes, route
