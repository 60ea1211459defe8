"""A request that is sent again, at the same moment or later, is carried out once and answered alike."""

import asyncio
from typing import Any

import pytest

from booking_service.mongo.answers import secrets_of
from booking_service.settings import Settings
from convoke.vault import Vault
from tests.integration.booking_service.conftest import NewTenant, StoredSessions
from tests.integration.booking_service.replicas import MovableClock, Wire, replica
from tests.integration.booking_service.tenant import EVENT_TYPE, HOST, Tenant, hour
from tests.support.eventually import eventually


async def test_fifty_requests_with_one_key_make_one_booking_and_get_one_answer(
    tenant: Tenant, stored: StoredSessions, wire: Wire
) -> None:
    answers = await tenant.at_once(50, hour(9), key="k")

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len(await stored(tenant)) == 1
    booking_id = answers[0].json()["id"]
    await wire.told(booking_id)
    assert wire.types(booking_id) == ["booking.created.v1"]


@pytest.mark.parametrize(("path", "body"), [("/v1/hosts", HOST), ("/v1/event-types", EVENT_TYPE)])
async def test_hosts_and_event_types_are_added_once(tenant: Tenant, path: str, body: dict[str, object]) -> None:
    before = len((await tenant.get(path))["items"])

    answers = await asyncio.gather(*(tenant.call("POST", path, json=body, key="k") for _ in range(20)))
    other = await tenant.call("POST", path, json=body | {"name": "B", "title": "B"}, key="k")

    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert other.status_code == 422
    assert len((await tenant.get(path))["items"]) == before + 1


async def test_a_key_gives_the_first_answer_even_after_the_booking_has_changed(tenant: Tenant) -> None:
    first = await tenant.try_to_book(hour(9), key="book")
    booking_id = first.json()["id"]
    moved = await tenant.try_to_reschedule(booking_id, hour(11), key="move")
    await tenant.try_to_reschedule(booking_id, hour(13), key="move again")
    canceled = await tenant.try_to_cancel(booking_id, key="cancel")

    assert (await tenant.try_to_book(hour(9), key="book")).content == first.content
    assert (await tenant.try_to_reschedule(booking_id, hour(11), key="move")).content == moved.content
    assert (await tenant.try_to_cancel(booking_id, key="cancel")).content == canceled.content
    assert (await tenant.booking(booking_id))["revision"] == 4


async def test_an_answer_that_was_kept_before_answers_were_bound_to_their_keys_is_given_again(
    tenant: Tenant, database: Any, settings: Settings
) -> None:
    """Those stored by the release before must last their 48 hours, and be rekeyed."""
    first = await tenant.try_to_book(hour(9), key="book")
    [session] = await database.sessions.find({"organization_id": tenant.organization_id}).to_list()
    vault, [entry] = Vault(settings.encryption_keys), session["idempotency"]
    body = vault.encrypt(first.text, tenant.organization_id, session["_id"], "answer")
    of_old = {name: entry[name] for name in ("key", "fingerprint", "status", "at")} | {"body": body}
    await database.sessions.update_one({"_id": session["_id"]}, {"$set": {"idempotency": [of_old]}})

    again = await tenant.try_to_book(hour(9), key="book")

    assert (again.status_code, again.content) == (201, first.content)
    [secret] = secrets_of(session | {"idempotency": [of_old]})
    assert vault.decrypt(body, *secret.row) == first.text


async def test_the_same_moment_written_otherwise_is_the_same_request(tenant: Tenant) -> None:
    first = await tenant.try_to_book("2031-05-04T12:00:00Z", key="k")

    assert (await tenant.try_to_book("2031-05-04T14:00:00+02:00", key="k")).content == first.content


async def test_a_key_is_refused_for_another_body_or_path(tenant: Tenant) -> None:
    booking = (await tenant.try_to_book(hour(9), key="k")).json()
    other = await tenant.book(hour(15))

    answers = [
        await tenant.try_to_book(hour(10), key="k"),
        await tenant.try_to_reschedule(booking["id"], hour(10), key="k"),
        await tenant.try_to_cancel(booking["id"], key="k"),
        await tenant.try_to_reschedule(other["id"], hour(16), key="k"),
        await tenant.try_to_reschedule(other["id"], hour(15), key="k"),
    ]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(422, "idempotency-key-reused")}
    assert [await tenant.booking(booking["id"]), await tenant.booking(other["id"])] == [booking, other]


async def test_a_change_to_what_already_is_keeps_its_key_too(tenant: Tenant) -> None:
    """Else its repetition would undo what happened since."""
    booking = await tenant.book(hour(9))
    nothing_new = await tenant.try_to_reschedule(booking["id"], hour(9), key="k")
    await tenant.try_to_reschedule(booking["id"], hour(11))

    again = await tenant.try_to_reschedule(booking["id"], hour(9), key="k")

    assert again.content == nothing_new.content
    assert (await tenant.booking(booking["id"]))["revision"] == 2


async def test_twenty_changes_with_one_key_at_once_are_one_change(tenant: Tenant, stored: StoredSessions) -> None:
    booking = await tenant.book(hour(9))

    moves = await asyncio.gather(*(tenant.try_to_reschedule(booking["id"], hour(11), key="m") for _ in range(20)))
    stays = await asyncio.gather(*(tenant.try_to_reschedule(booking["id"], hour(11), key="s") for _ in range(20)))

    assert {(answer.status_code, answer.content) for answer in moves} == {(200, moves[0].content)}
    assert {(answer.status_code, answer.content) for answer in stays} == {(200, stays[0].content)}
    [session] = await stored(tenant)
    assert session["revision"] == 2
    assert len(session["idempotency"]) == 2


async def test_a_refused_request_does_not_use_its_key_up(tenant: Tenant) -> None:
    await tenant.book(hour(9))
    assert (await tenant.try_to_book(hour(9), key="k")).status_code == 409

    assert (await tenant.try_to_book(hour(10), key="k")).status_code == 201


async def test_a_key_belongs_to_one_organization(tenant: Tenant, new_tenant: NewTenant) -> None:
    other = await new_tenant(tenant.http)

    ours, theirs = await tenant.try_to_book(hour(9), key="k"), await other.try_to_book(hour(9), key="k")

    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["id"] != theirs.json()["id"]


async def test_a_repetition_is_answered_after_the_booking_has_begun(
    settings: Settings, new_tenant: NewTenant, clock: MovableClock
) -> None:
    async with replica(settings, clock) as http:
        tenant = await new_tenant(http)
        first = await tenant.try_to_book(hour(1), key="k")
        clock.advance(hours=30)

        assert (await tenant.try_to_book(hour(1), key="k")).content == first.content


async def test_a_key_is_forgotten_after_48_hours_and_not_before(
    settings: Settings, new_tenant: NewTenant, clock: MovableClock, stored: StoredSessions
) -> None:
    async with replica(settings, clock) as http:
        tenant = await new_tenant(http)
        await tenant.try_to_book(hour(100), key="old")
        clock.advance(hours=47)
        await tenant.try_to_book(hour(101), key="young")

        clock.advance(hours=2)

        async def keys() -> list[int]:
            sessions = await stored(tenant)
            return sorted(len(session["idempotency"]) for session in sessions)

        async def old_one_is_gone() -> bool:
            return await keys() == [0, 1]

        await eventually(old_one_is_gone)
        assert (await tenant.try_to_book(hour(102), key="old")).status_code == 201
        assert (await tenant.try_to_book(hour(102), key="young")).status_code == 422


@pytest.mark.parametrize("key", ["", "x" * 256, "\x07"])
async def test_a_key_that_is_none_is_refused(tenant: Tenant, stored: StoredSessions, key: str) -> None:
    headers = {"Authorization": f"Bearer {tenant.issuer.token(tenant.organization_id, tenant.scope)}"}

    refused = await tenant.http.post(
        "/v1/bookings", json=tenant.order(hour(9)), headers={**headers, "Idempotency-Key": key}
    )

    assert refused.status_code == 422
    assert await stored(tenant) == []
