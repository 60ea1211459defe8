"""What somebody of another organization gets from each route: the table that test_tenant_isolation goes through.

A route without an entry fails there. An entry says with which body or query the route is asked for what is the
victim's (ids in braces, also in the path, are the victim's), and which answers are right.
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

SOON = "2030-01-01T09:00:00Z"
PERSON = {"name": "Another", "email": "another@attacker.example", "timezone": "Europe/Paris"}


@dataclass(frozen=True)
class Attempt:
    """A request of the attacker's for what is the victim's."""

    right: tuple[int, ...] = (404,)
    body: Json | None = None
    query: Json | None = None


@dataclass(frozen=True)
class Outside:
    """A route where no organization asks, and why that is right."""

    why: str


OWN = (200,)
"""A list or an overview: it is answered, and with nothing of another's."""

NO_TENANT = Outside("the same for everybody")
INTERNAL = (403,)
"""For services and operators; an organization's token is refused whatever its scopes are."""

ROUTES: dict[str, dict[str, Attempt | Outside]] = {
    "auth-service": {
        "POST /oauth/token": Outside("shows no token: it gives one for an id and its secret"),
        "GET /.well-known/jwks.json": NO_TENANT,
        "POST /v1/zoom/authorizations": Attempt((201,), body={"host_id": "{host_id}"}),
        "GET /v1/zoom": Attempt(OWN),
        "GET /v1/zoom/authorizations/{link}": Outside("the one-time link says whose it is"),
        "POST /v1/zoom/authorizations/{link}": Outside("the one-time link and the browser's cookie say whose it is"),
        "GET /v1/zoom/callback": Outside("the one-time state and the browser's cookie say whose it is"),
        "GET /v1/zoom/choices/{choice_id}": Outside("the browser's cookie says whose it is"),
        "POST /v1/zoom/choices/{choice_id}": Outside("the browser's cookie says whose it is"),
        "GET /v1/zoom/connections": Attempt(OWN),
        "GET /v1/zoom/connections/{connection_id}": Attempt(),
        "POST /v1/zoom/connections/{connection_id}/checkup": Attempt(),
        "PATCH /v1/zoom/connections/{connection_id}": Attempt(body={"enabled_for_new_bookings": False}),
        "DELETE /v1/zoom/connections/{connection_id}": Attempt(),
        "GET /v1/zoom/connections/{connection_id}/consequences": Attempt(),
        "POST /v1/zoom/webhooks": Outside("Zoom's signature says whose it is"),
        "POST /v1/erasures": Attempt((202,), body={"scope": "person", "person": "{host_id}@victim-canary.example"}),
        "GET /v1/erasures": Attempt(OWN),
        "GET /v1/erasures/{erasure_id}": Attempt(),
        "POST /internal/v1/zoom/access-tokens": Attempt(
            INTERNAL, body={"organization_id": "{organization_id}", "connection_id": "{connection_id}"}
        ),
        "GET /internal/v1/zoom/connections": Attempt(INTERNAL, query={"organization_id": "{organization_id}"}),
    },
    "booking-service": {
        "POST /v1/hosts": Attempt((201,), body=PERSON),
        "GET /v1/hosts": Attempt(OWN),
        "GET /v1/hosts/{host_id}": Attempt(),
        "POST /v1/event-types": Attempt(
            (201,), body={"title": "Theirs", "duration_minutes": 30, "location": {"kind": "zoom"}}
        ),
        "GET /v1/event-types": Attempt(OWN),
        "GET /v1/event-types/{event_type_id}": Attempt(),
        "POST /v1/bookings": Attempt(
            (422,),
            body={
                "event_type_id": "{event_type_id}",
                "host_id": "{host_id}",
                "starts_at": SOON,
                "invitee": PERSON,
            },
        ),
        "GET /v1/bookings": Attempt(OWN, query={"host_id": "{host_id}"}),
        "GET /v1/bookings/{booking_id}": Attempt(),
        "GET /v1/bookings/{booking_id}/timeline": Attempt(),
        "POST /v1/bookings/{booking_id}/reschedule": Attempt(body={"starts_at": SOON}),
        "POST /v1/bookings/{booking_id}/cancel": Attempt(body={}),
        "GET /j/{token}": Outside("who has the address is let in"),
        "GET /manage/{token}": Outside("who has the address is let in"),
    },
    "meeting-service": {
        "GET /internal/v1/meetings/{session_id}": Attempt(),
        "GET /internal/v1/repairs/plan": Attempt(query={"organization_id": "{organization_id}"}),
        "POST /internal/v1/repairs": Attempt(body={"organization_id": "{organization_id}"}),
        "GET /internal/v1/audit": Attempt(OWN),
        "GET /internal/v1/zoom/connections/{connection_id}/consequences": Attempt(
            INTERNAL, query={"organization_id": "{organization_id}"}
        ),
        "POST /internal/v1/zoom/connections/{connection_id}/withdrawal": Attempt(
            INTERNAL, body={"organization_id": "{organization_id}"}
        ),
    },
    "notifier": {
        "GET /internal/v1/deliveries": Attempt(query={"booking_id": "{booking_id}"}),
    },
}

EVERYWHERE: dict[str, Attempt | Outside] = {
    "GET /health/live": NO_TENANT,
    "GET /health/ready": NO_TENANT,
    "GET /asyncapi": NO_TENANT,
}


def of(service: str) -> dict[str, Attempt | Outside]:
    return ROUTES[service] | EVERYWHERE
