"""What has to hold once everything has come to rest."""

from collections.abc import Iterator

from auth_service.mongo.documents import connection_of
from convoke.mongo import Document
from tests.faults.races.ledger import secrets_in
from tests.faults.races.replica import SEALED
from tests.faults.races.world import World


def broken(world: World) -> list[str]:
    """Return what does not hold, in words."""
    ledger = world.ledger
    wrong = [*ledger.wrong, *ledger.used_when_dead(), *ledger.told_twice(), *_left_waiting(world), *_kept(world)]
    for row in world.connections():
        wrong += [f"{row['organization_id']}: {what}" for what in _of_connection(world, row)]
    return wrong


def _of_connection(world: World, row: Document) -> Iterator[str]:
    owner, status = row["organization_id"], row["status"]
    excuses, ended_at = world.ledger.excuses_of(owner), world.ledger.ended_at.get(owner)
    came_back_at, user_id = max(world.ledger.connected[owner].items(), default=(None, None))
    if status == "active" and not _is_accepted(world, row):
        yield f"it is called active, but Zoom accepts its refresh token no more {excuses}"
    if status == "reauthorization_required" and not excuses:
        yield "its good tokens were lost"
    if status == "disconnected" and came_back_at and ended_at and came_back_at > ended_at:
        yield "it is disconnected although its owner has connected since"
    if status != "disconnected" and ended_at and row["decided_at"] <= ended_at:
        yield "it lives although its owner has disconnected since"
    if status != "disconnected" and user_id and came_back_at >= row["decided_at"] and user_id != row["zoom_user_id"]:
        yield f"it is of {row['zoom_user_id']} although its owner came back as {user_id} since"
    told = list(world.ledger.told[owner].values())
    if told[-1][0].endswith("disconnected.v1") != (status != "active"):
        yield f"it is {status}, but the last that was told is {told[-1]}"


def _is_accepted(world: World, row: Document) -> bool:
    """Tell whether Zoom would take the stored refresh token."""
    known = world.zoom.sandbox.grants.refresh[SEALED.refresh_token(connection_of(row))]
    return not (known.spent or known.grant.ended)


def _left_waiting(world: World) -> Iterator[str]:
    published = {message.message_id for waiting in world.queues.waiting.values() for message in waiting}
    for owner, entries in world.ledger.told.items():
        yield from (f"{owner} was never told {told}" for entry, told in entries.items() if entry not in published)
    yield from (f"{one.what} of {one.owner} never ended" for one in world.under_way)


def _kept(world: World) -> Iterator[str]:
    """Nothing is kept of what is over; of ended connections the ledger has seen to it at each step.

    Only what is yet to be revoked may stay aside until Zoom has answered.
    """
    for row in world.connections():
        if row["status"] == "disconnected":
            yield from (f"{where} of a connection that was to be revoked is kept" for where in secrets_in(row))
    for choice in world.disks["choices"].documents.values():
        yield from (f"{where} of a choice is kept" for where in secrets_in(choice))
