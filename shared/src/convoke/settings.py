"""Settings from the environment or from files, read once in `__main__`; a wrong one stops the service with a line."""

import base64
import binascii
import ipaddress
import re
import sys
from collections.abc import Mapping
from os import environ  # noqa: TID251 - this is the one place that reads the environment
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError
from pydantic.functional_validators import AfterValidator, BeforeValidator

Settings = TypeVar("Settings", bound=BaseModel)
Text = TypeVar("Text", str, SecretStr)


class InvalidSettings(Exception):
    """The environment lacks a setting or holds a wrong one; the text names it and never shows its value."""


_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_IDS = "ids of 1 to 32 letters, digits, - and _"


def _key_ring(text: Any) -> Any:
    """Read `kid=base64,kid=base64`; the first key writes, all of them read."""
    if not isinstance(text, str):
        return text
    keys: dict[str, bytes] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        kid, _, encoded = pair.partition("=")
        if not encoded.strip("=") or not _KEY_ID.fullmatch(kid):
            # Perhaps a key without an id: what would be shown as the id is the key.
            raise ValueError(f"is not a list of kid=base64 pairs, with {_KEY_IDS}")
        if kid in keys:
            raise ValueError(f"holds two keys with the id '{kid}'")
        try:
            keys[kid] = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise ValueError(f"key '{kid}' is not base64") from None
        if len(keys[kid]) != 32:
            raise ValueError(f"key '{kid}' has {len(keys[kid])} bytes, 32 are needed")
    if not keys:
        raise ValueError("holds no key")
    return {kid: SecretBytes(key) for kid, key in keys.items()}


KeyRing = Annotated[dict[str, SecretBytes], BeforeValidator(_key_ring)]
"""Keys of 32 bytes by key id, in the order given."""


def _leads_with(*schemes: str) -> AfterValidator:
    """Return a validator of addresses; what it says shows nothing of the address, which may hold a password."""
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(address: Text) -> Text:
        if not _is_address(_plain(address), schemes):
            raise ValueError(f"is no address with a host that begins with {allowed}")
        return address

    return AfterValidator(check)


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        # MongoDB's may name several hosts, each with a port.
        is_single = "," not in parts.netloc
        return parts.scheme in schemes and bool(parts.hostname) and (not is_single or parts.port != 0)
    except ValueError:
        return False


def _plain(address: str | SecretStr) -> str:
    return address if isinstance(address, str) else address.get_secret_value()


def _networks(text: str) -> str:
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ValueError("is no comma separated list of addresses and networks") from None
    return text


Days = Annotated[int, Field(ge=1, le=3650)]

HttpAddress = Annotated[str, _leads_with("http", "https")]


class ServiceSettings(BaseModel):
    """What every service needs; each service's own `Settings` adds to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rabbitmq_url: Annotated[SecretStr, _leads_with("amqp", "amqps")]
    mongodb_url: Annotated[SecretStr, _leads_with("mongodb", "mongodb+srv")]
    public_url: HttpAddress
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=1, le=65535)
    encryption_keys: KeyRing
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    """Addresses or networks, comma separated, whose X-Forwarded-For tells where a request came from; else nobody's."""

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


def load(settings: type[Settings], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the environment holds, `NAME_FILE` standing for the content of a file.

    Raises InvalidSettings with one line that names every missing or wrong setting.
    """
    source = environ if environment is None else environment
    values: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for name in settings.model_fields:
        try:
            values[name] = _value(name.upper(), source)
        except (OSError, UnicodeDecodeError) as error:
            unreadable[name] = f"{name.upper()}_FILE cannot be read ({_reason(error)})"
    try:
        valid = settings.model_validate({name: value for name, value in values.items() if value})
    except ValidationError as error:
        wrong = {str(problem["loc"][0]): _complaint(problem) for problem in error.errors()}
        raise InvalidSettings("; ".join((wrong | unreadable).values())) from None
    if unreadable:
        raise InvalidSettings("; ".join(unreadable.values()))
    return valid


def load_or_exit(settings: type[Settings]) -> Settings:
    """Return the settings, or end the process with status 2 and the reason as one line on standard error."""
    try:
        return load(settings)
    except InvalidSettings as error:
        sys.exit(_exit_with(str(error)))


def _exit_with(complaint: str) -> int:
    sys.stderr.write(f"cannot start: {complaint}\n")
    return 2


def _value(name: str, source: Mapping[str, str]) -> str:
    """Return the value of a setting, empty where there is none. Raises OSError or UnicodeDecodeError."""
    path = source.get(f"{name}_FILE")
    return source.get(name, "") if path is None else Path(path).read_text(encoding="utf-8").strip()


def _reason(error: OSError | UnicodeDecodeError) -> str:
    # Without the path: whoever confuses NAME and NAME_FILE has put the secret there.
    return (error.strerror or "error") if isinstance(error, OSError) else "it is not UTF-8"


def _complaint(error: Any) -> str:
    name = str(error["loc"][0]).upper()
    return (
        f"{name} is missing" if error["type"] == "missing" else f"{name}: {error['msg'].removeprefix('Value error, ')}"
    )
