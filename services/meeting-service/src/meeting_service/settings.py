"""The settings of meeting-service."""

from base64 import b64decode
from typing import Annotated

from pydantic import BeforeValidator, SecretBytes, SecretStr

from convoke.settings import ServiceSettings


def _key(text: object) -> object:
    return b64decode(text, validate=True) if isinstance(text, str) else text


class Settings(ServiceSettings):
    mongodb_database: str = "meeting"
    auth_service_url: str
    service_client_id: str
    service_client_secret: SecretStr
    marker_key: Annotated[SecretBytes, BeforeValidator(_key)]
