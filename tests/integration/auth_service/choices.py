"""What has become of a choice between two Zoom users."""

from typing import Any

from tests.integration.auth_service.owners import OwnerAtZoom


async def connected_user(owner: OwnerAtZoom) -> str:
    [connection] = await owner.product.connections()
    return str(connection["zoom_user_id"])


async def is_erased(database: Any) -> bool:
    choice = await database["choices"].find_one()
    return "access" not in choice["tokens"] and "refresh" not in choice["tokens"] and "due_at" not in choice
