"""What the notifier needs to know to run; `SMTP_URL` and `MAIL_FROM` are read here once, into their parts."""

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from convoke.settings import Days, HttpAddress, ServiceSettings

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
"""Scheme to usual port: `smtp` upgrades where the server offers it, the others insist on TLS."""


class SmtpServer(BaseModel):
    """Where mails are handed in, in the words of aiosmtplib."""

    model_config = ConfigDict(frozen=True)
    hostname: str
    port: int
    username: str | None
    password: str | None
    use_tls: bool
    start_tls: bool | None


def smtp_server(url: SecretStr) -> SmtpServer:
    """Return the parts of `smtp://user:password@host:port`. Raises ValueError with a text that shows no secret."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"has the form smtp://user:password@host:port; the scheme is one of {', '.join(PORTS)}")
    return SmtpServer(
        hostname=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=parts.scheme == "smtps",
        start_tls={"smtp": None, "smtp+starttls": True, "smtps": False}[parts.scheme],
    )


def sender_address(text: str) -> Address:
    """Return `Convoke <bookings@example.org>` or the bare address as an Address. Raises ValueError."""
    name, address = parseaddr(text)
    try:
        sender = Address(name, addr_spec=address)
    except (HeaderParseError, IndexError):
        raise ValueError("is not a mail address") from None
    if not sender.username or ("." not in sender.domain and sender.domain != "localhost"):
        raise ValueError("is not a mail address")
    return sender


def _checked_smtp_url(url: SecretStr) -> SecretStr:
    smtp_server(url)
    return url


def _checked_sender(text: str) -> str:
    sender_address(text)
    return text


class Settings(ServiceSettings):
    smtp_url: Annotated[SecretStr, AfterValidator(_checked_smtp_url)]
    mail_from: Annotated[str, AfterValidator(_checked_sender)]
    auth_service_url: HttpAddress
    mongodb_database: str = "notifier"
    retain_links_days: Days = 30
    """How long a link stays with a session that is over."""
