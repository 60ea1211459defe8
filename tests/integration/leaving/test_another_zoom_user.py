"""Another Zoom user is connected: no replica goes on with the former one's token for as long as it may be kept."""

from tests.integration.auth_service.replicas import soon
from tests.integration.leaving.world import Product

ENOUGH_FOR_BOTH_REPLICAS = 8
FAR_BELOW_THE_CACHE = 10


async def makers(product: Product) -> set[str]:
    """Return the Zoom users whose tokens new meetings are made with."""
    sessions = [await product.book() for _ in range(ENOUGH_FOR_BOTH_REPLICAS)]
    await product.linked(*sessions)
    rows = [await product.row(session) for session in sessions]
    return {row["meeting"]["zoom_user_id"] for row in rows if row}


async def test_b16_every_replica_makes_new_meetings_as_the_newer_user_within_seconds(product: Product):
    await product.connect(user_id="host-1")
    assert await makers(product) == {"host-1"}
    await product.connect(user_id="host-2")

    async def are_made_as_the_newer_one() -> bool:
        return await makers(product) == {"host-2"}

    await soon(are_made_as_the_newer_one, within=FAR_BELOW_THE_CACHE)
