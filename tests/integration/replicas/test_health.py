"""What Zoom says of a connection is found by auth-service and warned of by booking-service, over the wire."""

import httpx

from local_stack.tenant import Tenant, wait_for
from tests.integration.replicas.test_pausing import warned
from tests.integration.security.system import System


def test_b9_f17_f29_an_event_type_warns_of_what_a_check_up_found(system: System, tenant: Tenant):
    tenant.add_event_type(title="Long talk", duration_minutes=60, location={"kind": "zoom"})
    assert warned(tenant) == {"zoom_not_connected"}

    control = f"{system.urls['zoom']}/sandbox"
    # In a paid account: one check-up alone uses up the two calls a second that a free one has.
    user = {"id": "unlicensed", "email": "unlicensed@host.example", "type": 1, "plan": "pro", "account_id": "its-own"}
    with httpx.Client(trust_env=False) as http:
        http.post(f"{control}/users", json=user).raise_for_status()
        tenant.connect_zoom("unlicensed")
        wait_for("the plan", lambda: warned(tenant) == {"zoom_basic_plan"})
        http.post(f"{control}/users", json={"id": "unlicensed", "may_schedule": False}).raise_for_status()
    assert {finding["code"] for finding in _checked_up(tenant)} >= {"zoom_basic_plan", "zoom_host_not_allowed"}
    wait_for("the refusal", lambda: warned(tenant) == {"zoom_basic_plan", "zoom_host_not_allowed"})


def _checked_up(tenant: Tenant) -> list[dict[str, str]]:
    [connection] = tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
    return list(tenant.call("auth-service", "POST", f"/v1/zoom/connections/{connection['id']}/checkup")["findings"])
