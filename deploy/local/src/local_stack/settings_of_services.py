"""What each service of a local system is told through its environment, and nothing more."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_stack.addresses import Ports

ZOOM_CLIENT_ID = "convoke-local"
OPERATOR = "operator=operator-for-development-only=meetings.read meetings.write notifier.read"
"""Whoever looks after the system, as docker-compose.yml names them: the same request works in both."""


@dataclass(frozen=True)
class Surroundings:
    """Where everything of one system is.

    `told` holds addresses that the services are told in place of the real ones, such as those of proxies: of `zoom`,
    `smtp`, `rabbitmq`, `mongodb` or a service, by name; `notifier mongodb` is what the notifier alone is told.
    """

    rabbitmq_url: str
    mongodb_url: str
    ports: Ports
    secrets: dict[str, str]
    log_level: str = "INFO"
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def zoom_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.zoom}"

    def service_url(self, service: str, replica: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports.services[service][replica]}"

    def told_to(self, service: str, name: str, otherwise: str) -> str:
        """Return the address that a service is told: one for itself alone, one for all, or the real one."""
        return self.told.get(f"{service} {name}") or self.told.get(name) or otherwise

    def service_told(self, name: str) -> str:
        return self.told.get(name) or self.service_url(name)


def of_sandbox(system: Surroundings) -> dict[str, str]:
    """Return the settings of the Zoom sandbox."""
    return {
        "ZOOM_SANDBOX_HOST": "127.0.0.1",
        "ZOOM_SANDBOX_PORT": str(system.ports.zoom),
        "ZOOM_REDIRECT_URIS": f"{system.service_told('auth-service')}/v1/zoom/callback",
        "ZOOM_WEBHOOK_URLS": f"{system.service_told('auth-service')}/v1/zoom/webhooks",
        **_zoom_app(system),
    }


def of_service(service: str, replica: int, system: Surroundings) -> dict[str, str]:
    """Return the settings of one replica of a service."""
    return {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(system.ports.services[service][replica]),
        "LOG_LEVEL": system.log_level,
        "RABBITMQ_URL": system.told_to(service, "rabbitmq", system.rabbitmq_url),
        "MONGODB_URL": system.told_to(service, "mongodb", system.mongodb_url),
        "PUBLIC_URL": system.service_told(service),
        "AUTH_SERVICE_URL": system.service_told("auth-service"),
        "BOOKING_SERVICE_URL": system.service_told("booking-service"),
        "MEETING_SERVICE_URL": system.service_told("meeting-service"),
        "ENCRYPTION_KEYS": f"local-1={system.secrets['encryption-key']}",
        **_OWN[service](system),
    }


def _auth(system: Surroundings) -> dict[str, str]:
    return {
        "JWT_SIGNING_KEYS": f"local-1={system.secrets['jwt-signing-key']}",
        "SERVICE_CLIENTS": _service_clients(system),
        **_zoom_app(system),
        **_zoom_addresses(system),
    }


def _booking(system: Surroundings) -> dict[str, str]:
    return _client(system, "booking-service")


def _meeting(system: Surroundings) -> dict[str, str]:
    return {
        "MARKER_KEY": system.secrets["marker-key"],
        **_client(system, "meeting-service"),
        **_zoom_addresses(system),
    }


def _notifier(system: Surroundings) -> dict[str, str]:
    return {
        "SMTP_URL": system.told.get("smtp") or f"smtp://127.0.0.1:{system.ports.smtp}",
        "MAIL_FROM": "Convoke <bookings@convoke.example>",
        **_client(system, "notifier"),
    }


_OWN = {
    "auth-service": _auth,
    "booking-service": _booking,
    "meeting-service": _meeting,
    "notifier": _notifier,
}


def _zoom_app(system: Surroundings) -> dict[str, str]:
    return {
        "ZOOM_CLIENT_ID": ZOOM_CLIENT_ID,
        "ZOOM_CLIENT_SECRET": _password(system, "zoom-client"),
        "ZOOM_WEBHOOK_SECRET_TOKEN": _password(system, "zoom-webhook"),
    }


def _zoom_addresses(system: Surroundings) -> dict[str, str]:
    zoom = system.told.get("zoom") or system.zoom_url
    return {"ZOOM_OAUTH_URL": zoom, "ZOOM_API_URL": zoom}


def _client(system: Surroundings, service: str) -> dict[str, str]:
    return {"SERVICE_CLIENT_ID": service, "SERVICE_CLIENT_SECRET": _password(system, service)}


def _service_clients(system: Surroundings) -> str:
    scopes = {"booking-service": "", "meeting-service": "zoom.access-tokens", "notifier": ""}
    services = (f"{name}={_password(system, name)}={scope}" for name, scope in scopes.items())
    return ",".join([*services, OPERATOR])


def _password(system: Surroundings, name: str) -> str:
    # Passwords stand between "=" and "," in SERVICE_CLIENTS, where base64's padding would be in the way.
    return b64decode(system.secrets[name]).hex()
