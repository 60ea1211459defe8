"""Where a person's browser is sent to consent: Zoom's address, or the browser's own name for the same server."""

import httpx

from auth_service.settings import Settings
from auth_service.zoom import Zoom
from convoke.settings import load

KEY = f"test={'A' * 43}="
NEEDED = {
    "RABBITMQ_URL": "amqp://rabbitmq.test",
    "MONGODB_URL": "mongodb://mongodb.test",
    "PUBLIC_URL": "http://auth.test",
    "ENCRYPTION_KEYS": KEY,
    "JWT_SIGNING_KEYS": KEY,
    "ZOOM_CLIENT_ID": "id",
    "ZOOM_CLIENT_SECRET": "secret",
    "MEETING_SERVICE_URL": "http://127.0.0.1:9",
    "ZOOM_OAUTH_URL": "http://zoom-sandbox:8010",
}


def _address(**settings: str) -> str:
    told = load(Settings, NEEDED | settings)
    zoom = Zoom(
        httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500))),
        oauth_url=told.zoom_oauth_url,
        api_url=told.zoom_api_url,
        consent_url=told.zoom_consent_url,
        client_id=told.zoom_client_id,
        client_secret=told.zoom_client_secret.get_secret_value(),
        redirect_uri=told.redirect_uri,
    )
    return zoom.authorization_url("state", "challenge").partition("?")[0]


def test_browsers_go_where_the_service_itself_goes():
    """Zoom has one name for everybody, so nothing needs to be set."""
    assert _address() == "http://zoom-sandbox:8010/oauth/authorize"


def test_browsers_can_be_given_a_name_of_their_own():
    """Among containers, this service's name for the sandbox means nothing to a browser."""
    assert _address(ZOOM_CONSENT_URL="http://127.0.0.1:8010/") == "http://127.0.0.1:8010/oauth/authorize"
