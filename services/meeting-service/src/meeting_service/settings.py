"""The settings of meeting-service."""

from base64 import b64decode
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretBytes, SecretStr

from convoke.settings import Days, HttpAddress, ServiceSettings


def _keys(text: object) -> object:
    """Read base64 keys, separated by commas: the first writes, all recognise."""
    return [b64decode(key, validate=True) for key in text.split(",")] if isinstance(text, str) else text


MarkerSecret = Annotated[SecretBytes, Field(min_length=32)]


class Settings(ServiceSettings):
    mongodb_database: str = "meeting"
    retain_links_days: Days = 30
    """How long a link stays with a session that is over."""
    auth_service_url: HttpAddress
    zoom_api_url: HttpAddress = "https://api.zoom.us"
    """Where tokens may be sent to beside hosts below zoom.us: the same as auth-service is told."""

    service_client_id: str
    service_client_secret: SecretStr
    marker_key: Annotated[list[MarkerSecret], BeforeValidator(_keys), Field(min_length=1)]
