"""The settings of auth-service."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr
from pydantic.functional_validators import AfterValidator, BeforeValidator

from convoke.settings import HttpAddress, KeyRing, ServiceSettings


class ServiceClient(BaseModel):
    """The identity of one service, seeded at start."""

    model_config = ConfigDict(frozen=True)
    client_id: str
    client_secret: SecretStr
    scopes: tuple[str, ...]


def _service_client(text: str) -> ServiceClient:
    """Read `client_id=client_secret=scope1 scope2`; a secret may contain `=`, the other two may not."""
    client_id, _, rest = text.partition("=")
    secret, _, scopes = rest.rpartition("=")
    if not client_id or not secret:
        raise ValueError("is not a list of client_id=client_secret=scopes")
    return ServiceClient(client_id=client_id, client_secret=SecretStr(secret), scopes=tuple(scopes.split()))


def _service_clients(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    return tuple(_service_client(part.strip()) for part in text.split(",") if part.strip())


def _origin(url: str) -> str:
    HttpUrl(url)
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_origin)]


def _support(address: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*|mailto:[^\s@]+@[^\s@]+", address):
        raise ValueError("is neither https://... nor mailto:...")
    return address


SupportAddress = Annotated[str, AfterValidator(_support)]


def _secrets(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    return tuple(SecretStr(part.strip()) for part in text.split(",") if part.strip())


class Settings(ServiceSettings):
    mongodb_database: str = "auth"
    public_url: Address
    http_port: int = Field(default=8001, ge=1, le=65535)
    zoom_client_id: str = Field(min_length=1)
    zoom_client_secret: SecretStr = Field(min_length=1)
    zoom_oauth_url: Address = "https://zoom.us"
    zoom_api_url: Address = "https://api.zoom.us"
    zoom_consent_url: Address | None = None
    """Where browsers find what is `zoom_oauth_url` to this service, if its own name for it means nothing to them."""

    meeting_service_url: HttpAddress
    """Asked before Zoom is disconnected: how many meetings that would concern."""

    connect_url: HttpAddress | None = None
    """The product's page where connecting begins: where those are led who come from the Zoom Marketplace."""

    support_url: SupportAddress | None = None
    """Where owners get help who are stuck: https://… or mailto:…, shown on the pages and in GET /v1/zoom."""

    zoom_webhook_secret_token: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)] = ()
    """Comma separated, for a rotation: each of them is accepted. Without any, every webhook is refused."""

    requests_per_minute: int = Field(default=3_000, ge=1)
    """Of one client address, on the paths that show who one is: connecting and the token endpoint; in each replica."""

    failed_logins_per_minute: int = Field(default=30, ge=1)
    """Of one client address, at the token endpoint; in each replica. Unsigned webhooks may be ten times as many."""

    jwt_signing_keys: KeyRing
    service_clients: Annotated[tuple[ServiceClient, ...], BeforeValidator(_service_clients)] = ()

    @property
    def webhook_secrets(self) -> list[str]:
        return [secret.get_secret_value() for secret in self.zoom_webhook_secret_token]

    @property
    def redirect_uri(self) -> str:
        """The address that is registered with Zoom, exactly."""
        return f"{self.public_url}/v1/zoom/callback"
