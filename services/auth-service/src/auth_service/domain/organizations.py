"""What an organization has decided about Zoom: whether it is offered at all, and where owners are sent back to."""

from dataclasses import dataclass

from auth_service.domain.return_addresses import is_allowed


class OrganizationUnknown(Exception):
    """No organization has this id."""


class ZoomIsOff(Exception):
    """Zoom cannot be connected in this organization; the text is the reason that an operator has given."""


class ReturnNotAllowed(Exception):
    """The organization has registered no address that covers this one."""


@dataclass(frozen=True)
class Organization:
    """`zoom_off_because` is None while Zoom may be connected."""

    id: str
    name: str
    zoom_off_because: str | None = None
    return_addresses: tuple[str, ...] = ()

    def check_zoom_is_on(self) -> None:
        """Raise ZoomIsOff where an operator has switched Zoom off."""
        if self.zoom_off_because is not None:
            raise ZoomIsOff(self.zoom_off_because)

    def check_may_return_to(self, return_to: str) -> None:
        """Raise NotAReturnAddress or ReturnNotAllowed unless an owner may be sent there."""
        if not is_allowed(return_to, self.return_addresses):
            raise ReturnNotAllowed
