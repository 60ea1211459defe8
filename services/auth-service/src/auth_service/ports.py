"""What auth-service needs of its neighbours, with the contract of each."""

from typing import Protocol

from auth_service.domain.consequences import Consequences


class Meetings(Protocol):
    """The meetings that meeting-service has made through a connection."""

    async def consequences(self, organization_id: str, connection_id: str) -> Consequences | None:
        """Return what ending or replacing a connection would mean; None where that is not known just now.

        Answers within a few seconds and never raises: nobody is kept from disconnecting by it.
        """
        ...

    async def withdraw(self, organization_id: str, connection_id: str) -> int | None:
        """Have the future meetings of a connection deleted; returns how many are left, None where that is not known.

        Never raises. To be repeated until none is left.
        """
        ...
