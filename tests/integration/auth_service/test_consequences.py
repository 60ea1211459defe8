"""Where meeting-service cannot say what disconnecting would mean, that is said, in time, and nobody is kept from it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auth_service import meetings
from auth_service.settings import Settings
from convoke.settings import load
from tests.integration.auth_service.replicas import Caller, MovableClock, replica
from tests.support.served import address_of, listening

Connect = Callable[..., Awaitable[dict[str, Any]]]


@pytest.mark.parametrize("is_silent", [False, True])
async def test_f55_what_is_not_known_just_now_is_said_so_in_time(
    *,
    is_silent: bool,
    environment: dict[str, str],
    clock: MovableClock,
    product: Caller,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
):
    own = await connect(product)
    monkeypatch.setattr(meetings, "ANSWERS_WITHIN", 0.2)
    with listening() as silent:
        away = address_of(silent) if is_silent else "http://127.0.0.1:9"
        async with replica(load(Settings, {**environment, "MEETING_SERVICE_URL": away}), clock) as http:
            one = Caller(http, product.client_id, product.secret, product.organization_id)
            told = (await one.call("GET", f"/v1/zoom/connections/{own['id']}/consequences")).json()
            assert (told["known"], told["future_meetings"], told["waiting"]) == (False, None, None)
            assert told["if_deleted"].startswith("All future meetings are deleted in Zoom first")
            assert (await one.call("DELETE", f"/v1/zoom/connections/{own['id']}")).status_code == 204
