"""A wrong setting stops the notifier with a line that names it."""

import base64

import pytest
from pydantic import SecretStr

from convoke.settings import InvalidSettings, load
from notifier.settings import Settings, sender_address, smtp_server

ENVIRONMENT = {
    "RABBITMQ_URL": "amqp://localhost",
    "MONGODB_URL": "mongodb://localhost",
    "PUBLIC_URL": "https://book.example",
    "HTTP_PORT": "8004",
    "ENCRYPTION_KEYS": f"k1={base64.b64encode(bytes(32)).decode()}",
    "SMTP_URL": "smtp://user:secret@mail.example:2525",
    "MAIL_FROM": "Convoke <bookings@convoke.example>",
    "AUTH_SERVICE_URL": "http://auth.example",
}


def test_the_settings_are_read_from_the_environment() -> None:
    """The database has the service's name unless told otherwise."""
    settings = load(Settings, ENVIRONMENT)
    assert settings.mongodb_database == "notifier"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "http://mail.example"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://mail.example:port"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "Convoke"),
        ("MAIL_FROM", "a@b@c"),
        ("MAIL_FROM", ""),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    """One line, without its value."""
    with pytest.raises(InvalidSettings, match=name):
        load(Settings, ENVIRONMENT | {name: value})


@pytest.mark.parametrize(
    ("url", "port", "secured"),
    [
        ("smtp://mail.example", 25, (False, None)),
        ("smtp+starttls://mail.example", 587, (False, True)),
        ("smtps://mail.example", 465, (True, False)),
        ("smtp://mail.example:2525", 2525, (False, None)),
    ],
)
def test_the_scheme_says_how_the_connection_is_secured(url: str, port: int, secured: tuple[bool, bool | None]) -> None:
    """`smtp` takes TLS where it is offered, the others insist."""
    server = smtp_server(SecretStr(url))
    assert (server.port, (server.use_tls, server.start_tls)) == (port, secured)


def test_user_and_password_may_hold_any_character() -> None:
    """They are percent-encoded in an address."""
    server = smtp_server(SecretStr("smtp://us%40er:pa%2Fss@mail.example"))
    assert (server.username, server.password) == ("us@er", "pa/ss")


def test_the_sender_may_have_a_name() -> None:
    """With it or bare."""
    assert sender_address("Convoke <bookings@convoke.example>").display_name == "Convoke"
    assert sender_address("bookings@convoke.example").addr_spec == "bookings@convoke.example"
