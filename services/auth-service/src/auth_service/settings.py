"""The settings of auth-service."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr
from pydantic.functional_validators import AfterValidator, BeforeValidator

from convoke.settings import KeyRing, ServiceSettings


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

    zoom_webhook_secret_token: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)] = ()
    """Comma separated, for a rotation: each of them is accepted. Without any, every webhook is refused."""

    jwt_signing_keys: KeyRing
    service_clients: Annotated[tuple[ServiceClient, ...], BeforeValidator(_service_clients)] = ()

    @property
    def redirect_uri(self) -> str:
        """The address that is registered with Zoom, exactly."""
        return f"{self.public_url}/v1/zoom/callback"
