"""What handling an event would do now, for an operator who is about to replay a dead letter."""

from auth_service.mongo.erasures import Erasures
from convoke.contracts import PrivacyErased
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.office import Previews


def previews(erasures: Erasures) -> Previews:
    """Return one preview for each event that this service handles."""

    async def of_erased(event: Event[PrivacyErased]) -> str:
        receipt = await erasures.find(event.organization_id, event.data.erasure_id)
        share = next((one for one in receipt.shares if one.service == event.data.service), None) if receipt else None
        if share is None:
            return f"no-op: erasure {event.data.erasure_id} waits for nothing from {event.data.service}"
        if share.at and share.at >= event.time:
            return f"no-op: {event.data.service} has said so, or something newer"
        return f"would add what {event.data.service} says to the receipt"

    return {PrivacyErased: of_erased}
