"""Two organizations in one system, each with one of everything that a tenant can have."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from auth_service.domain.clients import TENANT_SCOPES, Client
from auth_service.signing import SigningKeys
from local_stack.tenant import Tenant, wait_for
from tests.integration.security.system import System

EVERY_SCOPE = (*TENANT_SCOPES, "zoom.access-tokens", "zoom.endings", "meetings.read", "meetings.write", "notifier.read")
"""More than a tenant's client can be given: what keeps tenants apart must not be the lack of a scope."""

AT_WORK = {"outbox", "published", "lease", "due_at", "attempts", "looks", "shares", "person"}
"""Fields in which a document changes by itself; the last three of an erasure, which looks again after a minute."""


@dataclass(frozen=True)
class Stocked:
    """A tenant; `ids` are named as paths, queries and bodies name them, `marks` are what nobody else may be shown."""

    organization_id: str
    client_id: str
    tenant: Tenant
    ids: dict[str, str]
    marks: frozenset[str]


@dataclass(frozen=True)
class Tenants:
    """`victim` is never to be seen or changed by `attacker`."""

    system: System
    victim: Stocked
    attacker: Stocked
    databases: MongoClient[dict[str, Any]]

    def token(self, audience: str, scopes: tuple[str, ...] = EVERY_SCOPE) -> str:
        """Return a token of the attacker's client for a service."""
        client = Client(self.attacker.client_id, "", self.attacker.organization_id, (), secret_hash="")
        return SigningKeys(self.system.settings["auth-service"].jwt_signing_keys).issue(client, audience, scopes)

    def operators_token(self, audience: str) -> str:
        """Return a token of a service or an operator, who may name any organization."""
        nobodys = Client("operator", "", None, (), secret_hash="")
        return SigningKeys(self.system.settings["auth-service"].jwt_signing_keys).issue(nobodys, audience, EVERY_SCOPE)

    def stored_of_victim(self) -> dict[str, Any]:
        """Return every document in which the victim stands, but for what changes by itself."""
        names = [settings.mongodb_database for settings in self.system.settings.values()]
        return {
            f"{collection.full_name} {document['_id']}": {
                name: value for name, value in document.items() if name not in AT_WORK
            }
            for name in names
            for collection in _collections(self.databases[name])
            for document in collection.find({})
            if self.victim.organization_id in repr(document)
        }


def _collections(database: Any) -> list[Any]:
    return [database[name] for name in sorted(database.list_collection_names())]


@contextmanager
def two_tenants(system: System) -> Iterator[Tenants]:
    databases: MongoClient[dict[str, Any]] = MongoClient(system.mongodb_url, tz_aware=True, readConcernLevel="majority")
    with ExitStack() as stack, databases:
        victim, attacker = (_stocked(system, stack, name) for name in ("victim", "attacker"))
        yield Tenants(system, victim, attacker, databases)


def _stocked(system: System, stack: ExitStack, name: str) -> Stocked:
    organization_id, credentials = system.organization(f"{name}-canary", TENANT_SCOPES)
    tenant = stack.enter_context(Tenant(system, credentials))
    host_id = tenant.add_host_with_zoom(f"{name}-canary", 1)
    tenant.connect_zoom("host-1" if name == "victim" else "host-2")
    event_type = tenant.add_event_type(title=f"{name}-canary-title", duration_minutes=30, location={"kind": "zoom"})
    booking, canceled = (_booked(tenant, name, host_id, event_type["id"], days) for days in (2, 3))
    tenant.cancel(canceled["id"], f"{name}-canary-reason")
    ready = wait_for("the link", lambda: _ready(tenant, booking["id"]))
    wait_for("the mails", lambda: len(_sent(tenant, booking["id"])) == 2 or None)
    connections = wait_for("the check-ups", lambda: _checked_up(tenant))
    erasure_id = _erased(tenant, f"nobody@{name}-canary.example")
    ids = {
        "organization_id": organization_id,
        "host_id": host_id,
        "event_type_id": event_type["id"],
        "booking_id": booking["id"],
        "session_id": booking["session_id"],
        "connection_id": connections[0]["id"],
        "erasure_id": erasure_id,
    }
    marks = {f"{name}-canary", ready["meeting"]["join_url"], *ids.values()}
    marks |= {connection["id"] for connection in connections} | {canceled["id"], canceled["session_id"]}
    marks |= {connection["zoom_user_id"] for connection in connections if "canary" in connection["zoom_user_id"]}
    marks |= {_last(booking[address]) for address in ("join_address", "manage_address")}
    return Stocked(organization_id, credentials.client_id, tenant, ids, frozenset(marks))


def _booked(tenant: Tenant, name: str, host_id: str, event_type_id: str, days: int) -> dict[str, Any]:
    starts_at = (datetime.now(UTC) + timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    return tenant.book(
        event_type_id=event_type_id,
        host_id=host_id,
        starts_at=starts_at.isoformat(),
        invitee={"name": f"{name}-canary", "email": f"guest@{name}-canary.example", "timezone": "Europe/Paris"},
    )


def _erased(tenant: Tenant, person: str) -> str:
    """Have somebody erased of whom nothing is stored."""
    begun = tenant.call("auth-service", "POST", "/v1/erasures", {"scope": "person", "person": person})
    address = f"/v1/erasures/{begun['id']}"
    wait_for("the receipt", lambda: tenant.call("auth-service", "GET", address)["status"] == "done" or None)
    return str(begun["id"])


def _ready(tenant: Tenant, booking_id: str) -> dict[str, Any] | None:
    booking = tenant.booking(booking_id)
    return booking if booking["meeting"]["status"] == "ready" else None


def _checked_up(tenant: Tenant) -> list[dict[str, Any]] | None:
    connections: list[dict[str, Any]] = tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
    return connections if all(connection["checked_at"] for connection in connections) else None


def _sent(tenant: Tenant, booking_id: str) -> list[Any]:
    return [entry for entry in tenant.timeline(booking_id) if entry["what"] == "mail_accepted"]


def _last(address: str) -> str:
    return urlsplit(address).path.rpartition("/")[2]
