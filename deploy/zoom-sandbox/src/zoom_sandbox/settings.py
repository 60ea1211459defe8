"""The sandbox's settings: the app that it pretends was registered at Zoom, and where it listens."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals."""

    zoom_sandbox_host: str = "127.0.0.1"
    zoom_sandbox_port: int = Field(default=8010, ge=0, le=65535)
    zoom_sandbox_public_url: str | None = None
    zoom_sandbox_app_name: str = "Convoke"
    zoom_client_id: str = Field(min_length=1)
    zoom_client_secret: SecretStr = Field(min_length=1)
    zoom_redirect_uris: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    zoom_webhook_secret_token: SecretStr = Field(min_length=1)

    zoom_webhook_urls: Annotated[tuple[str, ...], NoDecode] = ()
    """Subscribed to every event from the start, and again after a reset."""

    @field_validator("zoom_redirect_uris", "zoom_webhook_urls", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(uri.strip() for uri in value.split(",") if uri.strip())
