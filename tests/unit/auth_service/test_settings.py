"""auth-service's settings: what is read, and what is said of what cannot be."""

import base64

import pytest

from auth_service.settings import Settings
from convoke.settings import InvalidSettings, load

KEY = base64.b64encode(b"k" * 32).decode()
ENVIRONMENT = {
    "RABBITMQ_URL": "amqp://localhost",
    "MONGODB_URL": "mongodb://localhost",
    "PUBLIC_URL": "https://auth.example/",
    "ENCRYPTION_KEYS": f"a={KEY}",
    "JWT_SIGNING_KEYS": f"a={KEY}",
    "ZOOM_CLIENT_ID": "id",
    "ZOOM_CLIENT_SECRET": "secret",
    "MEETING_SERVICE_URL": "http://meetings.example",
}


def test_what_is_left_out_is_zooms_own_and_the_redirect_address_follows_the_public_one():
    settings = load(Settings, ENVIRONMENT)
    assert (settings.zoom_oauth_url, settings.zoom_api_url) == ("https://zoom.us", "https://api.zoom.us")
    assert settings.redirect_uri == "https://auth.example/v1/zoom/callback"
    assert (settings.mongodb_database, settings.http_port, settings.service_clients) == ("auth", 8001, ())


def test_service_clients_are_read_also_where_a_secret_holds_equals_signs_or_there_is_no_scope():
    text = "meeting-service=a=b==zoom.access-tokens other, notifier=s="
    meeting, notifier = load(Settings, {**ENVIRONMENT, "SERVICE_CLIENTS": text}).service_clients
    assert (meeting.client_id, meeting.scopes) == ("meeting-service", ("zoom.access-tokens", "other"))
    assert meeting.client_secret.get_secret_value() == "a=b="
    assert (notifier.client_secret.get_secret_value(), notifier.scopes) == ("s", ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_CLIENTS", "canary"),
        ("SERVICE_CLIENTS", "canary="),
        ("SERVICE_CLIENTS", "=canary=x"),
        ("JWT_SIGNING_KEYS", "canary"),
        ("ZOOM_OAUTH_URL", "canary"),
        ("PUBLIC_URL", "canary.example"),
        ("SUPPORT_URL", "javascript:canary"),
        ("SUPPORT_URL", "canary@support.example"),
        ("CONNECT_URL", "canary"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(name: str, value: str):
    with pytest.raises(InvalidSettings) as refusal:
        load(Settings, {**ENVIRONMENT, name: value})
    assert str(refusal.value).startswith(name)
    assert "canary" not in str(refusal.value)
