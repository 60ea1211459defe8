"""What disconnecting would mean is told before it is decided (F55)."""

from functools import partial

from tests.integration.auth_service.owners import OwnerAtZoom, choice_in, text_of
from tests.integration.auth_service.replicas import soon
from tests.integration.leaving.world import Life, Product


async def test_f55_the_owner_is_told_how_many_future_meetings_and_waiting_bookings_there_are(
    life: Life, product: Product
):
    own = await product.connect()
    kept, moved, gone = [await product.book() for _ in range(3)]
    await product.linked(kept, moved, gone)
    told = await product.consequences(own["id"])
    assert (told["known"], told["future_meetings"], told["waiting"]) == (True, 3, 0)
    assert told["if_kept"].startswith("3 future meetings stay in Zoom")
    for operation in ("create_meeting", "update_meeting", "delete_meeting"):
        await life.zoom.fault(operation, "rate_limited_day", times=None)
    await product.cancel(gone)
    await product.reschedule(moved)
    new = await product.book()
    await soon(partial(product.waits, new, "zoom_daily_limit"))

    async def all_wait() -> bool:
        told = await product.consequences(own["id"])
        return (told["future_meetings"], told["waiting"]) == (2, 3)

    await soon(all_wait)


async def test_b16_f16_who_comes_back_as_another_zoom_user_reads_how_many_meetings_that_concerns(
    life: Life, product: Product
):
    await product.connect()
    await product.linked(await product.book(), await product.book())
    owner = OwnerAtZoom(product.caller, life.zoom)
    page = await product.caller.browser.open(choice_in(await owner.come_back("host-2")))
    assert "Each of the 2 meetings that are planned with the former account gets a new link" in text_of(page)


async def test_f55_of_two_connections_each_is_told_its_own(product: Product):
    shared, own = await product.connect(), await product.connect("hst_own", "host-2")
    await product.linked(await product.book(), await product.book(), await product.book(host_id="hst_own"))
    assert (await product.consequences(shared["id"]))["future_meetings"] == 2
    assert (await product.consequences(own["id"]))["future_meetings"] == 1


async def test_f55_of_a_hosts_own_connection_it_is_said_that_the_organizations_stands_in(product: Product):
    shared, own = await product.connect(), await product.connect("hst_own", "host-2")
    await product.linked(await product.book(host_id="hst_own"))
    told = await product.consequences(own["id"])
    assert told["if_kept"].startswith("1 future meeting stays in Zoom")
    assert told["if_deleted"].startswith("1 future meeting is deleted in Zoom first")
    assert "the organization's Zoom account makes new meetings" in told["if_deleted"]
    assert told["always"].startswith("New bookings get their meetings from the organization's Zoom account")
    await product.disconnect(shared["id"])
    told = await product.consequences(own["id"])
    assert "Its booking stays, without a link until Zoom is connected again" in told["if_deleted"]
    assert told["always"].startswith("0 bookings would wait")


async def test_f55_another_organization_is_told_nothing(life: Life, product: Product):
    own = await product.connect()
    other = await life.product()
    refused = await other.caller.call("GET", f"/v1/zoom/connections/{own['id']}/consequences")
    assert (refused.status_code, refused.json()["type"]) == (404, "not-found")


async def test_f55_only_a_service_asks_meeting_service(life: Life, product: Product):
    own = await product.connect()
    path, asked = f"/internal/v1/zoom/connections/{own['id']}/consequences", {"organization_id": product.id}
    token = await product.caller.token("meeting-service")
    tenant = await life.meetings[0].get(path, params=asked, headers={"authorization": f"Bearer {token}"})
    assert (tenant.status_code, tenant.json()["type"]) == (403, "missing-scope")
